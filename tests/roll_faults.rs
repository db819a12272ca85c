//! What goes wrong around a roll: systemd itself, its bus, the socket, and other people.
#![cfg(all(feature = "lab", feature = "cli", feature = "ctl", feature = "worker"))]

mod roll_support;

use std::process::{Command, Output, Stdio};

use roll_support::{Stage, four};

const TEMPLATE: &str = "worker@.service";
const SLOW_START: &str = "[Service]\nExecStartPre=/bin/sleep 1\n";
const ENDLESS_START: &str = "[Service]\nExecStartPre=/bin/sleep 1000\nTimeoutStartSec=infinity\n";

// ---- systemd and its bus go away ----

#[test]
fn a_reexec_in_the_middle_is_no_failure() {
    goes_on_through(&[&["daemon-reexec"]]);
}

#[test]
fn a_restart_of_the_bus_in_the_middle_is_no_failure() {
    goes_on_through(&[&["restart", "dbus.service"]]);
}

#[test]
fn both_in_the_middle_are_no_failure() {
    goes_on_through(&[&["daemon-reexec"], &["restart", "dbus.service"], &["daemon-reexec"]]);
}

#[test]
fn a_reload_in_the_middle_is_no_failure() {
    goes_on_through(&[&["daemon-reload"]]);
}

/// Three instances, and each of these commands while the second one starts.
#[track_caller]
fn goes_on_through(commands: &[&[&str]]) {
    let stage = Stage::group(four().instances(3));
    stage.change(TEMPLATE, "50-slow", SLOW_START);
    let before = stage.runs();
    let clients = stage.mixed_load();
    let mut roll = stage.begin_roll(&[]);
    roll.until("worker@2.service", "starting");
    commands.iter().for_each(|command| stage.systemctl(command));
    let rolled = roll.end().exits_with(0);
    assert_eq!(rolled.order().len(), 3, "{}", rolled.story());
    clients.lose_nothing();
    stage.all_are_new_since(&before);
    stage.all_serve();
}

#[test]
fn a_reexec_in_every_phase_is_no_failure() {
    goes_on_through_in_every_phase(&["daemon-reexec"]);
}

#[test]
fn a_restart_of_the_bus_in_every_phase_is_no_failure() {
    goes_on_through_in_every_phase(&["restart", "dbus.service"]);
}

#[track_caller]
fn goes_on_through_in_every_phase(command: &[&str]) {
    let stage = Stage::group(four().instances(3));
    stage.change(
        TEMPLATE,
        "50-slow",
        "[Service]\nExecStop=/bin/sleep 1\nExecStartPre=/bin/sleep 1\n",
    );
    let before = stage.runs();
    let mut roll = stage.begin_roll(&["--observe", "1s", "--pause", "1s", "--stop-pause", "1s"]);
    let phases = [(1, "stopping"), (1, "stopped"), (2, "starting"), (2, "observing")];
    for (number, phase) in phases {
        roll.until(stage.unit(number), phase);
        stage.systemctl(command);
    }
    roll.until_pausing();
    stage.systemctl(command);
    roll.end().exits_with(0);
    stage.all_are_new_since(&before);
    stage.all_serve();
}

#[test]
fn where_there_is_no_bus_it_says_so() {
    let rolled = restart_at_bus("unix:path=/nonexistent/bus");
    assert_eq!(rolled.status.code(), Some(4), "{}", said(&rolled));
    assert!(said(&rolled).contains("no bus at unix:path=/nonexistent/bus"), "{}", said(&rolled));
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

// ---- the socket ----

#[test]
fn without_its_socket_nothing_is_touched() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    stage.systemctl(&["stop", "worker.socket"]);
    let rolled = stage.roll(&[]).exits_with(5).touched_nothing();
    rolled.says("worker.socket is not active").says("next: systemctl --user status worker.socket");
    assert_eq!(stage.runs(), before);
}

#[test]
fn when_the_socket_goes_between_two_instances_the_rest_is_left_alone() {
    let stage = Stage::group(four().instances(3));
    let before = stage.runs();
    let mut roll = stage.begin_roll(&["--pause", "1s"]);
    roll.until_pausing();
    stage.systemctl(&["stop", "worker.socket"]);
    roll.end().exits_with(1).says("worker.socket is not active");
    stage.are_new_since(&before, &[1]);
    stage.all_serve();
}

