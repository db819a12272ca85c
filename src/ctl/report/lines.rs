//! Plain lines on standard output, for logs and pipes.

use std::io::stdout;

use super::telling::Telling;
use super::{Ending, Report, say, short};
use crate::ctl::log::Line;
use crate::ctl::select::LeftOut;

/// One line an event.
pub(super) struct Lines(Telling);

impl Lines {
    pub(super) fn new(group: &str, left_out: &[LeftOut]) -> Self {
        for left in left_out {
            say(stdout(), &format!("{}: left out: {}", short(&left.unit), left.why));
        }
        Self(Telling::of(group))
    }
}

impl Report for Lines {
    fn record(&mut self, line: &Line) {
        if let Some(line) = self.0.line(&line.record) {
            say(stdout(), &line);
        }
    }

    fn end(&mut self, ending: &Ending<'_>) {
        ending.tell_success(stdout());
        ending.tell_errors();
    }
}
