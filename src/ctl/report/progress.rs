//! The live display of a terminal: one line an instance, and what it is doing.

use std::collections::HashMap;
use std::io::stderr;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Ending, Report, in_millis, short};
use crate::ctl::log::Line;
use crate::ctl::select::LeftOut;
use crate::roll::{Moment, Phase, Record};
use crate::span::Span;

const KEYS: &str = "p pause · r resume · + - pause length · q finish what is in hand and stop";
const TICK: Duration = Duration::from_millis(100);

/// A line an instance, in the order of their turns.
pub(super) struct Progress {
    display: MultiProgress,
    group: String,
    rows: HashMap<String, Row>,
}

struct Row {
    bar: ProgressBar,
    phase: Phase,
    began: Moment,
}

impl Progress {
    pub(super) fn new(group: &str, left_out: &[LeftOut], has_keys: bool) -> Self {
        let display = MultiProgress::new();
        if has_keys {
            let _ = display.println(KEYS);
        }
        for left in left_out {
            let _ = display.println(format!("{}: left out: {}", short(&left.unit), left.why));
        }
        Self { display, group: group.to_owned(), rows: HashMap::new() }
    }

    fn begin(&mut self, instances: &[String]) {
        let width = instances.iter().map(|unit| short(unit).len()).max().unwrap_or(0);
        for unit in instances {
            let bar = self.display.add(ProgressBar::new_spinner());
            bar.set_style(style("  {prefix} {wide_msg:.dim}"));
            bar.set_prefix(format!("{:width$}", short(unit)));
            bar.set_message("pending");
            bar.tick();
            let row = Row { bar, phase: Phase::Pending, began: Moment::default() };
            self.rows.insert(unit.clone(), row);
        }
    }

    fn enter(&mut self, now: Moment, unit: &str, phase: Phase) {
        let Some(row) = self.rows.get_mut(unit) else { return };
        if row.phase == Phase::Pending {
            row.began = now;
            row.bar.reset_elapsed();
            row.bar.set_style(style("{spinner:.cyan} {prefix} {wide_msg} {elapsed}"));
            row.bar.enable_steady_tick(TICK);
        }
        row.phase = phase;
        let took = in_millis(now.since(row.began));
        match phase {
            Phase::Serving => row.end("{spinner:.green} {prefix} {wide_msg}", "✔", took, phase),
            Phase::Failed => row.end("{spinner:.red} {prefix} {wide_msg}", "✘", took, phase),
            _ => row.bar.set_message(phase.to_string()),
        }
    }

    fn tell(&self, unit: &str, text: &str) {
        if let Some(row) = self.rows.get(unit) {
            row.bar.set_message(format!("{} · {text}", row.phase));
        }
    }

    fn tell_of(&self, unit: Option<&str>, text: &str) {
        match unit {
            Some(unit) => self.tell(unit, text),
            None => self.say(text),
        }
    }

    fn say(&self, text: &str) {
        let _ = self.display.println(format!("{}: {text}", self.group));
    }
}

impl Row {
    fn end(&self, template: &str, mark: &str, took: Span, phase: Phase) {
        self.bar.disable_steady_tick();
        self.bar.set_style(style(template).tick_strings(&[mark, mark]));
        self.bar.finish_with_message(format!("{phase} after {took}"));
    }
}

impl Report for Progress {
    fn record(&mut self, line: &Line) {
        let now = Moment(line.at());
        match &line.record {
            Record::RollBegan { instances, .. } => self.begin(instances),
            Record::PhaseChanged { instance, phase, .. } => self.enter(now, instance, *phase),
            Record::Status { instance, text } => self.tell(instance, text),
            Record::Note { instance: Some(instance), text } => self.tell(instance, text),
            Record::Note { instance: None, text } => self.say(text),
            Record::HookBegan { hook, instance } => {
                self.tell_of(instance.as_deref(), &format!("running {}", hook.key()));
            }
            Record::HookSaid { hook, instance, line } => {
                self.tell_of(instance.as_deref(), &format!("{} | {line}", hook.key()));
            }
            Record::HookEnded { hook, instance, error: None, .. } => {
                self.tell_of(instance.as_deref(), &format!("{} is done", hook.key()));
            }
            // Its failure is told as that of its step.
            Record::HookEnded { .. } => {}
            Record::InDoubt { instance, text } => {
                self.tell(instance, text);
                self.say(&format!(
                    "{}: {text}: serves it? [y]es, [n]o, [t]ry again",
                    short(instance)
                ));
            }
            Record::Pausing { span } => self.say(&format!("pausing for {}", Span(*span))),
            Record::PauseLength { span } => {
                self.say(&format!("pauses are {} from now on", Span(*span)));
            }
            Record::Paused { by } => {
                self.say(&format!("paused by {by}; what is in hand is finished"));
            }
            Record::Resumed { by } => self.say(&format!("resumed by {by}")),
            Record::Interrupted { times: 1, .. } => {
                self.say("finishing what is in hand; once more to let go");
            }
            Record::Interrupted { .. } => self.say("letting go"),
            Record::BatchBegan { .. } => {}
            Record::Dependents { instance, up, down } => {
                let units: Vec<&str> = up.iter().chain(down).map(String::as_str).collect();
                self.tell(instance, &format!("went down with it: {}", units.join(", ")));
            }
            Record::InstanceFailed { .. } | Record::RollEnded { .. } | Record::Explained(_) => {}
        }
    }

    fn end(&mut self, ending: &Ending<'_>) {
        for row in self.rows.values().filter(|row| !row.bar.is_finished()) {
            row.bar.disable_steady_tick();
            row.bar.abandon();
        }
        ending.tell_success(stderr());
        ending.tell_errors();
    }
}

/// The templates above are constants; one that indicatif refused would show its default.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
