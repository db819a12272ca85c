//! From what was given to what the heart walks by: the defaults, in one place.

use std::time::Duration;

use super::HookCommand;
use super::layers::Policies;
use super::settings::{Given, Limit, Settings};
use crate::ctl::gates::Health;
use crate::roll::{Policy, Turn};
use crate::span::Span;

impl Policies {
    /// How the roll walks as a whole.
    pub fn policy(&self, is_attended: bool) -> Policy {
        let (given, default) = (&self.whole, Policy::default());
        Policy {
            max_unavailable: value(&given.max_unavailable),
            batches: value(&given.batches),
            pause: value(&given.pause).map_or(default.pause, |Span(span)| span),
            on_failure: value(&given.on_failure).unwrap_or(default.on_failure),
            before_roll: is_set(&given.before_roll),
            after_roll: is_set(&given.after_roll),
            hook_timeout: value(&given.hook_timeout).map_or(default.hook_timeout, |Limit(it)| it),
            is_attended,
        }
    }

    /// How an instance is taken whose own unit gives it so long.
    pub fn turn(&self, unit: &str, own_timeout: Duration) -> Turn {
        let (given, default) = (self.of_instance(unit), Turn::default());
        let health_timeout = value(&given.health_timeout).map(|Limit(it)| it);
        Turn {
            timeout: value(&given.timeout).map_or(own_timeout, |Limit(it)| it),
            stop_pause: value(&given.stop_pause).map_or(default.stop_pause, |Span(span)| span),
            health_timeout,
            observe: value(&given.observe).map_or(default.observe, |Span(span)| span),
            // A command ends by itself, or at the end of all patience.
            probe_limit: match self.health_of(unit).is_command() {
                true => Duration::MAX,
                false => default.probe_limit,
            },
            before_stop: is_set(&given.before_stop),
            after_start: is_set(&given.after_start),
            has_dependents: default.has_dependents,
        }
    }

    /// How an instance's health is asked.
    pub fn health_of(&self, unit: &str) -> Health {
        value(&self.of_instance(unit).health).unwrap_or_default()
    }
}

impl Settings {
    /// The value of a key that nobody gave, as it is written.
    pub fn default_of(flag: &str) -> String {
        let (policy, turn) = (Policy::default(), Turn::default());
        match flag {
            "max-unavailable" => "1, or the largest batch".to_owned(),
            "batches" => "as many as may be out of service".to_owned(),
            "pause" => Span(policy.pause).to_string(),
            "on-failure" => policy.on_failure.to_string(),
            "hook-timeout" => Span(policy.hook_timeout).to_string(),
            "stop-pause" => Span(turn.stop_pause).to_string(),
            "timeout" => "see each instance".to_owned(),
            "health" => Health::default().to_string(),
            "health-timeout" => "the timeout".to_owned(),
            "observe" => Span(turn.observe).to_string(),
            _ => "none".to_owned(),
        }
    }
}

fn value<T: Clone>(given: &Option<Given<T>>) -> Option<T> {
    given.as_ref().map(|given| given.value.clone())
}

fn is_set(hook: &Option<Given<HookCommand>>) -> bool {
    hook.as_ref().is_some_and(|given| given.value.0.is_some())
}