#[test]
fn when_the_socket_goes_under_an_instance_the_rest_is_left_alone() {
    let stage = Stage::group(four().instances(3));
    let before = stage.runs();
    let mut roll = stage.begin_roll(&["--observe", "1s"]);
    roll.until("worker@1.service", "observing");
    stage.systemctl(&["stop", "worker.socket"]);
    roll.end().exits_with(1).says("worker.socket is not active");
    stage.are_new_since(&before, &[1]);
    stage.all_serve();
}

// ---- what is there to roll ----

#[test]
fn nothing_matched_is_said_and_nothing_is_done() {
    let stage = Stage::group(four().instances(1));
    for pattern in ["nobody", "nobody@*", "nobody@7", "nobody.service"] {
        stage.restart(&[pattern]).exits_with(3).says("nothing matched nobody");
    }
}

#[test]
fn changed_units_are_not_rolled_before_systemd_has_read_them() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    stage.lab.drop_in(TEMPLATE, "50-unread", "[Unit]\nDescription=new\n").unwrap();
    let rolled = stage.roll(&[]).exits_with(5).touched_nothing();
    rolled.says("systemd has not read it").says("next: systemctl --user daemon-reload");
    assert_eq!(stage.runs(), before);
}

#[test]
fn a_masked_instance_is_listed_and_left_out() {
    let stage = Stage::group(four().instances(3));
    let before = stage.runs();
    stage.systemctl(&["mask", "worker@2"]);
    leaves_the_second_out(&stage, &before);
    stage.lab.reload().unwrap();
    leaves_the_second_out(&stage, &stage.runs());
}

#[track_caller]
fn leaves_the_second_out(stage: &Stage, before: &[String]) {
    let plan = stage.plan(&["worker"]);
    assert!(plan.contains("worker@2 is left out: masked"), "{plan}");
    let rolled = stage.roll(&[]).exits_with(0);
    assert_eq!(rolled.order(), ["worker@1.service", "worker@3.service"]);
    stage.are_new_since(before, &[1, 3]);
    stage.all_serve();
}

#[test]
fn an_enabled_one_that_is_stopped_comes_first_and_is_started() {
    let stage = Stage::group(four().instances(3));
    let before = stage.runs();
    stage.systemctl(&["stop", "worker@3"]);
    let rolled = stage.roll(&[]).exits_with(0);
    assert_eq!(rolled.order(), ["worker@3.service", "worker@1.service", "worker@2.service"]);
    stage.all_are_new_since(&before);
    stage.all_serve();
}

#[test]
fn the_floor_is_not_undercut() {
    let stage = Stage::group(four().instances(3));
    stage.systemctl(&["stop", "worker@3"]);
    let before = stage.runs();
    let rolled = stage.restart(&["worker@{1..2}"]).exits_with(5).touched_nothing();
    rolled.says("worker@3.service is not serving");
    assert_eq!(stage.runs(), before);
}

// ---- other people ----

#[test]
fn a_second_roll_of_the_same_group_is_refused_and_told_who_is_first() {
    let stage = Stage::group(four().instances(2));
    let mut first = stage.begin_roll(&["--pause", "2s"]);
    first.until_pausing();
    let second = stage.roll(&[]).exits_with(5).touched_nothing();
    second.says(&format!("worker is being rolled by another: process {}", first.pid()));
    first.end().exits_with(0);
}

#[test]
fn with_lock_wait_the_second_roll_follows_the_first() {
    let stage = Stage::group(four().instances(2));
    let mut first = stage.begin_roll(&["--pause", "1s"]);
    first.until_pausing();
    let second = stage.begin_roll(&["--lock-wait", "30s"]);
    first.end().exits_with(0);
    let before = stage.runs();
    second.end().exits_with(0);
    stage.all_are_new_since(&before);
}

#[test]
fn who_stops_the_instance_in_hand_ends_the_roll() {
    let stage = Stage::group(four().instances(3));
    let before = stage.runs();
    stage.change(TEMPLATE, "50-endless", ENDLESS_START);
    let mut roll = stage.begin_roll(&[]);
    roll.until("worker@1.service", "starting");
    stage.systemctl(&["stop", "worker@1"]);
    roll.end().exits_with(1).says("worker@1.service was taken over by others");
    assert_eq!(stage.runs()[1..], before[1..], "the others were touched");
}

#[test]
fn who_restarts_the_instance_under_observation_ends_the_roll() {
    let stage = Stage::group(four().instances(3));
    let before = stage.runs();
    let mut roll = stage.begin_roll(&["--observe", "5s"]);
    roll.until("worker@1.service", "observing");
    stage.systemctl(&["restart", "worker@1"]);
    roll.end().exits_with(1).says("worker@1.service was taken over by others");
    stage.are_new_since(&before, &[1]);
    stage.all_serve();
}
