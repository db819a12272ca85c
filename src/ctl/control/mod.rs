//! The way into a roll under way from another terminal: a socket beside its lock.
//!
//! ```text
//! rollctl pause worker ──► /run/rollctl/worker.sock ──► Orders ─► the heart
//!                      ◄── taken in: from here on it holds
//! ```
//!
//! One JSON object a line each way. The socket is there for as long as the roll is, whoever began
//! it: a terminal, `roll@worker`, `systemctl reload`. Only the roll's own user and root may speak;
//! members of the group `rollctl` may ask whether it is there.

mod client;
mod server;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::log::file_name;
use super::scope::Scope;

pub use client::{give, owner};
pub use server::Control;

/// What may be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Command {
    /// Let nothing new begin.
    Pause,
    /// Go on.
    Resume,
    /// Finish what is in hand, and end.
    Abort,
    /// Wait longer between two batches.
    Longer,
    /// Wait shorter between two batches.
    Shorter,
    /// The one in doubt serves.
    Accept,
    /// The one in doubt has failed.
    Reject,
    /// Ask the one in doubt again.
    Retry,
}

/// What is answered once an order holds.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    taken: bool,
}

fn path(scope: Scope, group: &str) -> PathBuf {
    scope.runtime_dir().join("rollctl").join(format!("{}.sock", file_name(group)))
}
