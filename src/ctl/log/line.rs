//! One line of the log, and of `--json`: what happened, when, in which roll.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::roll::{Moment, Record};

/// A record, with its place and time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The wall clock, RFC 3339: for people, never reckoned with, for it may be set back.
    pub time: String,
    /// Seconds since the roll began.
    pub elapsed: f64,
    /// The roll's id.
    pub roll: String,
    /// What is rolled.
    pub group: String,
    /// What happened.
    #[serde(flatten)]
    pub record: Record,
}

impl Line {
    /// The moment of the roll at which it was written.
    pub fn at(&self) -> Duration {
        Duration::try_from_secs_f64(self.elapsed).unwrap_or_default()
    }

    pub(super) fn new(roll: &str, group: &str, now: Moment, record: Record) -> Self {
        Self {
            time: wall_clock(),
            elapsed: now.0.as_secs_f64(),
            roll: roll.to_owned(),
            group: group.to_owned(),
            record,
        }
    }
}

/// The time of day, as the log writes it.
pub(super) fn wall_clock() -> String {
    humantime::format_rfc3339_micros(SystemTime::now()).to_string()
}
