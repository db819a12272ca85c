//! What other terminals are told: attach, history; and a group that is frozen.

use std::process::Output;

use rustix::process::Signal;

use crate::support::{Stage, four, release, wait_until};

const SLOW_START: &str = "[Service]\nExecStartPre=/bin/sleep 1\n";

// ---- attach ----

#[test]
fn who_attaches_is_told_the_whole_of_it_and_how_it_ended() {
    let stage = Stage::group(four().instances(2));
    stage.change("worker@.service", "50-slow", SLOW_START);
    stage.systemctl(&["start", "--no-block", "roll@worker"]);
    wait_until("it is under way", || {
        let status = stage.rollctl().args(["status", "--user", "worker"]).output().unwrap();
        String::from_utf8_lossy(&status.stdout).contains("under way")
    });
    let attached = stage.begin("attach", &["worker"]).end().exits_with(0);
    assert_eq!(attached.order(), ["worker@1.service", "worker@2.service"]);
    assert_eq!(attached.standing("worker@2.service"), "serving");
    // And of one that is over, the same.
    let told = stage.prints("attach", &["worker"]);
    assert!(told.contains("worker@2: serving") && told.contains("2 instances are new"), "{told}");
}

#[test]
fn who_attaches_to_a_roll_that_fails_fails_with_it() {
    let stage = Stage::queue(&["1", "2"]);
    stage.change("q@.service", "50-bad", &release("/bin/false", "Type=oneshot"));
    stage.restart(&["q"]).exits_with(1);
    let attached = stage.begin("attach", &["q"]).end().exits_with(1);
    attached.says("q@1.service did not come back").says("next: journalctl --user -xeu q@1.service");
}

#[test]
fn who_attaches_to_a_roll_that_dies_is_told_so_and_ctrl_c_ends_nothing() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = stage.begin_restart(&["q", "--pause", "60s"]);
    roll.until_pausing();
    let mut first = stage.begin("attach", &["q"]);
    first.until_pausing().send(Signal::INT);
    let mut second = stage.begin("attach", &["q"]);
    second.until_pausing();
    assert!(stage.prints("status", &["q"]).contains("under way"));
    roll.send(Signal::KILL);
    second.end().exits_with(5).says("died (process ");
}

// ---- history ----

#[test]
fn history_lists_the_rolls_and_how_they_ended() {
    let stage = Stage::queue(&["1", "2"]);
    assert_eq!(stage.prints("history", &[]), "no roll is on record\n");
    stage.restart(&["q", "--observe", "0"]).exits_with(0);
    stage.change("q@2.service", "50-bad", &release("/bin/false", "Type=oneshot"));
    stage.restart(&["q", "--observe", "0"]).exits_with(1);
    stage.change_back("q@2.service", "50-bad");
    stage.resume(&["q"]).exits_with(0);
    let history = stage.prints("history", &["q"]);
    let rows: Vec<&str> = history.lines().skip(1).collect();
    assert!(rows[0].contains("done    2 of 2") && rows[0].contains("restart --user"), "{history}");
    assert!(rows[1].contains("failed  1 of 2"), "{history}");
    assert!(rows[2].contains("1 of 1") && rows[2].contains("resumes 2: "), "{history}");
    let json = stage.prints("history", &["q", "--json"]);
    let rolls: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rolls.iter().map(|it| &it["number"]).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(rolls[1]["outcome"]["instances"][1]["standing"], "failed_stopped");
}

#[test]
fn only_their_owner_and_root_read_the_logs() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = stage.begin_restart(&["q", "--pause", "60s"]);
    roll.until_pausing();
    let mode = |path: &str| {
        std::fs::metadata(stage.lab.dir().join(path)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("state/rollctl/q"), 0o700);
    assert_eq!(mode("state/rollctl/q/000001.jsonl"), 0o600);
    assert_eq!(mode("run/rollctl/q.sock"), 0o600);
}

// ---- freeze ----

#[test]
fn a_frozen_group_refuses_rolls_and_says_who_and_why() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let told = stage.prints("freeze", &["q", "-m", "the auditors are here"]);
    assert!(told.contains("q is frozen by ") && told.contains(": the auditors are here"), "{told}");
    let refused = stage.restart(&["q"]).exits_with(5).touched_nothing();
    refused
        .says("q is frozen by ")
        .says("the auditors are here")
        .says("next: rollctl thaw --user q");
    stage.restart(&["q@1"]).exits_with(5).says("frozen");
    assert_eq!(stage.runs(), before);
    assert!(stage.plan(&["q"]).contains("warning: q is frozen by "));
    assert!(stage.prints("status", &["q"]).starts_with("q is frozen by "));
    assert!(stage.prints("thaw", &["q"]).contains("q is thawed; it was frozen by "));
    assert_eq!(stage.prints("thaw", &["q"]), "q was not frozen\n");
    stage.restart(&["q", "--observe", "0"]).exits_with(0);
}

#[test]
fn who_waits_for_the_lock_of_a_group_that_is_frozen_meanwhile_is_refused() {
    let stage = Stage::queue(&["1", "2"]);
    let mut first = stage.begin_restart(&["q", "--pause", "60s"]);
    first.until_pausing();
    let second = stage.begin_restart(&["q", "--lock-wait", "60s"]);
    stage.prints("freeze", &["q", "-m", "enough"]);
    // What is under way goes on.
    stage.prints("abort", &["q"]);
    first.end().exits_with(130);
    second.end().exits_with(5).touched_nothing().says("enough");
}

#[test]
fn a_reason_is_not_optional() {
    let stage = Stage::queue(&[]);
    let freeze: Output = stage.rollctl().args(["freeze", "--user", "q"]).output().unwrap();
    assert_eq!(freeze.status.code(), Some(2));
}
