//! The guard of an instance that is down by our hand: there while it is needed, and no longer.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{SLEEPER, Stage, release, wait_until};

/// The guard's own margin, and a busy machine.
const GUARD_TIME: Duration = Duration::from_secs(2 + 2);

#[test]
fn it_is_there_in_the_stop_pause_and_gone_after_the_start() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = stage.begin_restart(&["q", "--stop-pause", "1s", "--observe", "0"]);
    roll.until("q@1.service", "stopped");
    wait_until("the quick one is armed", || {
        guards(&stage).contains("rollctl-guard-pause-q@1.timer")
    });
    roll.end().exits_with(0);
    wait_until("no guard is left", || guards(&stage).is_empty());
}

#[test]
fn killed_in_a_long_stop_pause_the_instance_is_back_in_time() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = stage.begin_restart(&["q", "--stop-pause", "2s"]);
    roll.until("q@1.service", "stopped");
    let down = Instant::now();
    wait_until("the quick one is armed", || {
        guards(&stage).contains("rollctl-guard-pause-q@1.timer")
    });
    roll.send(Signal::KILL);
    wait_until("it is back", || stage.state("q@1.service") == "active");
    let took = down.elapsed();
    assert!(took < Duration::from_secs(2) + GUARD_TIME, "{took:?}");
    assert!(took > Duration::from_secs(2), "it was started before its time: {took:?}");
    wait_until("no guard of its start is left", || !guards(&stage).contains("pause"));
}

#[test]
fn what_went_down_with_the_instance_is_back_with_it() {
    let stage = stage_with_one_beside();
    let mut roll = stage.begin_restart(&["q", "--stop-pause", "2s"]);
    roll.until("q@1.service", "stopped");
    assert_eq!(stage.state("beside.service"), "inactive");
    wait_until("the quick one is armed", || {
        guards(&stage).contains("rollctl-guard-pause-q@1.timer")
    });
    roll.send(Signal::KILL);
    wait_until("it is back", || stage.state("q@1.service") == "active");
    wait_until("so is what needs it", || stage.state("beside.service") == "active");
}

#[test]
fn what_went_down_with_the_instance_does_not_wait_until_that_serves() {
    let stage = stage_with_one_beside();
    let mut roll = stage.begin_restart(&["q", "--stop-pause", "100ms", "--observe", "60s"]);
    roll.until("q@1.service", "observing");
    assert_eq!(stage.state("beside.service"), "inactive");
    wait_until("what needs it is up", || stage.state("beside.service") == "active");
    roll.interrupt().until_interrupted(1).interrupt();
    assert_eq!(roll.end().exits_with(130).standing("q@1.service"), "coming_up");
}

#[test]
fn let_go_what_went_down_with_the_instance_is_back_too() {
    let stage = stage_with_one_beside();
    stage.change("q@.service", "50-slow", "[Service]\nExecStartPre=/bin/sleep 1\n");
    let mut roll = stage.begin_restart(&["q", "--stop-pause", "100ms"]);
    roll.until("q@1.service", "starting").interrupt().until_interrupted(1).interrupt();
    assert_eq!(roll.end().exits_with(130).standing("q@1.service"), "coming_up");
    wait_until("what needs it is up", || stage.state("beside.service") == "active");
}

/// A queue, and a unit that goes down with its first instance.
fn stage_with_one_beside() -> Stage {
    const NEEDS_IT: &str = "[Unit]\nRequires=q@1.service\nAfter=q@1.service\n";
    let beside = format!("{NEEDS_IT}{SLEEPER}");
    let units = [("q@.service", SLEEPER), ("beside.service", beside.as_str())];
    Stage::units(&units, &["q@1.service", "q@2.service", "beside.service"])
}

#[test]
fn killed_during_a_slow_stop_its_time_counts_from_when_the_instance_is_down() {
    let stage = Stage::queue(&["1", "2"]);
    stage.change("q@.service", "50-slow", "[Service]\nExecStop=/bin/sleep 3\n");
    let mut roll = stage.begin_restart(&["q", "--stop-pause", "500ms"]);
    roll.until("q@1.service", "stopping");
    let asked = Instant::now();
    let waits = || stage.lab.systemctl(["list-jobs", "--no-legend"]).unwrap();
    wait_until("the quick one waits", || waits().contains("rollctl-guard-pause-q@1.timer"));
    roll.send(Signal::KILL);
    wait_until("it is down", || stage.state("q@1.service") == "inactive");
    let (stopped, down) = (asked.elapsed(), Instant::now());
    assert!(stopped > Duration::from_millis(2500), "its stop was cut short: {stopped:?}");
    wait_until("it is back", || stage.state("q@1.service") == "active");
    assert!(down.elapsed() < Duration::from_millis(500) + GUARD_TIME, "{:?}", down.elapsed());
}

#[test]
fn one_that_is_stopped_for_good_is_not_started_by_it() {
    let stage = Stage::queue(&["1", "2"]);
    stage.change("q@.service", "50-bad", &release("/bin/false", "Type=oneshot"));
    let rolled = stage.restart(&["q", "--stop-pause", "100ms", "--timeout", "2s"]).exits_with(1);
    assert_eq!(rolled.standing("q@1.service"), "failed_stopped");
    assert_eq!(guards(&stage), "", "systemd would start it again");
}

#[test]
fn what_a_killed_roll_left_of_it_does_not_stand_in_the_way() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let mut roll = stage.begin_restart(&["q", "--stop-pause", "300ms", "--observe", "0"]);
    roll.until("q@1.service", "stopped").send(Signal::KILL);
    wait_until("it is back", || stage.state("q@1.service") == "active");
    assert!(guards(&stage).contains("rollctl-guard-stop-q@1.timer"), "{}", guards(&stage));
    stage.resume(&["q"]).exits_with(0);
    stage.all_are_new_since(&before);
    wait_until("no guard is left", || guards(&stage).is_empty());
}

#[test]
fn the_second_ctrl_c_starts_the_instance_and_needs_no_guard() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = stage.begin_restart(&["q", "--stop-pause", "60s"]);
    roll.until("q@1.service", "stopped");
    stage.change("q@.service", "50-slow", "[Service]\nType=oneshot\nExecStartPre=/bin/sleep 1\n");
    roll.interrupt().until_interrupted(1).interrupt();
    roll.end().exits_with(130);
    wait_until("no guard is left", || guards(&stage).is_empty());
}

#[test]
fn a_hard_name_is_guarded_too() {
    let unit = r"a\x2db@eu:1.service";
    let stage = Stage::units(&[(r"a\x2db@.service", SLEEPER)], &[unit, r"a\x2db@eu:2.service"]);
    let mut roll = stage.begin_restart(&[r"a\x2db", "--stop-pause", "300ms"]);
    roll.until(unit, "stopped").send(Signal::KILL);
    wait_until("it is back", || stage.state(unit) == "active");
}

fn guards(stage: &Stage) -> String {
    let list =
        ["list-units", "--all", "--plain", "--no-legend", "--state=active", "rollctl-guard-*"];
    stage.lab.systemctl(list).unwrap()
}
