//! Ctrl-C at any phase: the instance in hand is brought back, the rest is left alone.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rollctl::load::Style;
use rustix::process::Signal;

use crate::support::{HealthServer, Rolling, Stage, four, wait_until};

const TEMPLATE: &str = "worker@.service";
const FIRST: &str = "worker@1.service";
const SLOW_STOP: &str = "[Service]\nExecStop=/bin/sleep 1\n";
const SLOW_START: &str = "[Service]\nExecStartPre=/bin/sleep 1\n";

/// Two instances, of which the first is held in a phase by real means.
fn stage(drop_in: &str) -> Stage {
    let stage = Stage::group(four().instances(2));
    stage.change(TEMPLATE, "50-hold", drop_in);
    stage
}

// ---- once: the instance in hand is finished ----

#[test]
fn while_it_stops_it_is_brought_back() {
    finishes_what_is_in_hand(&stage(SLOW_STOP), &[], "stopping");
}

#[test]
fn in_its_stop_pause_it_is_started_at_once() {
    let stage = stage("");
    let began = Instant::now();
    finishes_what_is_in_hand(&stage, &["--stop-pause", "60s"], "stopped");
    assert!(began.elapsed().as_secs() < 30, "the pause was waited for");
}

#[test]
fn while_it_stops_for_a_stop_pause_it_is_brought_back() {
    finishes_what_is_in_hand(&stage(SLOW_STOP), &["--stop-pause", "60s"], "stopping");
}

#[test]
fn while_it_starts_it_is_finished() {
    finishes_what_is_in_hand(&stage(SLOW_START), &[], "starting");
}

#[test]
fn while_it_is_probed_it_is_finished() {
    let health = HealthServer::sick();
    let stage = stage("");
    let before = stage.runs();
    let mut roll = stage.begin_roll(&["--health", &health.url()]);
    roll.until(FIRST, "probing").interrupt().until_interrupted(1);
    health.is_well_now();
    ends_after_the_first(&stage, roll, &before);
}

#[test]
fn while_it_is_observed_it_is_finished() {
    finishes_what_is_in_hand(&stage(""), &["--observe", "1s"], "observing");
}

#[test]
fn between_two_batches_it_ends_at_once() {
    let stage = stage("");
    let before = stage.runs();
    let mut roll = stage.begin_roll(&["--pause", "60s"]);
    roll.until_pausing().interrupt();
    ends_after_the_first(&stage, roll, &before);
}

#[test]
fn sigterm_is_as_good_as_ctrl_c() {
    let stage = stage(SLOW_START);
    let before = stage.runs();
    let mut roll = stage.begin_roll(&[]);
    roll.until(FIRST, "starting").send(Signal::TERM);
    ends_after_the_first(&stage, roll, &before);
}

#[test]
fn after_the_last_instance_it_has_come_too_late() {
    let stage = stage("");
    let before = stage.runs();
    let mut roll = stage.begin_roll(&["--observe", "1s"]);
    roll.until("worker@2.service", "observing").interrupt();
    roll.end().exits_with(0);
    stage.all_are_new_since(&before);
}

#[test]
fn a_dropped_ssh_does_not_end_a_roll() {
    let stage = stage(SLOW_START);
    let before = stage.runs();
    let mut roll = stage.begin_roll(&[]);
    roll.until(FIRST, "starting").send(Signal::HUP);
    roll.end().exits_with(0);
    stage.all_are_new_since(&before);
    stage.all_serve();
}

#[test]
fn a_batch_of_two_is_finished_by_both() {
    let stage = Stage::group(four());
    stage.change(TEMPLATE, "50-hold", SLOW_START);
    let before = stage.runs();
    let mut roll = stage.begin_roll(&["--max-unavailable", "2"]);
    roll.until("worker@2.service", "starting").interrupt();
    roll.end().exits_with(130).says("worker@1 and worker@2 are new and serving");
    stage.are_new_since(&before, &[1, 2]);
    stage.all_serve();
}

#[test]
fn who_stops_the_unit_of_a_roll_interrupts_it() {
    let stage = stage(SLOW_START);
    let before = stage.runs();
    stage.systemctl(&["start", "--no-block", "roll@worker"]);
    wait_until("worker@1 starts", || stage.state(FIRST) == "activating");
    stage.systemctl(&["stop", "roll@worker"]);
    stage.are_new_since(&before, &[1]);
    stage.all_serve();
}

