//! What must be on disk before it is done, and what is not done when it cannot be.
//!
//! ```text
//! actions ─► records written ─► done
//!                 └ failed ─► jobs and first hooks held back ─► LogFailed ─► what is in hand
//! ```
//!
//! The driver and the simulation act on this alike.

use super::event::{Action, Event};
use super::policy::Hook;

impl Action {
    /// Whether it changes something, so that the log must have it first, synced.
    pub fn is_step(&self) -> bool {
        match self {
            Self::Restart(_) | Self::Stop(_) | Self::StopForGood(_) | Self::Start(_) => true,
            Self::BringBack(_) | Self::Arm { .. } | Self::RunHook { .. } | Self::Finish(_) => true,
            Self::ReadGroup { .. } | Self::ReadUnit { .. } | Self::Probe { .. } => false,
            Self::Disarm(_) | Self::Record(_) => false,
        }
    }

    /// Whether it is not done when the log has just failed. The heart asks again for those in hand.
    pub fn is_held_back(&self) -> bool {
        match self {
            Self::Restart(_) | Self::Stop(_) | Self::Start(_) => true,
            Self::RunHook { hook, .. } => matches!(hook, Hook::BeforeRoll | Hook::BeforeStop),
            _ => false,
        }
    }
}

impl Event {
    /// What the heart is told of a log that failed with these actions held back.
    pub fn of_failed_log(what: String, held_back: &[Action]) -> Self {
        let slot = |action: &Action| match action {
            Action::Restart(slot) | Action::Stop(slot) | Action::Start(slot) => Some(*slot),
            Action::RunHook { slot, .. } => *slot,
            _ => None,
        };
        let is_opening = |it: &Action| matches!(it, Action::RunHook { hook: Hook::BeforeRoll, .. });
        Self::LogFailed {
            what,
            held_back: held_back.iter().filter_map(slot).collect(),
            opening: held_back.iter().any(is_opening),
        }
    }
}
