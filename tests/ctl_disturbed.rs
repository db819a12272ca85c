//! A roll goes on, or ends well, whatever happens to the manager, the bus, or rollctl itself.
#![cfg(feature = "lab")]

mod ctl_support;

use ctl_support::{Rolling, Stage, unit};

const ALL: [&str; 3] = ["1", "2", "3"];

/// A group whose instances take two seconds to drain, and a roll that is draining the second.
fn draining_the_second(arguments: &[&str]) -> (Stage, Rolling) {
    let stage = Stage::with(&ALL);
    stage.next_start_of("2", "drain");
    stage.systemctl(&["restart", &unit("2")]);
    let arguments = match arguments {
        [] => vec!["worker", "--observe", "0"],
        arguments => arguments.to_vec(),
    };
    let mut rolling = stage.begin(&arguments);
    rolling.until(&["\"stopping\"", &unit("2")]);
    (stage, rolling)
}

#[test]
fn the_manager_executes_itself_anew() {
    let (stage, rolling) = draining_the_second(&[]);
    stage.systemctl(&["daemon-reexec"]);
    assert_eq!(rolling.end().ends_with(0).served(), ALL.map(unit));
}

#[test]
fn the_manager_reads_its_units_again() {
    let (stage, rolling) = draining_the_second(&[]);
    stage.systemctl(&["daemon-reload"]);
    assert_eq!(rolling.end().ends_with(0).served(), ALL.map(unit));
}

#[test]
fn the_bus_restarts() {
    let (stage, rolling) = draining_the_second(&[]);
    stage.systemctl(&["restart", "dbus.service"]);
    assert_eq!(rolling.end().ends_with(0).served(), ALL.map(unit));
}

#[test]
fn an_interrupt_finishes_the_instance_in_hand() {
    let (stage, rolling) = draining_the_second(&[]);
    let third = stage.run_of("3");
    rolling.send("-INT");
    let ran = rolling.end().ends_with(130);
    assert_eq!(ran.served(), [unit("1"), unit("2")]);
    ran.says(&["interrupted", "worker@1 and worker@2 are new", "worker@3 was left alone"]);
    assert_eq!(stage.run_of("3"), third);
}

#[test]
fn a_second_interrupt_lets_go_and_nobody_stays_down() {
    let (stage, mut rolling) = draining_the_second(&["worker@2", "--stop-pause", "10min"]);
    rolling.send("-INT");
    rolling.until(&["interrupted"]);
    rolling.send("-TERM");
    rolling.end().ends_with(130);
    stage.until("the second is back", || stage.state_of(&unit("2")) == "active");
}

#[test]
fn a_dropped_terminal_does_not_end_a_roll() {
    let (_stage, rolling) = draining_the_second(&[]);
    rolling.send("-HUP");
    assert_eq!(rolling.end().ends_with(0).served(), ALL.map(unit));
}

#[test]
fn rollctl_is_killed_and_systemd_finishes_the_job() {
    let (stage, rolling) = draining_the_second(&[]);
    let second = stage.run_of("2");
    rolling.send("-KILL");
    assert_eq!(rolling.end().code, None);
    stage.until("the second is back", || {
        stage.state_of(&unit("2")) == "active" && stage.run_of("2") != second
    });
    stage.rollctl(&["restart", "worker"]).ends_with(0);
}
