//! Where an instance is in its roll: the words of code, help, log and JSON alike.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an instance is in its roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Its turn has not come.
    Pending,
    /// It was told to stop and drains.
    Stopping,
    /// It is down by our hand, for the stop-pause.
    Stopped,
    /// It was told to start and is not ready yet.
    Starting,
    /// It says that it is ready; the gates look whether it is true.
    Probing,
    /// The gates passed; it is watched for a while.
    Observing,
    /// It is new and serves.
    Serving,
    /// It did not come back.
    Failed,
}

impl Phase {
    /// Whether the instance's turn has begun and not ended.
    pub fn is_in_flight(self) -> bool {
        !matches!(self, Self::Pending | Self::Serving | Self::Failed)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Probing => "probing",
            Self::Observing => "observing",
            Self::Serving => "serving",
            Self::Failed => "failed",
        })
    }
}
