//! A disk that is full or read-only: no instance is touched whose log cannot be written.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::Stage;

const SIX: &[&str] = &["1", "2", "3", "4", "5", "6"];

#[test]
fn a_state_directory_that_cannot_be_made_refuses_the_roll() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let mut command = stage.rollctl();
    command.args(["restart", "--user", "q"]).env("XDG_STATE_HOME", "/proc/nowhere");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let said = said(&output);
    assert!(said.contains("the event log of q cannot be written in /proc/nowhere"), "{said}");
    assert!(said.contains("nothing was touched") && said.contains("next: df -h"), "{said}");
    assert_eq!(stage.runs(), before);
}

/// A limit on the size of files is the one full disk that needs no rights: `ulimit -f` counts in
/// blocks of 512 bytes.
#[test]
fn a_log_that_cannot_grow_ends_the_roll_when_what_is_in_hand_is_finished() {
    for options in [&[][..], &["--stop-pause", "200ms"], &["--before-stop", "/bin/true"]] {
        let stage = Stage::queue(SIX);
        let limited = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
        let mut command = stage.lab.command("sh");
        command.args(["-c", limited, "sh", env!("CARGO_BIN_EXE_rollctl")]);
        ends_half_way(&stage, command, options);
    }
}

#[test]
fn so_does_a_disk_that_gets_full() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("only root may mount a small disk: not tried");
    }
    let stage = Stage::queue(SIX);
    ends_half_way(&stage, on_a_small_disk(&stage, ":"), &[]);
}

#[test]
fn a_disk_that_is_full_refuses_the_roll() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("only root may mount a small disk: not tried");
    }
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let mut full = on_a_small_disk(&stage, "cat /dev/zero >$XDG_STATE_HOME/rollctl/zeros 2>&-");
    let output = full.args(["restart", "--user", "q"]).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(stage.runs(), before);
}

/// One page, seen by this command alone.
fn on_a_small_disk(stage: &Stage, first: &str) -> Command {
    let mount = "d=$XDG_STATE_HOME/rollctl; mkdir -p $d; mount -t tmpfs -o size=4k small $d";
    let mut command = stage.lab.command("unshare");
    let script = format!("{mount} && {{ {first}; exec \"$@\"; }}");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_rollctl"));
    command
}

#[track_caller]
fn ends_half_way(stage: &Stage, mut command: Command, options: &[&str]) {
    let before = stage.runs();
    command.args(["restart", "--user", "--json", "--observe", "0", "q"]).args(options);
    let output = command.output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("q: the roll stopped half-way: its event log "), "{said}");
    assert!(said.contains("state/rollctl/q/000001.jsonl cannot be written"), "{said}");
    assert!(said.contains("were left alone and serve") && said.contains("next: df -h "), "{said}");
    let told = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = events.iter().find(|event| event["event"] == "roll_ended").unwrap();
    let instances = ended["outcome"]["instances"].as_array().unwrap();
    let standing = |word: &str| instances.iter().filter(|it| it["standing"] == word).count();
    // Whatever was in hand is new and serves; the rest is as it was.
    let (serving, untouched) = (standing("serving"), standing("untouched"));
    assert_eq!((serving + untouched, serving > 0, untouched > 0), (6, true, true), "{told}");
    let new = before.iter().zip(stage.runs()).filter(|(old, now)| *old != now).count();
    assert_eq!(new, serving);
    assert!(stage.instances.iter().all(|unit| stage.state(unit) == "active"));
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