#[test]
fn requests_in_flight_are_answered() {
    let stage = stage("");
    let clients = stage.load(8, Style::slow(Duration::from_secs(1)));
    finishes_what_is_in_hand(&stage, &[], "stopping");
    clients.lose_nothing();
}

#[test]
fn the_clients_do_not_notice() {
    let stage = stage(SLOW_START);
    let clients = stage.mixed_load();
    finishes_what_is_in_hand(&stage, &[], "starting");
    clients.lose_nothing();
}

#[track_caller]
fn finishes_what_is_in_hand(stage: &Stage, arguments: &[&str], phase: &str) {
    let before = stage.runs();
    let mut roll = stage.begin_roll(arguments);
    roll.until(FIRST, phase).interrupt();
    ends_after_the_first(stage, roll, &before);
}

#[track_caller]
fn ends_after_the_first(stage: &Stage, roll: Rolling, before: &[String]) {
    let rolled = roll.end().exits_with(130);
    assert_eq!(rolled.order(), [FIRST]);
    assert_eq!(rolled.standing(FIRST), "serving");
    let rolled = rolled.says("interrupted, not every instance is new");
    rolled.says("worker@1 is new and serves; worker@2 was left alone and serves");
    stage.are_new_since(before, &[1]);
    stage.all_serve();
}

// ---- twice: it goes at once, and what was stopped comes up by itself ----

#[test]
fn twice_while_it_stops_it_comes_up_by_itself() {
    lets_go(&stage(SLOW_STOP), &[], "stopping");
}

#[test]
fn twice_while_it_stops_for_a_stop_pause_it_comes_up_by_itself() {
    lets_go(&stage(SLOW_STOP), &["--stop-pause", "60s"], "stopping");
}

#[test]
fn twice_in_its_stop_pause_it_comes_up_by_itself() {
    let stage = stage(SLOW_START);
    lets_go(&stage, &["--stop-pause", "60s"], "stopped");
}

#[test]
fn twice_while_it_starts_it_comes_up_by_itself() {
    lets_go(&stage(SLOW_START), &[], "starting");
}

#[test]
fn twice_while_it_is_probed_it_is_left_to_itself() {
    let health = HealthServer::sick();
    lets_go(&stage(""), &["--health", &health.url()], "probing");
}

#[test]
fn twice_while_it_is_observed_it_is_left_to_itself() {
    lets_go(&stage(""), &["--observe", "60s"], "observing");
}

#[test]
fn sigterm_after_ctrl_c_is_as_good_as_twice() {
    lets_go_at(Signal::TERM, &stage(""), &["--stop-pause", "60s"], "stopped");
}

#[track_caller]
fn lets_go(stage: &Stage, arguments: &[&str], phase: &str) {
    lets_go_at(Signal::INT, stage, arguments, phase);
}

#[track_caller]
fn lets_go_at(second: Signal, stage: &Stage, arguments: &[&str], phase: &str) {
    let before = stage.runs();
    let mut roll = stage.begin_roll(arguments);
    roll.until(FIRST, phase);
    if phase == "stopping" {
        // Before systemd begins, a start takes the place of the stop, and the old run goes on.
        wait_until("systemd stops it", || stage.state(FIRST) == "deactivating");
    }
    // The second signal would be one with the first if that was not yet heard.
    roll.interrupt().until_interrupted(1).send(second);
    let rolled = roll.end().exits_with(130).says("worker@1 is coming up");
    assert_eq!(rolled.standing(FIRST), "coming_up");
    wait_until("it is in a new run", || stage.run_of(1) != before[0]);
    stage.all_come_to_serve();
    stage.are_new_since(&before, &[1]);
}

// ---- killed: systemd has the whole job, and the lock dies with its owner ----

#[test]
fn killed_while_an_instance_stops_it_leaves_nobody_down_and_no_lock() {
    let stage = stage(SLOW_STOP);
    let before = stage.runs();
    let mut roll = stage.begin_roll(&[]);
    roll.until(FIRST, "stopping");
    wait_until("systemd stops it", || stage.state(FIRST) == "deactivating");
    roll.send(Signal::KILL);
    wait_until("it is in a new run", || stage.run_of(1) != before[0]);
    stage.all_come_to_serve();
    stage.are_new_since(&before, &[1]);
    stage.roll(&[]).exits_with(0);
}

#[test]
fn when_nobody_reads_what_it_tells_it_goes_on() {
    let stage = stage("");
    let before = stage.runs();
    let mut command = stage.rollctl();
    command.args(["restart", "--user", "--json", "worker"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    stage.all_are_new_since(&before);
}
