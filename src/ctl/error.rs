//! What can go wrong outside a roll: what happened, and what to type next.

use super::exit::ExitStatus;
use super::scope::Scope;
use super::systemd::CallError;

/// Why there was no roll, no plan or no list. The text may have several lines; the last one says
/// what to type next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line is wrong in a way that only shows beside the units.
    #[error("{0}")]
    Usage(String),
    /// No unit is meant by the patterns.
    #[error("nothing matched {what}\n  next: {}", next_list(*scope))]
    NothingMatched {
        /// The patterns, as written.
        what: String,
        /// Where they were looked for.
        scope: Scope,
    },
    /// No roll of this group is on record.
    #[error("no roll of {group} is on record\n  next: {}", next_status(*scope))]
    NoRoll {
        /// The group, as written.
        group: String,
        /// Where it was looked for.
        scope: Scope,
    },
    /// systemd is unreachable, or refuses.
    #[error("{doing}: {source}\n  next: {next}")]
    Systemd {
        /// What was being done.
        doing: String,
        /// What came of it.
        source: CallError,
        /// What to type next.
        next: String,
    },
    /// Another machine is out of sight; what it has begun there goes on.
    #[error("{0}")]
    Unreachable(String),
    /// Nothing was touched, because of this.
    #[error("{0}")]
    Refused(String),
    /// Somebody wanted it to end before all of it had begun.
    #[error("{0}")]
    Interrupted(String),
}

impl Error {
    /// The exit status of `rollctl`.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) => ExitStatus::Usage,
            Self::NothingMatched { .. } | Self::NoRoll { .. } => ExitStatus::NothingMatched,
            Self::Systemd { .. } | Self::Unreachable(_) => ExitStatus::Systemd,
            Self::Refused(_) => ExitStatus::Refused,
            Self::Interrupted(_) => ExitStatus::Interrupted,
        }
    }

    /// systemd did not do what was asked while the units were looked at.
    pub(super) fn systemd(doing: impl Into<String>, source: CallError, scope: Scope) -> Self {
        let next = scope.systemctl("status");
        Self::Systemd { doing: doing.into(), source, next }
    }
}

fn next_status(scope: Scope) -> String {
    let (this, other) = match scope {
        Scope::System => ("rollctl status", "rollctl status --user"),
        Scope::User => ("rollctl status --user", "rollctl status"),
    };
    format!("{this}, or {other} for the other manager")
}

fn next_list(scope: Scope) -> String {
    let (this, other) = match scope {
        Scope::System => ("rollctl list", "rollctl list --user"),
        Scope::User => ("rollctl list --user", "rollctl list"),
    };
    format!("{this}, or {other} for the other manager")
}
