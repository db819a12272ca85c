//! `rollctl prove`: what a roll costs is measured, told and drawn; what was lost is not hidden.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

use rollctl::lab::GroupPlan;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Rolled, Stage, four, release, wait_until};

/// A service that lets go of everybody when it is stopped, and is said to have ended well.
const RUDE: &str = "[Service]\nKillSignal=SIGKILL\nSuccessExitStatus=SIGKILL\n";

/// Nearly every client has one of these in flight, whenever it is stopped.
const SLOW: &str = "/slow?ms=300";

fn one_rude_instance() -> GroupPlan {
    four().instances(1).drop_in("worker@.service", RUDE)
}

/// `rollctl prove --json worker --url … OPTIONS…`, to the end.
fn prove(stage: &Stage, path: &str, options: &[&str]) -> Rolled {
    prove_url(stage, &url(stage, path), &[&["--before", "1s"], options].concat())
}

fn prove_url(stage: &Stage, url: &str, options: &[&str]) -> Rolled {
    stage.begin("prove", &[&["worker", "--url", url], options].concat()).end()
}

fn url(stage: &Stage, path: &str) -> String {
    format!("http://{}{path}", stage.address)
}

/// The one object that it prints.
#[track_caller]
fn figures(rolled: &Rolled) -> &Value {
    assert_eq!(rolled.events.len(), 1, "{}\n{}", rolled.errors, rolled.story());
    &rolled.events[0]
}

fn picture(stage: &Stage) -> PathBuf {
    stage.lab.dir().join("timeline.svg")
}

#[test]
fn a_good_group_loses_nothing_and_its_roll_is_drawn() {
    let stage = Stage::four();
    let (before, svg) = (stage.runs(), picture(&stage));
    let proved = prove(&stage, "/", &["--svg", svg.to_str().unwrap()]).exits_with(0);
    let figures = figures(&proved);
    assert_eq!((&figures["lost"], &figures["exit_status"]), (&0.into(), &0.into()), "{figures}");
    assert_eq!(figures["groups"], serde_json::json!(["worker"]));
    for window in ["before", "during", "after"] {
        assert!(figures[window]["requests"].as_u64().unwrap() > 0, "{window}: {figures}");
        assert!(figures[window]["max_ms"].as_f64().unwrap() > 0.0, "{window}: {figures}");
    }
    stage.all_are_new_since(&before);
    let svg = std::fs::read_to_string(svg).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    for text in
        ["rollctl prove worker: the roll took", "0 of", "p99", "seconds; the roll is shaded"]
    {
        assert!(svg.contains(text), "{text} is not in it:\n{svg}");
    }
}

#[test]
fn people_get_the_roll_and_a_table() {
    let stage = Stage::group(four().instances(2));
    let url = url(&stage, "/");
    let told = stage.prints("prove", &["worker", "--url", &url, "--before", "500ms"]);
    let loading = format!("loading {url} by 8 clients for 500ms, then rolling worker\n");
    assert!(told.starts_with(&loading), "{told}");
    for text in ["worker: 2 instances are new", "before", "reconnects", "p99", "requests lost"] {
        assert!(told.contains(text), "{text} is not in it:\n{told}");
    }
}

#[test]
fn what_is_lost_in_a_roll_that_succeeds_is_an_error() {
    let stage = Stage::group(one_rude_instance());
    let before = stage.runs();
    let proved = prove(&stage, SLOW, &[]).exits_with(1);
    let figures = figures(&proved);
    assert!(figures["during"]["lost"].as_u64().unwrap() > 0, "{figures}");
    assert!(!figures["lost_by_kind"].as_object().unwrap().is_empty(), "{figures}");
    assert_eq!((&figures["before"]["lost"], &figures["roll_exit_status"]), (&0.into(), &0.into()));
    proved.says("requests were lost; every instance of worker serves").says("next: rollctl status");
    stage.all_are_new_since(&before);
}

#[test]
fn a_roll_that_fails_is_measured_and_ends_as_restart_does() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    stage.change("worker@.service", "50-release", &release("/bin/false", ""));
    let svg = picture(&stage);
    let proved = prove(&stage, "/", &["--svg", svg.to_str().unwrap()]).exits_with(1);
    assert_eq!(figures(&proved)["roll_exit_status"], 1);
    proved.says("worker@1.service did not come back");
    assert!(std::fs::read_to_string(svg).unwrap().contains("rollctl prove worker"));
    assert_eq!(stage.run_of(2), before[1]);
}

