//! A bad release: the roll stops at the first instance, says why, and the rest goes on serving.
#![cfg(feature = "lab")]

mod ctl_support;

use std::os::unix::fs::PermissionsExt;

use ctl_support::{Ran, Stage, answer, unit};

/// Rolls three instances of which the second starts like this.
fn second_is(mode: &str, arguments: &[&str]) -> (Stage, Ran) {
    let stage = Stage::with(&["1", "2", "3"]);
    stage.next_start_of("2", mode);
    let (first, third) = (stage.run_of("1"), stage.run_of("3"));
    let ran = stage.rollctl(&[&["restart", "worker"], arguments].concat()).ends_with(1);
    assert_ne!(stage.run_of("1"), first);
    assert_eq!(stage.run_of("3"), third);
    assert_eq!(stage.state_of("worker.socket"), "active");
    let ran = ran.says(&[
        "rollctl: worker@2.service ",
        "worker@1 is new and serves; worker@3 was left alone and serves; worker@2 was stopped",
        "next: journalctl --user -xeu worker@2.service",
    ]);
    (stage, ran)
}

/// Down, and not in the pause before systemd starts it again.
fn is_down(stage: &Stage, instance: &str) -> bool {
    ["failed", "inactive"].contains(&stage.state_of(&unit(instance)).as_str())
}

#[test]
fn one_that_exits_at_start() {
    let (stage, ran) = second_is("exit", &[]);
    ran.says(&["did not come back: its job failed"]);
    assert!(is_down(&stage, "2"));
}

#[test]
fn one_that_is_never_ready() {
    let (_stage, ran) = second_is("never-ready", &["--timeout", "2s"]);
    ran.says(&["after 2s"]);
}

#[test]
fn one_that_is_never_ready_and_hits_its_own_timeout() {
    let (stage, ran) = second_is("never-ready", &[]);
    ran.says(&["did not come back: its job"]);
    assert!(is_down(&stage, "2"));
}

#[test]
fn one_that_crashes_when_it_is_ready() {
    second_is("crash", &["--observe", "2s"]).1.says(&["worker@2.service"]);
}

#[test]
fn one_that_does_not_hold_the_socket() {
    let (_stage, ran) = second_is("deaf", &["--timeout", "2s"]);
    ran.says(&["did not become healthy", "does not hold the listening socket of worker.socket"]);
}

#[test]
fn one_that_is_sick() {
    health("503 Service Unavailable", "draining").says(&["answered 503 Service Unavailable"]);
}

#[test]
fn one_whose_neighbour_answers() {
    let other = "{\"invocation\":\"00000000000000000000000000000000\"}";
    health("200 OK", other).says(&["was answered by another run"]);
}

/// Rolls two instances of which the second answers this at its health socket.
fn health(status: &'static str, body: &'static str) -> Ran {
    let stage = Stage::with(&["1", "2"]);
    let dir = stage.dir();
    answer(&format!("{dir}/1.sock"), "200 OK", "fine");
    answer(&format!("{dir}/2.sock"), status, body);
    let url = format!("unix:{dir}/%i.sock:/healthz");
    let ran = stage.rollctl(&["restart", "worker", "--health", &url, "--timeout", "2s"]);
    ran.ends_with(1).says(&["worker@2.service did not become healthy within 2s"])
}

#[test]
fn one_that_hangs_at_stop_is_killed_by_systemd_and_the_roll_goes_on() {
    let stage = Stage::with(&["1", "2"]);
    stage.lab.drop_in("worker@.service", "stop", "[Service]\nTimeoutStopSec=1s\n").unwrap();
    stage.next_start_of("1", "hang");
    stage.systemctl(&["daemon-reload"]);
    stage.systemctl(&["restart", &unit("1")]);
    stage.next_start_of("1", "");
    let ran = stage.rollctl(&["restart", "worker", "--json"]).ends_with(0);
    assert_eq!(ran.served(), [unit("1"), unit("2")]);
}

#[test]
fn the_only_one_is_not_stopped_when_it_fails() {
    let stage = Stage::with(&["1"]);
    stage.next_starts("exit");
    stage.rollctl(&["restart", "worker"]).ends_with(1).says(&["worker@1 was left as it is"]);
    stage.next_starts("");
    stage.until("systemd brings it back", || stage.state_of(&unit("1")) == "active");
}

#[test]
fn the_next_group_is_not_begun() {
    let stage = Stage::with(&["1", "2"]);
    stage.lab.install("job@.service", "[Service]\nExecStart=/bin/sleep 1000\n").unwrap();
    stage.systemctl(&["daemon-reload"]);
    stage.systemctl(&["start", "job@1"]);
    let before = stage.lab.show("job@1.service", "InvocationID").unwrap();
    stage.next_starts("exit");
    let ran = stage.rollctl(&["restart", "worker", "job"]).ends_with(1);
    ran.says(&["worker@2 was left alone and serves", "job was not begun"]);
    assert_eq!(stage.lab.show("job@1.service", "InvocationID").unwrap(), before);
}

#[test]
fn the_last_lines_of_the_failed_run_are_shown() {
    let stage = Stage::with(&["1", "2"]);
    stage.next_start_of("1", "exit");
    // The lab has no journal: this stands in for its reader, and says which run it was asked for.
    let journalctl = stage.lab.dir().join("journalctl");
    std::fs::write(&journalctl, "#!/bin/sh\nprintf 'cannot \\033[31mbind\\n%s\\n' \"$5\"\n")
        .unwrap();
    std::fs::set_permissions(&journalctl, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", stage.dir(), std::env::var("PATH").unwrap());
    let output = stage.command(&["restart", "worker"]).env("PATH", path).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let run = stage.run_of("1");
    let words = format!("  | cannot [31mbind\n  | _SYSTEMD_INVOCATION_ID={run}\n  next: ");
    assert!(err.contains(&words), "{words}\n{err}");
}
