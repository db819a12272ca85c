//! A roll under way, followed by its own events, and how it ended.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::PATIENCE;

/// A `rollctl restart --json` at work; dropped, it is killed.
pub struct Rolling {
    child: Child,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
    events: Vec<Value>,
}

/// A roll that is over.
#[derive(Debug)]
pub struct Rolled {
    pub status: i32,
    pub events: Vec<Value>,
    pub errors: String,
}

impl Rolling {
    pub(super) fn begin(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (send, lines) = channel();
        let told = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            told.lines().map_while(Result::ok).try_for_each(|l| send.send(l))
        });
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, lines, errors: Some(errors), events: Vec::new() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the instance enters the phase.
    #[track_caller]
    pub fn until(&mut self, unit: &str, phase: &str) -> &mut Self {
        self.until_event(&format!("{unit} is {phase}"), |event| is_phase(event, unit, phase))
    }

    /// Waits for the pause between two batches.
    #[track_caller]
    pub fn until_pausing(&mut self) -> &mut Self {
        self.until_event("a pause", |event| event["event"] == "pausing")
    }

    /// Waits until the roll has heard that it should end, for the n-th time.
    #[track_caller]
    pub fn until_interrupted(&mut self, times: u64) -> &mut Self {
        self.until_event("an interrupt", |event| {
            event["event"] == "interrupted" && event["times"] == times
        })
    }

    /// Waits for the note about this instance.
    #[track_caller]
    pub fn until_noted(&mut self, unit: &str, text: &str) -> &mut Self {
        self.until_event(text, |event| {
            let said = event["text"].as_str().is_some_and(|said| said.contains(text));
            event["event"] == "note" && event["instance"] == unit && said
        })
    }

    #[track_caller]
    pub fn until_event(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> &mut Self {
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            match self.next_event(&mut deadline) {
                Ok(event) if is_it(event) => return self,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("no {what} in time:\n{}", self.story()),
                Err(RecvTimeoutError::Disconnected) => {
                    let story = self.story();
                    let errors = self.errors.take().map(|errors| errors.join().unwrap());
                    panic!("the roll ended before {what}:\n{story}{}", errors.unwrap_or_default())
                }
            }
        }
    }

    /// Waits for the next event. Each batch has time of its own, for there may be many, of apps
    /// that take seconds to boot.
    fn next_event(&mut self, deadline: &mut Instant) -> Result<&Value, RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let event: Value = serde_json::from_str(&self.lines.recv_timeout(left)?).unwrap();
        if event["event"] == "batch_began" {
            *deadline = Instant::now() + PATIENCE;
        }
        self.events.push(event);
        Ok(&self.events[self.events.len() - 1])
    }

    /// Ctrl-C.
    pub fn interrupt(&mut self) -> &mut Self {
        self.send(Signal::INT)
    }

    pub fn send(&mut self, signal: Signal) -> &mut Self {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Rolled {
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            match self.next_event(&mut deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the roll did not end in time:\n{}", self.story())
                }
            }
        }
        let status = self.child.wait().unwrap();
        let errors = self.errors.take().map(|errors| errors.join().unwrap()).unwrap_or_default();
        let status = status.code().unwrap_or_else(|| panic!("rollctl: {status}\n{errors}"));
        Rolled { status, events: std::mem::take(&mut self.events), errors }
    }

    fn story(&self) -> String {
        self.events.iter().map(|event| format!("{event}\n")).collect()
    }
}

impl Drop for Rolling {
    fn drop(&mut self) {
        // Already gone if it was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Rolled {
    #[track_caller]
    pub fn exits_with(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.errors, self.story());
        self
    }

    /// Its last word holds this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.errors.contains(text), "it does not say {text:?}:\n{}", self.errors);
        self
    }

    /// Nothing began.
    #[track_caller]
    pub fn touched_nothing(self) -> Self {
        assert!(self.order().is_empty(), "{}", self.story());
        self
    }

    /// The instances, in the order in which they had their turns.
    pub fn order(&self) -> Vec<&str> {
        self.batches().concat()
    }

    /// The batches that began.
    pub fn batches(&self) -> Vec<Vec<&str>> {
        let begun = self.events.iter().filter(|event| event["event"] == "batch_began");
        begun
            .map(|event| {
                let units = event["instances"].as_array().unwrap().iter();
                units.map(|unit| unit.as_str().unwrap()).collect()
            })
            .collect()
    }

    /// When the instance entered the phase, in seconds from the beginning.
    #[track_caller]
    pub fn entered(&self, unit: &str, phase: &str) -> f64 {
        let event = self.events.iter().find(|event| is_phase(event, unit, phase));
        let event = event.unwrap_or_else(|| panic!("{unit} never {phase}:\n{}", self.story()));
        event["elapsed"].as_f64().unwrap()
    }

    /// How the roll left the instance: `serving`, `untouched`, `failed_stopped`, …
    #[track_caller]
    pub fn standing(&self, unit: &str) -> &str {
        let last = self.events.iter().find(|event| event["event"] == "roll_ended").unwrap();
        let all = last["outcome"]["instances"].as_array().unwrap();
        let one = all.iter().find(|it| it["instance"] == unit).unwrap();
        one["standing"].as_str().unwrap()
    }

    /// Every event, a line each: what a failed assertion should show.
    pub fn story(&self) -> String {
        self.events.iter().map(|event| format!("{event}\n")).collect()
    }
}

fn is_phase(event: &Value, unit: &str, phase: &str) -> bool {
    event["event"] == "phase_changed" && event["instance"] == unit && event["phase"] == phase
}
