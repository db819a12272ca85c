//! Who is told of a roll. Reports only listen: none of them can change or end one.

mod ending;
mod journal;
mod json;
mod lines;
mod names;
mod progress;
mod telling;

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use super::log::Line;
use super::select::{Group, LeftOut};
use crate::span::Span;

pub use ending::Ending;
pub(super) use names::{listed, short};

/// How a roll is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// A live display on a terminal, plain lines elsewhere.
    #[default]
    Told,
    /// One JSON object a line.
    Json,
    /// Nothing but errors.
    Quiet,
}

/// A listener.
pub trait Report {
    /// Something happened.
    fn record(&mut self, line: &Line);
    /// The roll is over.
    fn end(&mut self, ending: &Ending<'_>);
}

impl Output {
    /// By the two flags that choose it.
    pub fn of(json: bool, quiet: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json,
            (_, true) => Self::Quiet,
            _ => Self::Told,
        }
    }

    /// There is nothing to roll, and that is well.
    pub fn say_all_is_recent(self, group: &Group) {
        if self == Self::Told {
            let name = &group.name;
            say(std::io::stdout(), &format!("{name}: every instance runs what is on disk"));
        }
    }

    /// The report of one roll, to the journal too.
    pub fn begin(self, group: &str, left_out: &[LeftOut], has_keys: bool) -> Box<dyn Report> {
        // Its lines would be there twice.
        let to_people: Box<dyn Report> = match self == Self::Told && journal::is_stdout() {
            true => Box::new(Nobody),
            false => self.to_people(group, left_out, has_keys),
        };
        Box::new(journal::Journal::new(group, to_people))
    }

    /// The same for who only looks on.
    pub fn to_people(self, group: &str, left_out: &[LeftOut], has_keys: bool) -> Box<dyn Report> {
        match self {
            Self::Json => Box::new(json::Json),
            Self::Quiet => Box::new(Quiet),
            Self::Told if stderr().is_terminal() => {
                Box::new(progress::Progress::new(group, left_out, has_keys))
            }
            Self::Told => Box::new(lines::Lines::new(group, left_out)),
        }
    }
}

struct Nobody;

impl Report for Nobody {
    fn record(&mut self, _: &Line) {}

    fn end(&mut self, _: &Ending<'_>) {}
}

struct Quiet;

impl Report for Quiet {
    fn record(&mut self, _: &Line) {}

    fn end(&mut self, ending: &Ending<'_>) {
        ending.tell_errors();
    }
}

/// Writes a line; a reader that went away (a closed pipe, a dropped ssh) does not end a roll.
pub(super) fn say(mut to: impl Write, line: &str) {
    let _ = writeln!(to, "{line}").and_then(|()| to.flush());
}

/// A time as a person cares for it: no finer than a millisecond.
pub(super) fn in_millis(span: Duration) -> Span {
    Span(Duration::from_millis(span.as_millis().try_into().unwrap_or(u64::MAX)))
}
