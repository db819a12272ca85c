//! How a roll ended, and the one table of exit statuses.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::phase::Phase;
use super::policy::Hook;
use super::unit::{ActiveState, JobResult};
use crate::span::Span;

/// Why an instance failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Failure {
    /// systemd would not take the job.
    Refused {
        /// systemd's reason.
        error: String,
    },
    /// The job ended, but not as `done`.
    Job {
        /// How it ended.
        result: JobResult,
        /// systemd's word for how the unit's run ended (`timeout`, `exit-code`, …).
        unit: String,
    },
    /// The job is gone, its result was lost, and the unit is not up.
    NotUp {
        /// What the unit is instead.
        active: ActiveState,
        /// systemd's word for how its run ended.
        result: String,
    },
    /// The job was done and yet the unit is still in its old run.
    NotNew,
    /// It came up and ended by itself again.
    Died {
        /// How often systemd restarted it since.
        restarts: u32,
        /// systemd's word for how its run ended.
        result: String,
    },
    /// It is up and does not pass the gates.
    Unhealthy {
        /// What the last gate said.
        last: String,
        /// How long it was asked.
        #[serde(with = "super::seconds")]
        within: Duration,
    },
    /// It came up while a socket of its group was down: not its fault, and no reason to stop it.
    NoSocket {
        /// Which socket, and what it is instead.
        what: String,
    },
    /// It took longer than the instance's timeout.
    TimedOut {
        /// The phase it did not leave.
        phase: Phase,
        /// The timeout.
        #[serde(with = "super::seconds")]
        within: Duration,
    },
    /// A hook of the administrator's failed.
    Hook {
        /// The hook.
        hook: Hook,
        /// Why, as the rest of a sentence.
        error: String,
    },
    /// A check could not tell, and a person decided against it.
    Rejected {
        /// What the check said.
        last: String,
    },
    /// Somebody else stopped, started or restarted it meanwhile.
    TakenOver {
        /// What was seen.
        seen: String,
    },
}

impl Failure {
    /// Whether no policy goes on after it: somebody else is at work, or the group is not well.
    pub fn ends_every_roll(&self) -> bool {
        matches!(self, Self::TakenOver { .. } | Self::NoSocket { .. })
    }
}

impl fmt::Display for Failure {
    /// The failure as the rest of a sentence that begins with the unit's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { error } => write!(f, "was not touched, systemd refused: {error}"),
            Self::Job { result, unit } => {
                write!(f, "did not come back: its job {result} (result {unit})")
            }
            Self::NotUp { active, result } => {
                write!(f, "did not come back: it is {active} (result {result})")
            }
            Self::NotNew => {
                write!(f, "was not restarted: its job was done, its run is the old one")
            }
            Self::Died { restarts: 0, result } => {
                write!(f, "came up and ended again (result {result})")
            }
            Self::Died { restarts, result } => {
                write!(f, "came up and ended again (result {result}, {restarts} restarts)")
            }
            Self::Unhealthy { last, within } => {
                write!(f, "did not become healthy within {}: {last}", Span(*within))
            }
            Self::NoSocket { what } => write!(f, "came up without the group's socket: {what}"),
            Self::TimedOut { phase, within } => {
                write!(f, "was still {phase} after {}", Span(*within))
            }
            Self::Hook { hook: Hook::BeforeStop, error } => {
                write!(f, "was not stopped: its BeforeStop= {error}")
            }
            Self::Hook { hook, error } => write!(f, "is up, but its {} {error}", hook.key()),
            Self::Rejected { last } => write!(f, "was rejected by you: {last}"),
            Self::TakenOver { seen } => write!(f, "was taken over by others: {seen}"),
        }
    }
}

/// In what state the roll leaves an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// New and serving.
    Serving,
    /// Its turn never came: as it was before.
    Untouched,
    /// The last word was a start or restart that systemd still works on.
    ComingUp,
    /// Failed, and stopped for good by us.
    FailedStopped,
    /// Failed, and left as it is.
    FailedLeft,
    /// In the middle of its turn when systemd went out of reach.
    Unknown,
}

/// One instance at the end of a roll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceOutcome {
    /// Its unit name.
    pub instance: String,
    /// In what state it is left.
    pub standing: Standing,
    /// Whether it was up when it was last looked at.
    #[serde(alias = "was_up")]
    pub is_up: bool,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// From its first step to its last; zero if untouched.
    #[serde(with = "super::seconds")]
    pub took: Duration,
}

/// Why a roll ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// Every instance serves.
    Done,
    /// At least one instance failed, and the rest was left alone.
    Failed,
    /// The group as a whole got worse on the way.
    GroupSick {
        /// What is wrong.
        what: String,
    },
    /// Every instance serves, and yet not all is well: the hook after the roll failed.
    HookFailed {
        /// The hook, and why.
        what: String,
    },
    /// Nothing was touched, because of this.
    Refused {
        /// What is wrong, and what to do first.
        what: String,
    },
    /// systemd cannot be reached, or does not let us.
    Unreachable {
        /// The last error.
        error: String,
    },
    /// Somebody wanted it to end.
    Interrupted,
}

impl Reason {
    /// The word for it, in the log and for hooks (`ROLL_RESULT`).
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::GroupSick { .. } => "group_sick",
            Self::HookFailed { .. } => "hook_failed",
            Self::Refused { .. } => "refused",
            Self::Unreachable { .. } => "unreachable",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The end of a roll: why, and in what state each instance is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Why it ended.
    #[serde(flatten)]
    pub reason: Reason,
    /// Every member, in the plan's order.
    pub instances: Vec<InstanceOutcome>,
    /// From beginning to end.
    #[serde(with = "super::seconds")]
    pub took: Duration,
}

impl Outcome {
    /// The exit status of `rollctl`: the table of rollctl(1) and docs/architecture.md.
    pub fn exit_status(&self) -> u8 {
        match &self.reason {
            Reason::Done => 0,
            Reason::Failed if self.all_refused() => 4,
            Reason::Failed | Reason::GroupSick { .. } | Reason::HookFailed { .. } => 1,
            Reason::Unreachable { .. } => 4,
            Reason::Refused { .. } => 5,
            Reason::Interrupted => 130,
        }
    }

    fn all_refused(&self) -> bool {
        let mut failures = self.instances.iter().filter_map(|i| i.failure.as_ref());
        failures.all(|failure| matches!(failure, Failure::Refused { .. }))
    }
}
