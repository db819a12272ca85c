//! A bad release stops the roll at its first instance; the others go on serving.

use crate::support::{HealthServer, Rolled, Stage, four, release};

const TEMPLATE: &str = "worker@.service";

#[test]
fn one_that_exits_at_start_is_as_far_as_it_gets() {
    let rolled = stops_at_the_first_of(&release("/bin/false", ""), &[]);
    rolled.says("worker@1.service did not come back: its job failed");
}

#[test]
fn one_that_is_never_ready_is_as_far_as_it_gets() {
    let silent = release("/bin/sleep 1000", "TimeoutStartSec=2");
    let rolled = stops_at_the_first_of(&silent, &[]);
    rolled.says("worker@1.service did not come back: its job");
}

#[test]
fn one_that_is_never_ready_is_not_waited_for_longer_than_we_were_told() {
    let silent = release("/bin/sleep 1000", "TimeoutStartSec=infinity");
    let rolled = stops_at_the_first_of(&silent, &["--timeout", "2s"]);
    rolled.says("worker@1.service was still starting after 2s");
}

#[test]
fn one_that_crashes_after_ready_is_as_far_as_it_gets() {
    let crash = "/bin/sh -c 'systemd-notify --ready; sleep 0.1; exit 3'";
    let crashing = release(crash, "NotifyAccess=all\nRestartSec=100ms");
    // It says READY, so that only the health gate or the observation can see it.
    let rolled = stops_at_the_first_of(&crashing, &["--health", "none", "--observe", "1s"]);
    rolled.says("worker@1.service came up and ended again");
}

#[test]
fn one_that_is_ready_and_unhealthy_is_as_far_as_it_gets() {
    let mute = "/bin/sh -c 'systemd-notify --ready; exec sleep 1000'";
    let rolled = stops_at_the_first_of(&release(mute, "NotifyAccess=all"), &["--timeout", "2s"]);
    rolled.says("worker@1.service did not become healthy within 2s");
}

#[test]
fn one_that_sickens_under_observation_is_as_far_as_it_gets() {
    let health = HealthServer::well();
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let arguments = ["--health", &health.url(), "--observe", "1s", "--timeout", "2s"];
    let mut roll = stage.begin_roll(&arguments);
    roll.until("worker@1.service", "observing");
    health.is_sick_now();
    roll.end().exits_with(1).says("answered 503").says("worker@2 was left alone and serves");
    assert_eq!(stage.runs()[1..], before[1..], "the other was touched");
}

#[test]
fn one_without_the_socket_is_as_far_as_it_gets() {
    let deaf = "/bin/sh -c 'exec 3<&-; systemd-notify --ready; exec sleep 1000'";
    let gates = ["--timeout", "2s", "--health", "none"];
    let rolled = stops_at_the_first_of(&release(deaf, "NotifyAccess=all"), &gates);
    rolled.says(
        "did not become healthy within 2s: it does not hold the listening socket of worker.socket",
    );
}

/// The roll of this release ends at worker@1, and worker@2 to 4 do not notice.
#[track_caller]
fn stops_at_the_first_of(release: &str, arguments: &[&str]) -> Rolled {
    let stage = Stage::four();
    let before = stage.runs();
    let clients = stage.mixed_load();
    stage.change(TEMPLATE, "50-release", release);
    let rolled = stage.roll(arguments).exits_with(1);
    assert_eq!(rolled.order(), ["worker@1.service"]);
    assert_eq!(rolled.standing("worker@1.service"), "failed_stopped");
    clients.lose_nothing();
    stays_stopped(&stage, "worker@1.service");
    assert_eq!(stage.runs()[1..], before[1..], "the others were touched");
    (2..=4).for_each(|n| assert!(stage.is_serving(stage.unit(n)), "worker@{n} does not serve"));
    assert_eq!(stage.state("worker.socket"), "active");
    rolled
        .says("worker@2, worker@3 and worker@4 were left alone and serve; worker@1 was stopped")
        .says("next: journalctl --user -xeu worker@1.service")
}

/// systemd has nothing left to do for it: no job, and no automatic restart to come.
#[track_caller]
fn stays_stopped(stage: &Stage, unit: &str) {
    let state = stage.state(unit);
    assert!(state == "failed" || state == "inactive", "{unit} is {state}");
    assert_eq!(stage.lab.show(unit, "Job").unwrap(), "", "{unit} has a job");
    assert_eq!(stage.lab.show(unit, "MainPID").unwrap(), "0", "{unit} runs");
}

#[test]
fn in_the_middle_it_stops_there_and_the_fix_begins_there() {
    let stage = Stage::four();
    let before = stage.runs();
    let clients = stage.mixed_load();
    stage.change("worker@3.service", "50-release", &release("/bin/false", ""));
    let rolled = stage.roll(&[]).exits_with(1);
    assert_eq!(rolled.order(), ["worker@1.service", "worker@2.service", "worker@3.service"]);
    rolled
        .says("worker@3.service did not come back")
        .says("worker@1 and worker@2 are new and serving; worker@4 was left alone and serves");
    assert_eq!(stage.run_of(4), before[3]);

    let halfway = stage.runs();
    stage.change_back("worker@3.service", "50-release");
    let fixed = stage.roll(&[]).exits_with(0);
    assert_eq!(fixed.order()[0], "worker@3.service", "the failed one was not the first");
    assert_eq!(fixed.order().len(), 4);
    clients.lose_nothing();
    stage.all_are_new_since(&halfway);
    stage.all_serve();
}

#[test]
fn systemctl_reload_fails_with_the_roll_and_the_group_stays_up() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    stage.change(TEMPLATE, "50-release", &release("/bin/false", ""));
    stage.lab.systemctl(["reload", "worker"]).unwrap_err();
    assert_eq!(stage.state("worker.service"), "active");
    assert_eq!(stage.runs()[1..], before[1..], "the other was touched");
    assert!(stage.is_serving("worker@2.service"));
}

#[test]
fn the_last_one_that_serves_is_not_stopped() {
    let stage = Stage::group(four().instances(1));
    stage.change(TEMPLATE, "50-release", &release("/bin/false", "RestartSec=10ms"));
    let rolled = stage.roll(&[]).exits_with(1);
    assert_eq!(rolled.standing("worker@1.service"), "failed_left");
    rolled.says("worker@1 was left as it is");
    // Nobody else could serve, so systemd goes on trying, and the fix needs no roll.
    stage.change_back(TEMPLATE, "50-release");
    stage.all_come_to_serve();
}
