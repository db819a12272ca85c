//! The roll's log, line by line: what progress, plain lines and JSON are made of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::last_word::LastWord;
use super::outcome::{Failure, Outcome};
use super::phase::Phase;
use super::policy::Hook;

/// One line of the roll's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, strum::EnumDiscriminants)]
#[strum_discriminants(name(RecordKind), derive(strum::VariantArray))]
#[strum_discriminants(doc = "The kinds of records: each a moment at which a roll may be killed.")]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// The roll begins.
    RollBegan {
        /// The members, in the order of their turns.
        instances: Vec<String>,
        /// How many batches they are taken in.
        batches: usize,
    },
    /// A batch begins.
    BatchBegan {
        /// Counted from one.
        batch: usize,
        /// How many there are.
        of: usize,
        /// The members of this one.
        instances: Vec<String>,
    },
    /// An instance went on to its next phase.
    PhaseChanged {
        /// The instance.
        instance: String,
        /// Where it is now.
        phase: Phase,
        /// How long it was in the phase before.
        #[serde(with = "super::seconds")]
        after: Duration,
    },
    /// The instance's own `STATUS=` text changed.
    Status {
        /// The instance.
        instance: String,
        /// Its text.
        text: String,
    },
    /// Something is not as it should be, and what happens instead.
    Note {
        /// The instance, if it is one.
        instance: Option<String>,
        /// The sentence.
        text: String,
    },
    /// A hook begins.
    HookBegan {
        /// The hook.
        hook: Hook,
        /// The instance, if it is one's.
        instance: Option<String>,
    },
    /// A hook printed a line.
    HookSaid {
        /// The hook.
        hook: Hook,
        /// The instance, if it is one's.
        instance: Option<String>,
        /// The line.
        line: String,
    },
    /// A hook ended.
    HookEnded {
        /// The hook.
        hook: Hook,
        /// The instance, if it is one's.
        instance: Option<String>,
        /// Why it failed, if it did.
        error: Option<String>,
        /// How long it took.
        #[serde(with = "super::seconds")]
        after: Duration,
    },
    /// A check cannot tell whether the instance serves: a person is to decide.
    InDoubt {
        /// The instance.
        instance: String,
        /// What the check said.
        text: String,
    },
    /// An instance failed.
    InstanceFailed {
        /// The instance.
        instance: String,
        /// Why.
        failure: Failure,
    },
    /// Units that are no instances had gone down with one.
    Dependents {
        /// The instance.
        instance: String,
        /// Those that were brought back.
        up: Vec<String>,
        /// Those that are down still.
        down: Vec<String>,
    },
    /// The roll waits between two batches.
    Pausing {
        /// For so long.
        #[serde(with = "super::seconds")]
        span: Duration,
    },
    /// The wait between two batches is another one from now on.
    PauseLength {
        /// So long.
        #[serde(with = "super::seconds")]
        span: Duration,
    },
    /// The roll stands still: what is in hand is finished, nothing new begins.
    Paused {
        /// Who wanted it.
        by: String,
    },
    /// The roll goes on.
    Resumed {
        /// Who wanted it.
        by: String,
    },
    /// Somebody wants the roll to end.
    Interrupted {
        /// How often that was said.
        times: u32,
        /// Who wanted it; nobody is known of a signal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// The roll is over.
    RollEnded {
        /// How.
        outcome: Outcome,
    },
    /// What an operator should know of a roll that did not end well.
    Explained(LastWord),
}

impl RecordKind {
    /// All of them.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;
}
