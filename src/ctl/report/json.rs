//! The event log as it is written, on standard output.

use std::io::stdout;

use super::{Ending, Report, say};
use crate::ctl::log::Line;

/// One JSON object a line.
pub(super) struct Json;

impl Report for Json {
    fn record(&mut self, line: &Line) {
        if let Ok(line) = serde_json::to_string(line) {
            say(stdout(), &line);
        }
    }

    fn end(&mut self, ending: &Ending<'_>) {
        ending.tell_errors();
    }
}
