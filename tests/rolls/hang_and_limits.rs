//! An instance that will not stop, and systemd's start limits, do not keep a roll from its end.

use crate::support::{Stage, four, release, wait_until};

const TEMPLATE: &str = "worker@.service";
const DEFAULT_LIMITS: &str = "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=5\n";

#[test]
fn one_that_ignores_sigterm_is_killed_and_the_roll_goes_on() {
    let deaf = "/usr/bin/env --ignore-signal=TERM sleep 1000";
    let stage = Stage::group(
        four()
            .drop_in("worker@2.service", "[Service]\nTimeoutStopSec=1\nType=exec\n")
            .drop_in("worker@2.service", &release(deaf, "")),
    );
    stage.change("worker@2.service", "50-release", &release(&stage.worker(), ""));
    stage.change("worker@2.service", "60-type", "[Service]\nType=notify\n");
    let before = stage.runs();
    let clients = stage.mixed_load();
    let rolled = stage.roll(&[]).exits_with(0);
    clients.lose_nothing();
    let stopping = rolled.entered("worker@2.service", "stopping");
    let up_again = rolled.entered("worker@2.service", "probing");
    assert!(up_again - stopping >= 1.0, "it was not given its time:\n{}", rolled.story());
    stage.all_are_new_since(&before);
    stage.all_serve();
}

#[test]
fn its_stop_and_its_start_have_as_much_time_each() {
    let stage = Stage::queue(&["1"]);
    let slow = "[Service]\nExecStartPre=/bin/sleep 4\nExecStop=/bin/sleep 4\n";
    stage.change("q@.service", "50-slow", slow);
    let limits = ["q@1", "--timeout", "7s", "--observe", "0"];
    stage.restart(&limits).exits_with(0);
    stage.restart(&[&limits[..], &["--stop-pause", "10ms"]].concat()).exits_with(0);
}

#[test]
fn the_shipped_units_never_lose_their_socket_to_a_crash_loop() {
    let stage = Stage::four();
    stage.change(TEMPLATE, "50-release", &release("/bin/false", "RestartSec=10ms"));
    stage.lab.systemctl(["restart", "worker@1"]).unwrap_err();
    wait_until("it has crashed 20 times", || restarts(&stage, "worker@1.service") >= 20);
    assert_eq!(stage.state("worker.socket"), "active");
}

/// What the shipped units guard against; should systemd ever change, they need not.
#[test]
fn at_default_limits_a_crash_loop_takes_the_socket_with_it() {
    let stage = Stage::group(four().drop_in(TEMPLATE, DEFAULT_LIMITS));
    stage.change(TEMPLATE, "50-release", &release("/bin/false", "RestartSec=10ms"));
    stage.lab.systemctl(["restart", "worker@1"]).unwrap_err();
    wait_until("the socket has failed", || stage.state("worker.socket") == "failed");
}

#[test]
fn a_roll_stops_a_crash_loop_before_it_takes_the_socket() {
    let stage = Stage::group(four().drop_in(TEMPLATE, DEFAULT_LIMITS));
    stage.change(TEMPLATE, "50-release", &release("/bin/false", ""));
    stage.roll(&[]).exits_with(1);
    assert_eq!(stage.state("worker.socket"), "active");
    stage.change_back(TEMPLATE, "50-release");
    stage.roll(&[]).exits_with(0);
    stage.all_serve();
}

#[test]
fn a_release_that_mends_a_crash_loop_finds_its_way_in() {
    let stage = Stage::group(four().instances(2));
    // Each start takes a while, so that there is nearly always a job of systemd's under way.
    let slow_crash = release("/bin/sh -c 'sleep 1; exit 3'", "RestartSec=10ms");
    stage.change(TEMPLATE, "50-release", &slow_crash);
    for unit in ["worker@1.service", "worker@2.service"] {
        stage.lab.systemctl(["restart", "--no-block", unit]).unwrap();
    }
    wait_until("both have crashed", || {
        ["worker@1.service", "worker@2.service"].iter().all(|unit| restarts(&stage, unit) >= 1)
    });
    stage.change_back(TEMPLATE, "50-release");
    stage.roll(&[]).exits_with(0);
    stage.all_serve();
}

#[test]
fn eight_rolls_in_a_row_reach_no_start_limit() {
    let stage = Stage::group(four().instances(2).drop_in(TEMPLATE, DEFAULT_LIMITS));
    for _ in 0..8 {
        let before = stage.runs();
        stage.roll(&["--observe", "0"]).exits_with(0);
        stage.all_are_new_since(&before);
    }
    assert_eq!(stage.state("worker.socket"), "active");
}

#[test]
fn plan_warns_of_start_limits_and_only_then() {
    const WARNING: &str = "at the start limit of one instance systemd fails worker.socket for all";
    let stage = Stage::group(four().instances(2));
    assert!(!stage.plan(&["worker"]).contains(WARNING), "{}", stage.plan(&["worker"]));
    stage.change(TEMPLATE, "50-limits", DEFAULT_LIMITS);
    let plan = stage.plan(&["worker"]);
    assert!(plan.contains(&format!("worker@1 and worker@2: {WARNING}")), "{plan}");
}

fn restarts(stage: &Stage, unit: &str) -> u32 {
    stage.lab.show(unit, "NRestarts").unwrap().parse().unwrap()
}
