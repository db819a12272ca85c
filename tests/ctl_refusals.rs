//! What `rollctl` refuses before its first step: nothing is touched, and the error says what to do.
#![cfg(feature = "lab")]

mod ctl_support;

use ctl_support::{Stage, unit};

#[test]
fn nothing_matched() {
    let stage = Stage::with(&["1"]);
    for name in ["nope", "nope@*", "nope@1", "worker@x*", "nope.service"] {
        let ran = stage.rollctl(&["restart", name]).ends_with(3);
        ran.says(&["nothing matched", name, "next: rollctl list --user"]);
    }
}

#[test]
fn a_policy_that_leaves_nobody_serving() {
    let stage = Stage::with(&["1", "2"]);
    let before = stage.runs_of(&["1", "2"]);
    let ran = stage.rollctl(&["restart", "worker", "--max-unavailable", "2"]).ends_with(5);
    ran.says(&["nobody serving", "next: --max-unavailable 1"]);
    assert_eq!(stage.runs_of(&["1", "2"]), before);
}

#[test]
fn a_floor_that_is_reached_already() {
    let stage = Stage::with(&["1", "2", "3"]);
    stage.systemctl(&["stop", &unit("3")]);
    let before = stage.runs_of(&["1", "2"]);
    let ran = stage.rollctl(&["restart", "worker@1", "worker@2"]).ends_with(5);
    ran.says(&["was not touched", "worker@3.service is not serving"]);
    assert_eq!(stage.runs_of(&["1", "2"]), before);
}

#[test]
fn a_socket_that_is_down() {
    let stage = Stage::with(&["1", "2"]);
    let before = stage.runs_of(&["1", "2"]);
    stage.systemctl(&["stop", "worker.socket"]);
    let ran = stage.rollctl(&["restart", "worker"]).ends_with(5);
    ran.says(&["worker.socket is not active", "next: systemctl --user status worker.socket"]);
    assert_eq!(stage.runs_of(&["1", "2"]), before);
}

#[test]
fn a_unit_file_that_systemd_has_not_read() {
    let stage = Stage::with(&["1", "2"]);
    let before = stage.runs_of(&["1", "2"]);
    stage.lab.install("worker@.service", "[Service]\nExecStart=/bin/true\n").unwrap();
    let ran = stage.rollctl(&["restart", "worker"]).ends_with(5);
    ran.says(&["was changed on disk", "next: systemctl --user daemon-reload"]);
    assert_eq!(stage.runs_of(&["1", "2"]), before);
}

#[test]
fn a_unit_file_that_is_wrong() {
    let stage = Stage::with(&["1"]);
    stage.lab.install("bad.service", "[Service]\nType=simple\n").unwrap();
    stage.systemctl(&["daemon-reload"]);
    let ran = stage.rollctl(&["restart", "bad"]).ends_with(5);
    ran.says(&["bad.service cannot be loaded", "next: systemctl --user status bad.service"]);
}

#[test]
fn a_health_url_that_is_no_address_for_an_instance() {
    let stage = Stage::with(&["1", "two"]);
    let ran = stage.rollctl(&["restart", "worker", "--health", "http://127.0.0.1:80%i/"]);
    ran.ends_with(2).says(&["127.0.0.1:80two"]);
}

#[test]
fn a_second_roll_of_the_same_group() {
    let stage = Stage::with(&["1", "2"]);
    let mut first = stage.begin(&["worker", "--pause", "2s"]);
    first.until(&["pausing"]);
    let ran = stage.rollctl(&["restart", "worker@1"]).ends_with(5);
    ran.says(&["is being rolled by another: process", "--pause 2s", "--lock-wait"]);
    let waited = stage.rollctl(&["restart", "worker", "--lock-wait", "1min", "--json"]);
    assert_eq!(waited.ends_with(0).served().len(), 2);
    first.end().ends_with(0);
}

#[test]
fn no_bus() {
    let stage = Stage::with(&["1"]);
    let nowhere = format!("unix:path={}/nowhere", stage.dir());
    let mut command = stage.command(&["restart", "worker"]);
    let output = command.env("DBUS_SESSION_BUS_ADDRESS", nowhere).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(err.contains("no bus at unix:path=") && err.contains("next: "), "{err}");
}
