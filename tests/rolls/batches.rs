//! Batches that grow, canary first; and what follows when one of them fails.

use crate::support::{SLEEPER, Stage, release, wait_until};

const QUICK: [&str; 3] = ["q", "--observe", "20ms"];

fn queue_of(count: usize) -> Stage {
    let names: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    Stage::queue(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn sizes(rolled: &crate::support::Rolled) -> Vec<usize> {
    rolled.batches().iter().map(Vec::len).collect()
}

#[test]
fn batches_grow_from_a_canary_and_plan_shows_who_is_in_which() {
    let stage = queue_of(8);
    let before = stage.runs();
    let batches = ["--batches", "1,25%,100%", "--pause", "50ms"];
    let plan = stage.plan(&[&QUICK[..], &batches].concat());
    assert!(plan.contains("8 instances in 3 batches, at least 3 of 8 serving"), "{plan}");
    let batch_of = |unit: &str| {
        let row = plan.lines().find(|line| line.contains(&format!(" {unit} "))).unwrap();
        row.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!([batch_of("q@1"), batch_of("q@3"), batch_of("q@4")], ["1", "2", "3"]);
    let rolled = stage.restart(&[&QUICK[..], &batches].concat()).exits_with(0);
    assert_eq!(sizes(&rolled), [1, 2, 5]);
    let pauses = rolled.events.iter().filter(|event| event["event"] == "pausing").count();
    assert_eq!(pauses, 2, "{}", rolled.story());
    stage.all_are_new_since(&before);
}

#[test]
fn a_batch_beyond_max_unavailable_is_taken_in_parts_without_a_pause() {
    let stage = queue_of(5);
    let limits = ["--batches", "1,100%", "--max-unavailable", "2", "--pause", "50ms"];
    let rolled = stage.restart(&[&QUICK[..], &limits].concat()).exits_with(0);
    assert_eq!(sizes(&rolled), [1, 2, 2]);
    let pauses = rolled.events.iter().filter(|event| event["event"] == "pausing").count();
    assert_eq!(pauses, 1, "{}", rolled.story());
}

#[test]
fn a_batch_that_would_leave_nobody_serving_is_refused() {
    let stage = queue_of(3);
    let before = stage.runs();
    let rolled = stage.restart(&["q", "--batches", "100%"]).exits_with(5).touched_nothing();
    rolled.says("would leave nobody serving");
    assert_eq!(stage.runs(), before);
}

#[test]
fn a_canary_that_fails_keeps_the_rest_from_harm() {
    let stage = queue_of(6);
    let before = stage.runs();
    stage.change("q@.service", "50-release", &release("/bin/false", ""));
    let rolled = stage.restart(&["q", "--batches", "1,100%"]).exits_with(1);
    assert_eq!(sizes(&rolled), [1]);
    assert_eq!(stage.runs()[1..], before[1..]);
}

// ---- more at once than are heard of at every moment ----

/// So many, and all but three of them in the first batch.
const MANY: usize = 20;
const ALL_BUT_THREE: [&str; 3] = ["q", "--batches", "17,100%"];

fn many_that_crash_and_come_back() -> Stage {
    let unit = format!("{SLEEPER}Restart=always\nRestartSec=50ms\n");
    let names: Vec<String> = (1..=MANY).map(|number| format!("q@{number}.service")).collect();
    Stage::units(&[("q@.service", &unit)], &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Until systemd has started it anew.
fn crash(stage: &Stage, number: usize) {
    let before = stage.run_of(number);
    stage.systemctl(&["kill", "-s", "KILL", stage.unit(number)]);
    let is_up = || stage.state(stage.unit(number)) == "active";
    wait_until("it is up again", || stage.run_of(number) != before && is_up());
}

#[test]
fn one_of_many_that_crashes_while_it_is_observed_fails() {
    let stage = many_that_crash_and_come_back();
    let before = stage.runs();
    let mut roll = stage.begin_restart(&[&ALL_BUT_THREE[..], &["--observe", "5s"]].concat());
    roll.until("q@3.service", "observing");
    stage.systemctl(&["kill", "-s", "KILL", "q@3"]);
    let rolled = roll.end().exits_with(1).says("q@3.service");
    let (failed, served) = ("q@3.service", "q@1.service");
    assert!(rolled.entered(failed, "failed") < rolled.entered(served, "serving"));
    assert_eq!(stage.runs()[17..], before[17..]);
}

#[test]
fn one_of_many_that_crashes_after_its_turn_is_found_before_the_next_batch() {
    let stage = many_that_crash_and_come_back();
    let before = stage.runs();
    let mut roll = stage.begin_restart(&[&ALL_BUT_THREE[..], &["--observe", "1s"]].concat());
    roll.until("q@1.service", "observing");
    stage.prints("pause", &["q"]);
    roll.until("q@17.service", "serving");
    crash(&stage, 3);
    stage.prints("resume", &["q"]);
    roll.end().exits_with(1).says("q@3.service");
    assert_eq!(stage.runs()[17..], before[17..]);
}

/// A bus takes a limited number of questions at a time.
#[test]
fn a_batch_may_have_more_than_the_bus_takes_at_once() {
    let stage = queue_of(140);
    let everything = ["q", "--batches", "1,100%", "--max-unavailable", "139", "--observe", "0"];
    let rolled = stage.restart(&everything).exits_with(0);
    assert_eq!(sizes(&rolled), [1, 139]);
    let told = format!("{:?}", rolled.events);
    assert!(!told.contains("lost"), "{told}");
}

// ---- OnFailure=continue ----

/// Those whose name is in `bad` end at once.
fn some_are_bad(count: usize, bad: &str) -> Stage {
    let stage = queue_of(count);
    let command = format!("/bin/sh -c 'case %i in {bad}) exit 1;; esac; exec sleep 1000'");
    stage.change("q@.service", "50-release", &release(&command, ""));
    stage
}

#[test]
fn with_continue_the_others_have_their_turn_while_the_group_can_bear_it() {
    let stage = some_are_bad(4, "2");
    let arguments =
        ["q", "--observe", "300ms", "--max-unavailable", "2", "--on-failure", "continue"];
    let rolled = stage.restart(&arguments).exits_with(1);
    // One of two that may be down has failed, and is down: from there it goes one at a time.
    assert_eq!(sizes(&rolled), [2, 1, 1]);
    rolled.says("q@2.service came up and ended again").says("q@1, q@3 and q@4 are new and serving");
}

#[test]
fn with_continue_the_floor_still_holds() {
    let stage = some_are_bad(4, "1");
    let before = stage.runs();
    let arguments = ["q", "--observe", "300ms", "--on-failure", "continue"];
    let rolled = stage.restart(&arguments).exits_with(1);
    assert_eq!(sizes(&rolled), [1]);
    assert!(rolled.story().contains("no more is taken: q@1.service is not serving"));
    assert_eq!(stage.runs()[1..], before[1..]);
}

#[test]
fn with_continue_who_meddles_ends_the_roll_all_the_same() {
    let slow = format!("{SLEEPER}ExecStop=/bin/sleep 1\n");
    let stage =
        Stage::units(&[("q@.service", &slow)], &["q@1.service", "q@2.service", "q@3.service"]);
    let before = stage.runs();
    let mut roll = stage.begin_restart(&["q", "--observe", "5s", "--on-failure", "continue"]);
    roll.until("q@1.service", "observing");
    stage.systemctl(&["restart", "q@1"]);
    roll.end().exits_with(1).says("q@1.service was taken over by others");
    assert_eq!(stage.runs()[1..], before[1..]);
}
