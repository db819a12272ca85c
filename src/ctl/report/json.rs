//! One JSON object a line on standard output: what happened, when, in which roll.

use std::io::stdout;
use std::time::SystemTime;

use serde::Serialize;

use super::{Ending, Report, say};
use crate::ctl::select::Group;
use crate::roll::{Moment, Record};

/// The log of one roll.
pub(super) struct Json {
    roll: String,
    group: String,
}

#[derive(Serialize)]
struct Line<'a> {
    /// The wall clock, RFC 3339.
    time: String,
    /// Seconds since the roll began.
    elapsed: f64,
    roll: &'a str,
    group: &'a str,
    #[serde(flatten)]
    record: &'a Record,
}

impl Json {
    pub(super) fn new(group: &Group) -> Self {
        Self { roll: roll_id(), group: group.name.clone() }
    }
}

impl Report for Json {
    fn record(&mut self, now: Moment, record: &Record) {
        let line = Line {
            time: humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
            elapsed: now.0.as_secs_f64(),
            roll: &self.roll,
            group: &self.group,
            record,
        };
        if let Ok(line) = serde_json::to_string(&line) {
            say(stdout(), &line);
        }
    }

    fn end(&mut self, ending: &Ending<'_>) {
        ending.tell_errors();
    }
}

/// The kernel's own random id; without /proc one that is new in practice.
pub(in crate::ctl) fn roll_id() -> String {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid");
    let uuid = uuid.map(|text| text.trim().replace('-', "")).ok().filter(|id| !id.is_empty());
    uuid.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        format!("{:016x}{:016x}", since.as_nanos() as u64, std::process::id())
    })
}
