//! From another terminal: a roll is paused, resumed and ended, whoever began it.

use std::time::{Duration, Instant};

use crate::support::{HealthServer, Stage, four, wait_until};

const TEMPLATE: &str = "worker@.service";
const FIRST: &str = "worker@1.service";
const SLOW_START: &str = "[Service]\nExecStartPre=/bin/sleep 1\n";

#[test]
fn paused_it_finishes_what_is_in_hand_and_begins_nothing_until_it_is_resumed() {
    let stage = Stage::group(four().instances(3));
    stage.change(TEMPLATE, "50-slow", SLOW_START);
    let before = stage.runs();
    let mut roll = stage.begin_roll(&["--observe", "100ms"]);
    roll.until(FIRST, "starting");
    let told = stage.prints("pause", &["worker"]);
    assert!(told.contains("worker: the roll is paused; worker@1 will be finished first"), "{told}");
    roll.until(FIRST, "serving");
    let status = stage.prints("status", &["worker"]);
    let by = format!("worker: roll 1 is paused by {}", whoami());
    assert!(status.contains(&by) && status.contains("next: rollctl resume"), "{status}");
    // Longer than the whole of it would take.
    std::thread::sleep(Duration::from_secs(2));
    stage.are_new_since(&before, &[1]);
    assert!(stage.prints("resume", &["worker"]).contains("worker: the roll goes on"));
    assert_eq!(roll.end().exits_with(0).order().len(), 3);
    stage.all_are_new_since(&before);
}

#[test]
fn the_pause_between_two_batches_stands_still_while_it_is_paused() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = stage.begin_restart(&["q", "--pause", "2s", "--observe", "0"]);
    roll.until_pausing();
    stage.prints("pause", &["q"]);
    std::thread::sleep(Duration::from_secs(3));
    let resumed = Instant::now();
    stage.prints("resume", &["q"]);
    roll.until("q@2.service", "stopping");
    let waited = resumed.elapsed();
    assert!(waited > Duration::from_millis(1000), "the pause went on in the meantime: {waited:?}");
    roll.end().exits_with(0);
}

#[test]
fn aborted_it_ends_as_with_ctrl_c() {
    let stage = Stage::group(four().instances(2));
    stage.change(TEMPLATE, "50-slow", SLOW_START);
    let before = stage.runs();
    let mut roll = stage.begin_roll(&[]);
    roll.until(FIRST, "starting");
    let told = stage.prints("abort", &["worker"]);
    assert!(told.contains("worker: the roll ends; worker@1 will be finished first"), "{told}");
    // Twice is not to let go.
    stage.prints("abort", &["worker"]);
    let rolled = roll.end().exits_with(130);
    assert_eq!(rolled.standing(FIRST), "serving");
    rolled.says("interrupted, not every instance is new");
    stage.are_new_since(&before, &[1]);
    stage.all_serve();
}

#[test]
fn aborted_while_paused_it_ends_at_once() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = stage.begin_restart(&["q", "--pause", "60s"]);
    roll.until_pausing();
    stage.prints("pause", &["q"]);
    stage.prints("abort", &["q"]);
    roll.end().exits_with(130).says("q@1 is new and serves; q@2 was left alone and serves");
}

#[test]
fn an_instance_that_is_in_hand_keeps_its_own_deadline() {
    let health = HealthServer::sick();
    let stage = Stage::group(four().instances(2));
    let mut roll = stage.begin_roll(&["--health", &health.url(), "--timeout", "2s"]);
    roll.until(FIRST, "probing");
    stage.prints("pause", &["worker"]);
    roll.end().exits_with(1).says("did not become healthy within 2s: ");
}

#[test]
fn a_roll_by_systemctl_reload_and_as_a_unit_is_spoken_to_all_the_same() {
    for how in [&["reload", "--no-block", "worker"][..], &["start", "--no-block", "roll@worker"]] {
        let stage = Stage::group(four().instances(3));
        stage.change(TEMPLATE, "50-slow", SLOW_START);
        let before = stage.runs();
        stage.systemctl(how);
        wait_until("worker@1 starts", || stage.state(FIRST) == "activating");
        stage.prints("pause", &["worker"]);
        wait_until("worker@1 serves", || {
            stage.prints("status", &["worker"]).contains("worker@1  serving")
        });
        let status = stage.prints("status", &["worker"]);
        assert!(status.contains("paused by") && status.contains("1 of 3"), "{how:?}: {status}");
        stage.prints("resume", &["worker"]);
        wait_until("it is done", || {
            stage.prints("status", &["worker"]).contains("is done: 3 of 3")
        });
        stage.all_are_new_since(&before);
    }
}

#[test]
fn systemd_and_its_bus_may_come_anew_while_it_is_paused() {
    let stage = Stage::queue(&["1", "2", "3"]);
    let before = stage.runs();
    let mut roll = stage.begin_restart(&["q", "--pause", "1s", "--observe", "0"]);
    roll.until_pausing();
    stage.prints("pause", &["q"]);
    for command in [&["daemon-reexec"][..], &["restart", "dbus.service"], &["daemon-reload"]] {
        stage.systemctl(command);
    }
    stage.are_new_since(&before, &[1]);
    stage.prints("resume", &["q"]);
    roll.end().exits_with(0);
    stage.all_are_new_since(&before);
}

#[test]
fn who_stops_an_instance_while_it_is_paused_is_noticed_when_it_goes_on() {
    let stage = Stage::queue(&["1", "2", "3"]);
    let mut roll = stage.begin_restart(&["q", "--pause", "1s", "--observe", "0"]);
    roll.until_pausing();
    stage.prints("pause", &["q"]);
    stage.systemctl(&["stop", "q@1", "q@3"]);
    let before = stage.runs();
    stage.prints("resume", &["q"]);
    // Two are down and one may be: the second is not taken.
    let rolled = roll.end().exits_with(1);
    assert_eq!(rolled.order(), ["q@1.service"]);
    stage.are_new_since(&before, &[]);
}

#[test]
fn nobody_is_paused_where_nobody_rolls() {
    let stage = Stage::queue(&["1", "2"]);
    stage.begin("status", &["q"]).end().exits_with(3);
    stage.restart(&["q", "--observe", "0"]).exits_with(0);
    for verb in ["pause", "abort"] {
        let output = stage.rollctl().args([verb, "--user", "q"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(said.contains("no roll of q is under way"), "{said}");
        assert!(said.contains("next: rollctl status --user q"), "{said}");
    }
}

fn whoami() -> String {
    let output = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
