//! Rolls that nobody types: by the calendar, and by a deploy that touches a file.

use std::path::PathBuf;

use crate::support::{Stage, four, wait_until};

const TEMPLATE: &str = "worker@.service";
const SLOW_START: &str = "[Service]\nExecStartPre=/bin/sleep 1\n";

#[test]
fn a_touched_file_rolls_the_group() {
    let stage = stage();
    let before = stage.runs();
    touch(&stage, "now");
    wait_until("it is rolled", || rolls_done(&stage) == 1);
    stage.all_are_new_since(&before);
    stage.all_serve();
    assert!(!wanted(&stage, "now").exists(), "it would be rolled for ever");
    wait_until("the path waits", || {
        stage.lab.show("roll@worker.path", "SubState").unwrap() == "waiting"
    });
    assert_eq!(rolls_done(&stage), 1);
}

#[test]
fn many_touches_during_a_roll_make_one_more_roll() {
    let stage = stage();
    stage.change(TEMPLATE, "50-slow", SLOW_START);
    touch(&stage, "now");
    wait_until("it begins", || stage.state("worker@1.service") == "activating");
    for deploy in 0..10 {
        touch(&stage, ["now", "other"][deploy % 2]);
    }
    wait_until("it is rolled twice", || rolls_done(&stage) == 2);
    // A third one would begin at once.
    let is_idle = |unit: &str| stage.state(unit) != "activating";
    wait_until("all is quiet", || is_idle("roll@worker.service"));
    wait_until("the path waits", || {
        stage.lab.show("roll@worker.path", "SubState").unwrap() == "waiting"
    });
    assert_eq!(rolls_done(&stage), 2);
    assert_eq!(history(&stage).len(), 2);
}

#[test]
fn what_a_deploy_asks_for_during_a_roll_by_hand_is_not_forgotten() {
    let stage = stage();
    let mut roll = stage.begin_roll(&["--pause", "60s"]);
    roll.until_pausing();
    touch(&stage, "now");
    wait_until("it waits for the lock", || stage.state("roll@worker.service") == "activating");
    stage.prints("abort", &["worker"]);
    roll.end().exits_with(130);
    wait_until("it is rolled", || rolls_done(&stage) == 1);
}

#[test]
fn the_calendar_rolls_the_group_and_an_administrator_changes_it() {
    let stage = Stage::group(four().instances(2));
    let at = |what| stage.lab.show("roll@worker.timer", what).unwrap();
    assert!(
        at("TimersCalendar").contains("OnCalendar=Mon *-*-* 00:00:00"),
        "{}",
        at("TimersCalendar")
    );
    assert_eq!((at("RandomizedDelayUSec").as_str(), at("Persistent").as_str()), ("6h", "yes"));
    assert_eq!(at("Unit"), "roll@worker.service");
    let soon = "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nRandomizedDelaySec=0\nAccuracySec=10ms\n";
    stage.change("roll@worker.timer", "50-soon", soon);
    let before = stage.runs();
    stage.systemctl(&["start", "roll@worker.timer"]);
    wait_until("it is rolled", || rolls_done(&stage) >= 1);
    stage.systemctl(&["stop", "roll@worker.timer"]);
    // It may have begun another one.
    wait_until("no roll is under way", || stage.state("roll@worker.service") != "activating");
    stage.all_are_new_since(&before);
}

/// A group whose path is watched.
fn stage() -> Stage {
    let stage = Stage::group(four().instances(2));
    stage.systemctl(&["start", "roll@worker.path"]);
    stage
}

fn wanted(stage: &Stage, name: &str) -> PathBuf {
    stage.lab.run_dir().join("rollctl/wanted/worker").join(name)
}

fn touch(stage: &Stage, name: &str) {
    std::fs::write(wanted(stage, name), "").unwrap();
}

fn rolls_done(stage: &Stage) -> usize {
    history(stage).iter().filter(|roll| roll.contains("\"fate\":\"done\"")).count()
}

fn history(stage: &Stage) -> Vec<String> {
    let output = stage.rollctl().args(["history", "--user", "--json"]).output().unwrap();
    let rolls = String::from_utf8(output.stdout).unwrap();
    rolls.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect()
}
