//! On a terminal single keys pace a roll and answer its doubts; the terminal is given back.

use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::support::{Script, Stage, Terminal, wait_until};

#[test]
fn p_pauses_and_r_resumes() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let mut roll = Terminal::roll(&stage, &["--observe", "0", "--pause", "1s"]);
    roll.until("pausing", |_| true).press("p").until("paused", |event| {
        event["by"].as_str().is_some_and(|by| by.ends_with(" at the terminal"))
    });
    std::thread::sleep(Duration::from_millis(1500));
    stage.are_new_since(&before, &[1]);
    roll.press("r").until("resumed", |_| true).exits_with(0);
    stage.all_are_new_since(&before);
}

#[test]
fn plus_and_minus_change_the_pause() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = Terminal::roll(&stage, &["--observe", "0", "--pause", "20s"]);
    let is = |span: f64| move |event: &serde_json::Value| event["span"].as_f64() == Some(span);
    roll.until("pausing", is(20.0)).press("+").until("pause_length", is(25.0));
    roll.press("-----").until("pause_length", is(0.0)).exits_with(0);
}

#[test]
fn who_attaches_has_the_same_keys() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let mut roll = stage.begin_restart(&["q", "--observe", "0", "--pause", "20s"]);
    roll.until_pausing();
    let mut attached = Terminal::attach(&stage);
    attached.until("pausing", |_| true).press("p").until("paused", |_| true);
    attached
        .press("r")
        .until("resumed", |_| true)
        .press("----")
        .until("pause_length", |event| event["span"].as_f64() == Some(0.0));
    attached.exits_with(0);
    roll.end().exits_with(0);
    stage.all_are_new_since(&before);
}

#[test]
fn ctrl_z_is_nothing_where_no_shell_could_let_it_go_on() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = Terminal::roll_alone(&stage, &["--observe", "0", "--pause", "1s"]);
    roll.until("pausing", |_| true).press("\x1a");
    roll.until("roll_ended", |event| event["outcome"]["instances"][1]["standing"] == "serving");
}

#[test]
fn who_attached_and_looks_away_has_the_terminal_back() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = stage.begin_restart(&["q", "--pause", "60s"]);
    roll.until_pausing();
    let mut attached = Terminal::attach(&stage);
    attached.press("+").until("pause_length", |_| true).press("\x03").exits_with(130);
    assert!(stage.prints("status", &["q"]).contains("under way"));
    roll.interrupt();
    roll.end().exits_with(130);
}

#[test]
fn q_finishes_what_is_in_hand_and_stops() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let mut roll = Terminal::roll(&stage, &["--observe", "1s"]);
    roll.until("phase_changed", |event| event["phase"] == "observing").press("qq");
    roll.exits_with(130);
    stage.are_new_since(&before, &[1]);
}

#[test]
fn ctrl_c_is_what_it_is_without_keys_and_the_terminal_is_given_back() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let mut roll = Terminal::roll(&stage, &["--pause", "60s"]);
    roll.until("pausing", |_| true).press("\x03").until("interrupted", |_| true).exits_with(130);
    stage.are_new_since(&before, &[1]);
}

#[test]
fn after_a_failure_too_the_terminal_is_given_back() {
    let stage = Stage::queue(&["1", "2"]);
    let sick = ["--health", "exec:/bin/false %i", "--health-timeout", "500ms"];
    Terminal::roll(&stage, &sick).until("explained", |_| true).exits_with(1);
}

#[test]
fn a_doubt_is_answered_by_a_key() {
    let stage = Stage::queue(&["1", "2"]);
    let check = Script::new(&stage, "check", "exit 75");
    let doubtful = ["--health", &format!("exec:{} %i", check.path()), "--observe", "0"];
    let mut roll = Terminal::roll(&stage, &doubtful);
    roll.until("in_doubt", |_| true).press("t").until("in_doubt", |_| true).press("y");
    // It is asked once more when it was watched.
    roll.until("in_doubt", |_| true).press("y");
    roll.until("phase_changed", |event| event["phase"] == "serving");
    roll.until("in_doubt", |event| event["instance"] == "q@2.service").press("n").exits_with(1);
}

#[test]
fn ctrl_z_gives_the_terminal_back_for_as_long_as_it_stands_still() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = Terminal::roll(&stage, &["--pause", "2s", "--observe", "0"]);
    roll.until("pausing", |_| true).press("\x1a");
    let pid = roll.pid();
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap();
        stat.rsplit(") ").next().unwrap().chars().next().unwrap()
    };
    wait_until("it stands still", || state() == 'T');
    kill_process(pid, Signal::CONT).unwrap();
    // It has its keys again.
    wait_until("it goes on", || state() != 'T');
    roll.press("p").until("paused", |_| true).press("r").exits_with(0);
}

#[test]
fn in_the_background_nobody_is_asked_and_nothing_stops_it() {
    let stage = Stage::queue(&["1", "2"]);
    let sick = ["--health", "exec:/bin/sh -c 'exit 75' %i", "--health-timeout", "1s"];
    let mut roll = Terminal::roll_in_background(&stage, &sick);
    roll.exits_with(1);
    assert!(!roll.events().iter().any(|event| event["event"] == "in_doubt"));
    Terminal::roll_in_background(&stage, &["--observe", "0"]).exits_with(0);
}
