//! What a roll says when it did not end well: what failed and how, and what else went down.

use serde_json::Value;

use crate::support::{MemoryLimit, SLEEPER, Stage, four, release, wait_until};

const NEEDS: &str = "[Unit]\nRequires=q@1.service\nAfter=q@1.service\n[Service]\n\
    ExecStart=/bin/sleep 1000\n";
const PART: &str = "[Unit]\nPartOf=q@1.service\n[Service]\nExecStart=/bin/sleep 1000\n";

#[test]
fn how_its_process_ended_and_what_is_usual() {
    let stage = Stage::group(four().instances(2));
    stage.roll(&["--observe", "0"]).exits_with(0);
    let fails = release("/bin/sh -c 'sleep 0.5; exit 7'", "");
    stage.change("worker@.service", "50-release", &fails);
    let rolled = stage.roll(&[]).exits_with(1);
    let explained = explained(&rolled.events);
    let failure = &explained["failures"][0];
    assert_eq!(failure["instance"], "worker@1.service");
    assert_eq!(failure["exit"], "its process exited with status 7");
    assert!(failure["took"].as_f64() > failure["usual"]["span"].as_f64(), "{failure}");
    assert_eq!(failure["usual"]["of"], 2);
    assert_eq!(explained["next"], "journalctl --user -xeu worker@1.service");
    let rolled = rolled.says("worker@1: its process exited with status 7; it failed after ");
    rolled.says("; a turn that goes well takes ").says("(of 2 turns)");
    // And so does status, later and elsewhere.
    let status = stage.prints("status", &["worker"]);
    assert!(status.contains("worker@1: its process exited with status 7;"), "{status}");
}

#[test]
fn a_killed_process_is_told_by_its_signal() {
    let stage = Stage::queue(&["1", "2"]);
    stage.change("q@.service", "50-killed", &release("/bin/sh -c 'sleep 0.2; kill -9 $$$$'", ""));
    let rolled = stage.restart(&["q", "--observe", "5s"]).exits_with(1);
    rolled.says("q@1: its process was killed by signal 9").says("q@2 was left alone and serves");
}

/// A buffer of 256 MiB, filled: no more than that, should there be no limit after all.
const GREEDY: &str = "exec dd if=/dev/zero of=/dev/null bs=256M count=1";

#[test]
fn one_that_the_kernel_kills_for_its_memory_ends_the_roll() {
    let stage = Stage::queue(&["1", "2", "3"]);
    let before = stage.runs();
    let limit = MemoryLimit::new();
    let enter = limit.as_ref().map(MemoryLimit::enter).unwrap_or_default();
    let greedy = release(
        &format!("/bin/sh -c '{enter}systemd-notify --ready; sleep 0.2; {GREEDY}'"),
        "Type=notify\nNotifyAccess=all\nMemoryMax=32M\nMemorySwapMax=0",
    );
    stage.change("q@.service", "50-greedy", &greedy);
    let rolled = stage.restart(&["q", "--observe", "10s"]).exits_with(1);
    rolled
        .says("q@1: its process was killed by signal 9")
        .says("q@2 and q@3 were left alone and serve");
    assert_eq!(stage.runs()[1..], before[1..], "the others were touched");
    if let Some(limit) = limit {
        assert_ne!(limit.kills(), 0, "it was not the kernel");
    }
}

#[test]
fn what_a_stop_took_down_is_brought_back_by_the_start() {
    let stage = stage(&["needs.service", "part.service"]);
    let rolled = stage.restart(&["q", "--stop-pause", "200ms", "--observe", "0"]).exits_with(0);
    let told = event(&rolled.events, "dependents");
    assert_eq!(told["instance"], "q@1.service");
    let mut up: Vec<&str> =
        told["up"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    up.sort_unstable();
    assert_eq!(up, ["needs.service", "part.service"]);
    for unit in ["needs.service", "part.service"] {
        assert_eq!(stage.state(unit), "active", "{unit}");
    }
}

#[test]
fn what_a_failed_restart_took_down_is_told_and_brought_back_if_it_can_be() {
    let stage = stage(&["needs.service", "part.service"]);
    stage.change("q@1.service", "50-release", &release("/bin/false", "Type=oneshot"));
    let rolled = stage.restart(&["q"]).exits_with(1);
    wait_until("what can be up is up", || stage.state("part.service") == "active");
    assert_eq!(stage.state("needs.service"), "inactive");
    rolled.says("needs went down with q@1 and is down until q@1 is up");
}

/// Two ties, one of which would start the instance again.
const BOTH: &str = "[Unit]\nRequires=q@1.service\nPartOf=q@1.service\nAfter=q@1.service\n[Service]\n\
    ExecStart=/bin/sleep 1000\n";
const WANTS: &str = "[Unit]\nWants=q@1.service\nPartOf=q@1.service\nAfter=q@1.service\n[Service]\n\
    ExecStart=/bin/sleep 1000\n";

#[test]
fn what_went_down_with_one_that_is_stopped_for_good_does_not_start_it_again() {
    let stage = stage(&["both.service", "wants.service"]);
    let broken = release("/bin/sh -c 'sleep 0.2; exit 1'", "Restart=always\nRestartSec=10ms");
    stage.change("q@1.service", "50-release", &broken);
    let rolled = stage.restart(&["q", "--observe", "1s"]).exits_with(1);
    assert_eq!(rolled.standing("q@1.service"), "failed_stopped");
    rolled.says("both and wants went down with q@1 and are down until q@1 is up");
    assert!(["inactive", "failed"].contains(&stage.state("q@1.service").as_str()));
    assert_eq!(stage.lab.systemctl(["list-jobs", "--no-legend"]).unwrap(), "");
}

fn stage(dependents: &[&str]) -> Stage {
    let units = [
        ("q@.service", SLEEPER),
        ("needs.service", NEEDS),
        ("part.service", PART),
        ("both.service", BOTH),
        ("wants.service", WANTS),
    ];
    let stage = Stage::units(&units, &["q@1.service", "q@2.service"]);
    stage.systemctl(&[&["start"], dependents].concat());
    stage
}

fn explained(events: &[Value]) -> &Value {
    event(events, "explained")
}

#[track_caller]
fn event<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let event = events.iter().find(|event| event["event"] == name);
    event.unwrap_or_else(|| panic!("no {name} in {events:#?}"))
}
