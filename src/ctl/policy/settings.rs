//! Every setting of a roll, in one table: its key in `[X-Roll]`, its flag, whom it concerns.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::command_line::HookCommand;
use crate::ctl::gates::Health;
use crate::roll::{Batches, OnFailure, Share};
use crate::span::Span;

/// A value, and where it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub from: Origin,
}

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    CommandLine,
    /// In this line of this file.
    File(Arc<Path>, usize),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// Whom a setting concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The roll as a whole: its word is the group's.
    Whole,
    /// Each instance: its word is the instance's own.
    Instance,
}

/// What a key is called, and whom it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// In a unit file.
    pub name: &'static str,
    /// On the command line, without the dashes.
    pub flag: &'static str,
    /// Whom it concerns.
    pub about: About,
}

/// A time that must not be zero: with no time at all every instance would fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub Duration);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<Span>() {
            Ok(Span(Duration::ZERO)) => Err("it must be longer than nothing".to_owned()),
            Ok(Span(span)) => Ok(Self(span)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span(self.0).fmt(f)
    }
}

/// One row: field, type, key, flag, whom it concerns.
macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $type:ty, $name:literal, $flag:literal, $about:ident;)*) => {
        /// What was given, each with where; nothing given is the default.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Settings {
            $($(#[$doc])* pub $field: Option<Given<$type>>,)*
        }

        impl Settings {
            /// Every key there is.
            pub const KEYS: &[Key] =
                &[$(Key { name: $name, flag: $flag, about: About::$about }),*];

            /// Reads a value; an empty one takes back what was given before.
            ///
            /// # Errors
            ///
            /// What is wrong with it, in a line. A key that is none is left alone.
            pub fn set(&mut self, key: &Key, text: &str, from: Origin) -> Result<(), String> {
                match key.name {
                    $($name => self.$field = read(text, from)?,)*
                    _ => {}
                }
                Ok(())
            }

            /// These, with `over` before them.
            pub fn under(&self, over: &Self) -> Self {
                Self { $($field: over.$field.as_ref().or(self.$field.as_ref()).cloned(),)* }
            }

            /// What was given for a key, as it is written, and where.
            pub fn told(&self, key: &Key) -> Option<(String, &Origin)> {
                match key.name {
                    $($name => {
                        self.$field.as_ref().map(|given| (given.value.to_string(), &given.from))
                    })*
                    _ => None,
                }
            }
        }
    };
}

settings! {
    /// How many may be out of service at a time.
    max_unavailable: Share, "MaxUnavailable", "max-unavailable", Whole;
    /// The sizes of the batches.
    batches: Batches, "Batches", "batches", Whole;
    /// The wait between two batches.
    pause: Span, "PauseSec", "pause", Whole;
    /// What follows when an instance fails.
    on_failure: OnFailure, "OnFailure", "on-failure", Whole;
    /// Run before the first step; it may forbid the roll.
    before_roll: HookCommand, "BeforeRoll", "before-roll", Whole;
    /// Run after the last step, however it went.
    after_roll: HookCommand, "AfterRoll", "after-roll", Whole;
    /// How long a hook may take.
    hook_timeout: Limit, "HookTimeoutSec", "hook-timeout", Whole;
    /// The wait between an instance's stop and its start.
    stop_pause: Span, "StopPauseSec", "stop-pause", Instance;
    /// How long an instance may take to stop, and to start; each.
    timeout: Limit, "TimeoutSec", "timeout", Instance;
    /// How its health is asked.
    health: Health, "HealthCheck", "health", Instance;
    /// How long it may take to be healthy once it is up.
    health_timeout: Limit, "HealthTimeoutSec", "health-timeout", Instance;
    /// How long it is watched after it passed the gates.
    observe: Span, "ObserveSec", "observe", Instance;
    /// Run before it is stopped.
    before_stop: HookCommand, "BeforeStop", "before-stop", Instance;
    /// Run when it is up and passed the gates.
    after_start: HookCommand, "AfterStart", "after-start", Instance;
}

impl Settings {
    /// The key of this name.
    pub fn key(name: &str) -> Option<&'static Key> {
        Self::KEYS.iter().find(|key| key.name == name)
    }
}

fn read<T>(text: &str, from: Origin) -> Result<Option<Given<T>>, String>
where
    T: FromStr<Err: fmt::Display>,
{
    if text.is_empty() {
        return Ok(None);
    }
    let value = text.parse().map_err(|error: T::Err| error.to_string())?;
    Ok(Some(Given { value, from }))
}
