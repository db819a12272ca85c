//! The one table of exit statuses, shared by the program, its manual and its tests.

use std::process::ExitCode;

use crate::roll::Outcome;

/// How `rollctl` ends.
///
/// | status | meaning |
/// |---|---|
/// | 0 | every instance serves |
/// | 1 | an instance failed and the rest was left alone |
/// | 2 | the command line is wrong |
/// | 3 | nothing matched |
/// | 4 | systemd is unreachable, or refuses |
/// | 5 | refused before the first step: lock held, floor, masked, socket down, … |
/// | 130 | interrupted |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Every instance serves.
    Serving = 0,
    /// An instance failed and the rest was left alone.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Nothing matched.
    NothingMatched = 3,
    /// systemd is unreachable, or refuses.
    Systemd = 4,
    /// Refused before the first step.
    Refused = 5,
    /// Interrupted.
    Interrupted = 130,
}

impl ExitStatus {
    /// The table above: status and meaning, in order.
    pub const TABLE: [(Self, &str); 7] = [
        (Self::Serving, "every instance serves"),
        (Self::Failed, "an instance failed and the rest was left alone"),
        (Self::Usage, "the command line is wrong"),
        (Self::NothingMatched, "nothing matched"),
        (Self::Systemd, "systemd is unreachable, or refuses"),
        (Self::Refused, "refused before the first step"),
        (Self::Interrupted, "interrupted"),
    ];

    /// The status of this number.
    pub fn from_code(code: u8) -> Self {
        let known = Self::TABLE.iter().find(|(status, _)| status.code() == code);
        known.map_or(Self::Failed, |(status, _)| *status)
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        let known = Self::TABLE.iter().find(|(status, _)| *status == self);
        known.map_or("", |(_, meaning)| meaning)
    }

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<&Outcome> for ExitStatus {
    fn from(outcome: &Outcome) -> Self {
        Self::from_code(outcome.exit_status())
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