#[test]
fn one_that_was_killed_is_resumed_like_any_roll() {
    let stage = Stage::group(four().instances(3));
    let before = stage.runs();
    let url = url(&stage, "/");
    let options = ["worker", "--url", &url, "--before", "0", "--observe", "1s"];
    let mut proving = stage.begin("prove", &options);
    wait_until("the first is up again", || {
        stage.run_of(1) != before[0] && stage.state(stage.unit(1)) == "active"
    });
    proving.send(Signal::KILL);
    drop(proving);
    assert_eq!(stage.run_of(3), before[2], "it was killed in the roll");
    stage.resume(&["worker"]).exits_with(0);
    stage.all_are_new_since(&before);
    stage.all_serve();
}

// ---- a command in place of a roll ----

/// `rollctl prove --json --url … --instead COMMAND`, to the end.
fn prove_command(stage: &Stage, path: &str, command: &str) -> Rolled {
    let url = url(stage, path);
    stage.begin("prove", &["--url", &url, "--before", "1s", "--instead", command]).end()
}

#[test]
fn any_command_that_restarts_it_is_measured() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let proved = prove_command(&stage, "/", "systemctl --user restart 'worker@*'").exits_with(0);
    let figures = figures(&proved);
    assert_eq!(figures["command"], "systemctl --user restart 'worker@*'", "{figures}");
    assert_eq!(figures["groups"], serde_json::json!([]));
    assert!(figures["during"]["requests"].as_u64().unwrap() > 0, "{figures}");
    stage.all_are_new_since(&before);
}

#[test]
fn what_a_command_loses_is_an_error() {
    let stage = Stage::group(one_rude_instance());
    let proved = prove_command(&stage, SLOW, "systemctl --user restart worker@1").exits_with(1);
    assert!(figures(&proved)["during"]["lost"].as_u64().unwrap() > 0);
    proved.says("requests were lost").says("next: rollctl prove --user GROUP --url http://");
}

#[test]
fn a_command_that_fails_is_measured_and_an_error() {
    let stage = Stage::group(four().instances(1));
    let proved = prove_command(&stage, "/", "sh -c 'echo what it prints; exit 7'").exits_with(1);
    let figures = figures(&proved);
    assert_eq!((&figures["roll_exit_status"], &figures["lost"]), (&1.into(), &0.into()));
    proved.says("ended with exit status: 7").says("what it prints");
}

#[test]
fn a_command_that_is_not_there_is_refused() {
    let stage = Stage::group(four().instances(1));
    let proved = prove_command(&stage, "/", "no-such-program").exits_with(5);
    proved.says("no-such-program cannot be started").says("nothing was touched");
}

// ---- refused: nothing was restarted ----

#[test]
fn a_url_that_does_not_answer_is_refused() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/");
    let proved = prove_url(&stage, &url, &[]).exits_with(5).says("nothing was touched");
    assert!(proved.events.is_empty(), "{}", proved.story());
    proved.says(&format!("{url} does not answer")).says(&format!("next: curl -v '{url}'"));
    assert_eq!(stage.runs(), before);
}

#[test]
fn a_url_that_answers_with_another_status_is_refused() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let proved = prove(&stage, "/nothing-there", &[]).exits_with(5);
    proved.says("other status: 404").says("nothing was touched");
    assert_eq!(stage.runs(), before);
}

#[test]
fn what_restart_refuses_is_refused_before_the_load() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    stage.prints("freeze", &["worker", "-m", "the auditors are here"]);
    // With the load it would not end in time.
    let proved = prove_url(&stage, &url(&stage, "/"), &["--before", "1h"]).exits_with(5);
    proved.says("the auditors are here");
    assert_eq!(stage.runs(), before);
}

#[test]
fn a_picture_that_cannot_be_drawn_is_known_before() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let svg = stage.lab.dir().join("no-such-directory/x.svg");
    let proved = prove(&stage, "/", &["--svg", svg.to_str().unwrap()]).exits_with(5);
    proved.says("the timeline cannot be written").says("nothing was touched");
    assert_eq!(stage.runs(), before);
}

#[test]
fn interrupted_in_the_load_it_touches_nothing() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let mut rollctl = stage.rollctl();
    rollctl.args(["prove", "--user", "worker", "--before", "1h", "--url", &url(&stage, "/")]);
    let mut child = rollctl.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("loading http://"), "{line}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("nothing was touched"), "{error}");
    assert_eq!(stage.runs(), before);
}
