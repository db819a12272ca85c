//! What goes wrong around a roll: systemd itself, its bus, the socket, and other people.

use crate::support::{Stage, four, wait_until};

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

#[test]
fn a_reload_in_every_phase_is_no_failure() {
    goes_on_through_in_every_phase(&["daemon-reload"]);
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

// ---- the socket ----

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

// ---- other people ----

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

#[test]
fn who_is_at_the_next_instance_when_its_turn_comes_ends_the_roll() {
    let slow = "[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/sleep 3\n";
    let stage = Stage::units(&[("q@.service", slow)], &["q@1.service", "q@2.service"]);
    let before = stage.runs();
    let mut roll = stage.begin_restart(&["q", "--observe", "10ms", "--pause", "500ms"]);
    roll.until_pausing();
    stage.systemctl(&["restart", "--no-block", "q@2"]);
    let rolled = roll.end().exits_with(1);
    rolled.says("q@2.service was taken over by others: another job is under way");
    wait_until("their restart is done", || stage.run_of(2) != before[1]);
    assert_eq!(stage.state("q@2.service"), "active");
}
