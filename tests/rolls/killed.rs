//! `kill -9` at every kind of event: every instance comes back by itself, in the guard's time.
//!
//! The kinds come from the event type: one that is added has no kill test, and does not build.

use std::time::{Duration, Instant};

use rollctl::roll::RecordKind;
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::support::{Stage, Terminal, wait_until};

/// Its start takes long enough to be seen.
const UNIT: &str = "[Service]\nType=notify\nNotifyAccess=all\nExecStartPre=/bin/sleep 0.2\n\
    ExecStart=/bin/sh -c 'systemd-notify --ready --status=run-$$$$; exec sleep 1000'\n";
const BRIEF: &[&str] = &["--observe", "100ms", "--timeout", "3s"];
const TEMPLATE: &str = "q@.service";
/// Part of an instance, so that it goes down with it and is not brought back by it.
const PART: &str =
    "[Unit]\nStartLimitIntervalSec=0\nPartOf=q@1.service\n[Service]\nExecStart=/bin/sleep 1000\n";
/// The stop (`--timeout`), the stop-pause, the guard's own two seconds; and a busy machine.
const GUARD_TIME: Duration = Duration::from_millis(3_000 + 300 + 2_000 + 3_000);

#[test]
fn a_plain_roll() {
    at_every_event(&[]);
}

#[test]
fn a_roll_in_batches() {
    at_every_event(&["--batches", "1,2", "--max-unavailable", "2"]);
}

#[test]
fn a_roll_with_a_stop_pause() {
    at_every_event(&["--stop-pause", "300ms"]);
}

#[test]
fn a_roll_with_hooks_and_a_stop_pause() {
    let hooks = ["--before-stop", "/bin/echo out", "--after-start", "/bin/echo in"];
    at_every_event(&[&["--stop-pause", "300ms"], &hooks[..]].concat());
}

/// How a moment is brought about.
struct Scene {
    /// What the roll is told beside the style.
    options: &'static [&'static str],
    /// What is done once this event is in the log.
    prelude: Option<(&'static str, Deed)>,
    /// The event that is waited for.
    event: &'static str,
    /// Whether its options are no good.
    makes_it_fail: bool,
}

enum Deed {
    Order(&'static str),
    Interrupt,
}

/// No `_` here: see above.
fn scene(kind: RecordKind) -> Scene {
    let told = |options, event| Scene { options, prelude: None, event, makes_it_fail: false };
    let plain = |event| told(&[], event);
    let sick = |options, event| Scene { makes_it_fail: true, ..told(options, event) };
    let after = |deed, event| {
        let prelude = Some(("batch_began", deed));
        Scene { prelude, ..told(&["--pause", "1s"], event) }
    };
    match kind {
        RecordKind::RollBegan => plain("roll_began"),
        RecordKind::BatchBegan => plain("batch_began"),
        RecordKind::PhaseChanged => plain("phase_changed"),
        RecordKind::Status => plain("status"),
        RecordKind::Note => sick(&["--health", "http://127.0.0.1:1/%i"], "note"),
        RecordKind::HookBegan => told(&["--before-roll", "/bin/echo first"], "hook_began"),
        RecordKind::HookSaid => told(&["--before-roll", "/bin/echo first"], "hook_said"),
        RecordKind::HookEnded => told(&["--before-roll", "/bin/echo first"], "hook_ended"),
        RecordKind::InDoubt => sick(&["--health", "exec:/bin/sh -c 'exit 75' %i"], "in_doubt"),
        RecordKind::InstanceFailed => {
            sick(&["--health", "exec:/bin/false %i", "--health-timeout", "1s"], "instance_failed")
        }
        RecordKind::Pausing => told(&["--pause", "1s"], "pausing"),
        RecordKind::PauseLength => after(Deed::Order("longer"), "pause_length"),
        RecordKind::Paused => after(Deed::Order("pause"), "paused"),
        RecordKind::Resumed => after(Deed::Order("pause-resume"), "resumed"),
        RecordKind::Interrupted => after(Deed::Interrupt, "interrupted"),
        RecordKind::RollEnded => plain("roll_ended"),
        RecordKind::Dependents => told(&["--stop-pause", "300ms"], "dependents"),
        RecordKind::Explained => {
            sick(&["--health", "exec:/bin/false %i", "--health-timeout", "1s"], "explained")
        }
    }
}

fn at_every_event(style: &[&str]) {
    let units = [(TEMPLATE, UNIT), ("part.service", PART)];
    let stage = Stage::units(&units, &["q@1.service", "q@2.service", "q@3.service"]);
    for kind in RecordKind::ALL {
        println!("killed at {kind:?}");
        killed_at(&stage, style, &scene(*kind), |_| true);
    }
    for phase in ["stopping", "stopped", "starting", "probing", "observing", "serving"] {
        if phase == "stopped" && !style.contains(&"--stop-pause") {
            continue;
        }
        println!("killed when it is {phase}");
        killed_at(&stage, style, &scene(RecordKind::PhaseChanged), |it| it["phase"] == phase);
    }
}

fn killed_at(stage: &Stage, style: &[&str], scene: &Scene, is_it: impl Fn(&Value) -> bool) {
    stage.systemctl(&["start", "part.service"]);
    let before = stage.runs();
    let is_new = scene.options.first().is_some_and(|option| !style.contains(option));
    let options = if is_new { scene.options } else { &[] };
    let mut roll = Terminal::roll(stage, &[BRIEF, style, options].concat());
    if let Some((event, deed)) = &scene.prelude {
        roll.until(event, |_| true);
        act(&roll, stage, deed);
    }
    roll.until(scene.event, is_it);
    roll.kill();
    let began = Instant::now();
    // Whoever failed may have been stopped for good.
    let failed = roll.events().into_iter().filter(|it| it["event"] == "instance_failed");
    let failed: Vec<String> = failed.map(|it| it["instance"].as_str().unwrap().into()).collect();
    let left: Vec<&String> = stage.instances.iter().filter(|it| !failed.contains(it)).collect();
    wait_until("all are up again", || left.iter().all(|it| stage.state(it) == "active"));
    assert!(began.elapsed() < GUARD_TIME, "after {:?}", began.elapsed());
    let status = stage.prints("status", &["q"]);
    let fates = ["is done", "ended early", "died"];
    assert!(fates.iter().any(|fate| status.contains(fate)), "{status}");
    match scene.makes_it_fail {
        // It would fail again.
        true => drop(stage.restart(&[&["q@{1..3}"], style].concat()).exits_with(0)),
        false => drop(stage.resume(&["q"]).exits_with(0)),
    }
    stage.all_are_new_since(&before);
}

fn act(roll: &Terminal, stage: &Stage, deed: &Deed) {
    match deed {
        Deed::Order("longer") => order(stage, "longer"),
        Deed::Order("pause-resume") => {
            stage.prints("pause", &["q"]);
            stage.prints("resume", &["q"]);
        }
        Deed::Order(verb) => _ = stage.prints(verb, &["q"]),
        Deed::Interrupt => kill_process(roll.pid(), Signal::INT).unwrap(),
    }
}

/// An order that only a key gives.
fn order(stage: &Stage, name: &str) {
    use std::io::{BufRead, BufReader, Write};
    let socket = stage.lab.run_dir().join("rollctl/q.sock");
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    writeln!(stream, "{{\"order\":\"{name}\"}}").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert_eq!(answer, "{\"taken\":true}\n");
}
