//! What is refused before the first step: nothing is touched, and the error says what to do.

use std::process::{Command, Output, Stdio};

use crate::support::{Stage, four};

// ---- no systemd ----

#[test]
fn where_there_is_no_bus_it_says_so() {
    let rolled = restart_at_bus("unix:path=/nonexistent/bus");
    assert_eq!(rolled.status.code(), Some(4), "{}", said(&rolled));
    assert!(said(&rolled).contains("no bus at unix:path=/nonexistent/bus"), "{}", said(&rolled));
    assert!(said(&rolled).contains("next: systemctl --user status"), "{}", said(&rolled));
}

#[test]
fn where_the_bus_has_no_systemd_it_says_so() {
    let mut bus = Command::new("dbus-daemon")
        .args(["--session", "--nofork", "--print-address"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address = first_line(bus.stdout.take().unwrap());
    let rolled = restart_at_bus(&address);
    bus.kill().unwrap();
    bus.wait().unwrap();
    assert_eq!(rolled.status.code(), Some(4), "{}", said(&rolled));
    assert!(said(&rolled).contains("next: systemctl --user status"), "{}", said(&rolled));
}

fn restart_at_bus(address: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollctl"));
    command.args(["restart", "--user", "worker"]).env("DBUS_SESSION_BUS_ADDRESS", address);
    command.output().unwrap()
}

fn first_line(from: impl std::io::Read) -> String {
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(from), &mut line).unwrap();
    line.trim().to_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

// ---- not these units ----

#[test]
fn nothing_matched_is_said_and_nothing_is_done() {
    let stage = Stage::group(four().instances(1));
    for pattern in ["nobody", "nobody@*", "nobody@7", "nobody.service", "worker@x*"] {
        let rolled = stage.restart(&[pattern]).exits_with(3).touched_nothing();
        rolled.says(&format!("nothing matched {pattern}")).says("next: rollctl list --user");
    }
}

#[test]
fn what_is_masked_is_not_rolled_by_its_name() {
    let stage = Stage::queue(&["1"]);
    stage.systemctl(&["mask", "q@4"]);
    let rolled = stage.restart(&["q@4"]).exits_with(5).touched_nothing();
    rolled.says("masked: q@4.service").says("next: systemctl --user unmask q@4.service");
}

#[test]
fn a_unit_file_that_is_wrong_is_not_rolled() {
    let stage = Stage::units(&[("bad.service", "[Service]\nType=simple\n")], &[]);
    let rolled = stage.restart(&["bad"]).exits_with(5).touched_nothing();
    rolled.says("bad.service cannot be loaded").says("next: systemctl --user status bad.service");
}

#[test]
fn without_its_socket_nothing_is_touched() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    stage.systemctl(&["stop", "worker.socket"]);
    let rolled = stage.roll(&[]).exits_with(5).touched_nothing();
    rolled.says("worker.socket is not active").says("next: systemctl --user status worker.socket");
    assert_eq!(stage.runs(), before);
}

// ---- not so, or not now ----

#[test]
fn all_at_a_time_is_refused() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    for all in ["100%", "2"] {
        let rolled = stage.restart(&["q", "--max-unavailable", all]).exits_with(5);
        let rolled = rolled.touched_nothing().says("would leave nobody serving");
        rolled.says("next: --max-unavailable 1");
    }
    assert_eq!(stage.runs(), before);
}

#[test]
fn a_health_url_must_be_an_address_for_every_instance() {
    let stage = Stage::queue(&["1", "two"]);
    let before = stage.runs();
    let rolled = stage.restart(&["q", "--health", "http://127.0.0.1:80%i/"]).exits_with(2);
    rolled.touched_nothing().says("127.0.0.1:80two");
    assert_eq!(stage.runs(), before);
}

#[test]
fn the_floor_is_not_undercut() {
    let stage = Stage::group(four().instances(3));
    stage.systemctl(&["stop", "worker@3"]);
    let before = stage.runs();
    let rolled = stage.restart(&["worker@{1..2}"]).exits_with(5).touched_nothing();
    rolled.says("worker was not touched").says("worker@3.service is not serving");
    assert_eq!(stage.runs(), before);
}

#[test]
fn a_second_roll_of_the_same_group_is_refused_and_told_who_is_first() {
    let stage = Stage::group(four().instances(2));
    let mut first = stage.begin_roll(&["--pause", "2s"]);
    first.until_pausing();
    let second = stage.restart(&["worker@1"]).exits_with(5).touched_nothing();
    let owner = format!("worker is being rolled by another: process {}", first.pid());
    second.says(&owner).says("--pause 2s").says("--lock-wait");
    first.end().exits_with(0);
}
