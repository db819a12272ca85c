//! What systemd says of a unit at one moment, in types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a systemd job, unique within one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct JobId(pub u32);

/// The id of one run of a unit (`InvocationID`, systemd.exec(5)): new at every start.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Invocation(pub [u8; 16]);

impl Invocation {
    /// Reads the 16 bytes that D-Bus gives; a unit that never ran has none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Invocation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `ActiveState` of a unit (org.freedesktop.systemd1(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActiveState {
    /// Up.
    Active,
    /// Up, and reading its configuration again (`reloading`, `refreshing`).
    Reloading,
    /// Down, as asked.
    #[default]
    Inactive,
    /// Down, and not as asked.
    Failed,
    /// On its way up; also a crashed unit that waits for its automatic restart.
    Activating,
    /// On its way down.
    Deactivating,
    /// Under maintenance, or a state this program does not know.
    Other,
}

impl ActiveState {
    /// Whether the unit is up.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Active | Self::Reloading)
    }

    /// Whether the unit is down and nothing is under way.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Inactive | Self::Failed)
    }
}

impl From<&str> for ActiveState {
    fn from(name: &str) -> Self {
        match name {
            "active" => Self::Active,
            "reloading" | "refreshing" => Self::Reloading,
            "inactive" => Self::Inactive,
            "failed" => Self::Failed,
            "activating" => Self::Activating,
            "deactivating" => Self::Deactivating,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for ActiveState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Reloading => "reloading",
            Self::Inactive => "inactive",
            Self::Failed => "failed",
            Self::Activating => "activating",
            Self::Deactivating => "deactivating",
            Self::Other => "in an unknown state",
        })
    }
}

/// How a systemd job ended (`JobRemoved`, org.freedesktop.systemd1(5)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobResult {
    /// It did what it was asked to.
    Done,
    /// Somebody else's job took its place.
    Canceled,
    /// The unit took longer than its own timeout.
    Timeout,
    /// The unit failed.
    Failed,
    /// A unit that this one requires failed.
    Dependency,
    /// A condition of the unit is not met: nothing was started.
    Skipped,
    /// Any other word of systemd's (`assert`, `unsupported`, `collected`, …).
    #[serde(untagged)]
    Other(String),
}

impl FromStr for JobResult {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "done" => Self::Done,
            "canceled" => Self::Canceled,
            "timeout" => Self::Timeout,
            "failed" => Self::Failed,
            "dependency" => Self::Dependency,
            "skipped" => Self::Skipped,
            other => Self::Other(other.to_owned()),
        })
    }
}

impl fmt::Display for JobResult {
    /// The result as the rest of the sentence "its job …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "was done",
            Self::Canceled => "was canceled by another job",
            Self::Timeout => "timed out",
            Self::Failed => "failed",
            Self::Dependency => "failed because a unit it requires failed",
            Self::Skipped => "was skipped: a condition of the unit is not met",
            Self::Other(word) => return write!(f, "ended as {word:?}"),
        })
    }
}

/// What systemd says of one unit at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitState {
    /// Up, down, or between.
    pub active: ActiveState,
    /// systemd's finer word for the same (`running`, `stop-sigterm`, `auto-restart`, …).
    pub sub: String,
    /// The run it is in, or was in last; `None` if it never ran in this boot.
    pub invocation: Option<Invocation>,
    /// How often systemd restarted it by itself (`NRestarts`).
    pub restarts: u32,
    /// Its main process, if it has one.
    pub main_pid: Option<u32>,
    /// The job that is queued or running for it.
    pub job: Option<JobId>,
    /// The `STATUS=` text that the service sent last.
    pub status: String,
    /// How its last run ended (`Result`: `success`, `exit-code`, `signal`, …).
    pub result: String,
}
