//! Plain lines on standard output, for logs and pipes.

use std::collections::HashMap;
use std::io::stdout;

use super::{Ending, Report, in_millis, say, short};
use crate::ctl::log::Line;
use crate::ctl::select::LeftOut;
use crate::roll::{Phase, Record};
use crate::span::Span;

/// One line an event.
pub(super) struct Lines {
    group: String,
    phases: HashMap<String, Phase>,
}

impl Lines {
    pub(super) fn new(group: &str, left_out: &[LeftOut]) -> Self {
        for left in left_out {
            say(stdout(), &format!("{}: left out: {}", short(&left.unit), left.why));
        }
        Self { group: group.to_owned(), phases: HashMap::new() }
    }

    fn line(&mut self, record: &Record) -> Option<String> {
        let group = self.group.clone();
        let of = |instance: &Option<String>| {
            instance.as_deref().map_or(group.clone(), |unit| short(unit).to_owned())
        };
        Some(match record {
            Record::RollBegan { instances, batches } => {
                let (n, s) = (instances.len(), plural(instances.len(), "s"));
                let es = plural(*batches, "es");
                format!("{group}: rolling {n} instance{s} in {batches} batch{es}")
            }
            // With one at a time the instance's own lines say the same.
            Record::BatchBegan { instances, .. } if instances.len() == 1 => return None,
            Record::BatchBegan { batch, of, instances } => {
                let names: Vec<&str> = instances.iter().map(|unit| short(unit)).collect();
                format!("{group}: batch {batch} of {of}: {}", names.join(" "))
            }
            Record::PhaseChanged { instance, phase, after } => {
                let before = self.phases.insert(instance.clone(), *phase);
                let took = before.map_or_else(String::new, |before| {
                    format!(" ({before} took {})", in_millis(*after))
                });
                format!("{}: {phase}{took}", short(instance))
            }
            // Of what it says of itself only how it drains matters here.
            Record::Status { instance, text }
                if self.phases.get(instance) == Some(&Phase::Stopping) && !text.is_empty() =>
            {
                format!("{}: stopping: {text}", short(instance))
            }
            Record::Status { .. } => return None,
            Record::Note { instance, text } => {
                format!("{}: {text}", instance.as_deref().map_or(group.as_str(), short))
            }
            Record::HookBegan { hook, instance } => {
                format!("{}: running {}", of(instance), hook.key())
            }
            Record::HookSaid { hook, instance, line } => {
                format!("{}: {} | {line}", of(instance), hook.key())
            }
            // Its failure is told as that of its step.
            Record::HookEnded { error: Some(_), .. } => return None,
            Record::HookEnded { hook, instance, after, .. } => {
                format!("{}: {} took {}", of(instance), hook.key(), in_millis(*after))
            }
            Record::InDoubt { instance, text } => format!("{}: in doubt: {text}", short(instance)),
            Record::InstanceFailed { instance, failure } => {
                format!("{}: {failure}", short(instance))
            }
            Record::Pausing { span } => format!("{group}: pausing for {}", Span(*span)),
            Record::PauseLength { span } => {
                format!("{group}: pauses are {} from now on", Span(*span))
            }
            Record::Paused { by } => {
                format!("{group}: paused by {by}: what is in hand is finished, nothing new begins")
            }
            Record::Resumed { by } => format!("{group}: resumed by {by}"),
            Record::Interrupted { times: 1, .. } => {
                format!("{group}: interrupted: finishing what is in hand (again to let go)")
            }
            Record::Interrupted { .. } => format!("{group}: interrupted again: letting go"),
            Record::Dependents { instance, up, down } => {
                let (it, up, down) = (short(instance), up.join(", "), down.join(", "));
                match (up.as_str(), down.as_str()) {
                    (up, "") => format!("{it}: brought back what had gone down with it: {up}"),
                    ("", down) => format!("{it}: went down with it, and is down still: {down}"),
                    _ => format!("{it}: brought back {up}; went down with it still: {down}"),
                }
            }
            Record::Explained(_) | Record::RollEnded { .. } => return None,
        })
    }
}

impl Report for Lines {
    fn record(&mut self, line: &Line) {
        if let Some(line) = self.line(&line.record) {
            say(stdout(), &line);
        }
    }

    fn end(&mut self, ending: &Ending<'_>) {
        ending.tell_success(stdout());
        ending.tell_errors();
    }
}

fn plural(count: usize, ending: &'static str) -> &'static str {
    if count == 1 { "" } else { ending }
}
