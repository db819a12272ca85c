//! How a roll walks, and how each instance is taken.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::share::{Batches, Share};

/// How a roll walks as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many may be out of service at a time; not given, the largest batch.
    pub max_unavailable: Option<Share>,
    /// The sizes of the batches; not given, as many as may be out of service.
    pub batches: Option<Batches>,
    /// The wait between two batches.
    pub pause: Duration,
    /// What follows when an instance fails.
    pub on_failure: OnFailure,
    /// Whether something is to be run before the first step, and may forbid it.
    pub before_roll: bool,
    /// Whether something is to be run after the last one.
    pub after_roll: bool,
    /// How long a hook may take.
    pub hook_timeout: Duration,
    /// Whether somebody is there to be asked.
    pub is_attended: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_unavailable: None,
            batches: None,
            pause: Duration::ZERO,
            on_failure: OnFailure::Stop,
            before_roll: false,
            after_roll: false,
            hook_timeout: Duration::from_secs(5 * 60),
            is_attended: false,
        }
    }
}

/// How one instance is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// How long its stop may take, and then its start; each.
    #[serde(with = "super::seconds")]
    pub timeout: Duration,
    /// The wait between its stop and its start; zero makes the two one job.
    #[serde(with = "super::seconds")]
    pub stop_pause: Duration,
    /// How long it may take to pass the gates once it is up; not given, as long as `timeout`.
    #[serde(skip)]
    pub health_timeout: Option<Duration>,
    /// How long it is watched after it passed the gates.
    #[serde(with = "super::seconds")]
    pub observe: Duration,
    /// A probe without an answer is asked again after this; the driver's own limit is shorter.
    #[serde(skip)]
    pub probe_limit: Duration,
    /// Whether something is to be run before it is stopped.
    pub before_stop: bool,
    /// Whether something is to be run when it is up and passed the gates.
    pub after_start: bool,
    /// Whether other units may go down with it, and are to be brought back.
    #[serde(skip)]
    pub has_dependents: bool,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(120),
            stop_pause: Duration::ZERO,
            health_timeout: None,
            observe: Duration::from_millis(500),
            probe_limit: Duration::from_secs(10),
            has_dependents: false,
            before_stop: false,
            after_start: false,
        }
    }
}

/// What follows when an instance fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing new begins.
    #[default]
    Stop,
    /// The others have their turns, as far as the group can bear it.
    Continue,
}

impl FromStr for OnFailure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stop" => Ok(Self::Stop),
            "continue" => Ok(Self::Continue),
            _ => Err(format!("{text:?} is neither stop nor continue")),
        }
    }
}

impl fmt::Display for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Continue => "continue",
        })
    }
}

/// A command of the administrator's at a certain step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// Before the first step of the roll: may forbid it.
    BeforeRoll,
    /// Before an instance is stopped: a balancer's drain.
    BeforeStop,
    /// When an instance is up and passed the gates: a balancer's return.
    AfterStart,
    /// After the last step, however it went.
    AfterRoll,
}

impl Hook {
    /// Its name in a unit file.
    pub fn key(self) -> &'static str {
        match self {
            Self::BeforeRoll => "BeforeRoll=",
            Self::BeforeStop => "BeforeStop=",
            Self::AfterStart => "AfterStart=",
            Self::AfterRoll => "AfterRoll=",
        }
    }

    /// The word that the command itself is told (`ROLL_STEP`).
    pub fn step(self) -> &'static str {
        match self {
            Self::BeforeRoll => "before-roll",
            Self::BeforeStop => "before-stop",
            Self::AfterStart => "after-start",
            Self::AfterRoll => "after-roll",
        }
    }
}
