//! Plain lines on standard output, for logs and pipes.

use std::io::stdout;

use super::{Ending, Report, say, short};
use crate::ctl::select::Group;
use crate::roll::{Moment, Record};
use crate::span::Span;

/// One line an event.
pub(super) struct Lines {
    group: String,
}

impl Lines {
    pub(super) fn new(group: &Group) -> Self {
        for left in &group.left_out {
            say(stdout(), &format!("{}: left out: {}", short(&left.unit), left.why));
        }
        Self { group: group.name.clone() }
    }

    fn line(&self, record: &Record) -> Option<String> {
        let group = &self.group;
        Some(match record {
            Record::RollBegan { instances, batches } => {
                let (n, s) = (instances.len(), plural(instances.len()));
                format!("{group}: rolling {n} instance{s}, {batches} in a row")
            }
            // With one at a time the instance's own lines say the same.
            Record::BatchBegan { instances, .. } if instances.len() == 1 => return None,
            Record::BatchBegan { batch, of, instances } => {
                let names: Vec<&str> = instances.iter().map(|unit| short(unit)).collect();
                format!("{group}: batch {batch} of {of}: {}", names.join(" "))
            }
            Record::PhaseChanged { instance, phase, after } => {
                format!("{}: {phase} (+{})", short(instance), Span(*after))
            }
            Record::Status { instance, text } => format!("{}: {text}", short(instance)),
            Record::Note { instance, text } => {
                format!("{}: {text}", instance.as_deref().map_or(group.as_str(), short))
            }
            Record::InstanceFailed { instance, failure } => {
                format!("{}: {failure}", short(instance))
            }
            Record::Pausing { span } => format!("{group}: pausing for {}", Span(*span)),
            Record::Interrupted { times: 1 } => {
                format!("{group}: interrupted: finishing what is in hand (again to let go)")
            }
            Record::Interrupted { .. } => format!("{group}: interrupted again: letting go"),
            Record::RollEnded { .. } => return None,
        })
    }
}

impl Report for Lines {
    fn record(&mut self, _: Moment, record: &Record) {
        if let Some(line) = self.line(record) {
            say(stdout(), &line);
        }
    }

    fn end(&mut self, ending: &Ending<'_>) {
        ending.tell_success(stdout());
        ending.tell_errors();
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
