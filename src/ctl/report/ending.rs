//! The last word of a roll: which unit, why, in what state the rest is, what to type next.

use std::io::{Write, stderr};

use super::{in_millis, listed, say, short};
use crate::ctl::select::Group;
use crate::roll::{Failure, InstanceOutcome, Outcome, Reason, Standing};

/// A roll that is over.
#[derive(Clone, Debug)]
pub struct Ending<'a> {
    /// What was rolled.
    pub group: &'a Group,
    /// How it ended.
    pub outcome: &'a Outcome,
    /// What the first run that failed wrote last.
    pub last_words: Vec<String>,
    /// The groups that would have been rolled next.
    pub not_begun: &'a [Group],
}

impl Ending<'_> {
    /// Says on standard error what went wrong, if anything did.
    pub(super) fn tell_errors(&self) {
        if self.outcome.reason != Reason::Done {
            say(stderr(), &self.error());
        }
    }

    /// Says that all is well, if it is.
    pub(super) fn tell_success(&self, to: impl Write) {
        if self.outcome.reason == Reason::Done {
            let count = self.outcome.instances.len();
            let are = if count == 1 { "instance is" } else { "instances are" };
            let (name, took) = (&self.group.name, in_millis(self.outcome.took));
            say(to, &format!("{name}: {count} {are} new and serving, after {took}"));
        }
    }

    /// The error: what happened, the state of the rest, the last words, what to type next.
    fn error(&self) -> String {
        let mut lines = self.what();
        lines.extend(Some(self.rest()).filter(|rest| !rest.is_empty()));
        lines.extend(self.last_words.iter().map(|line| format!("| {line}")));
        lines.push(format!("next: {}", self.next()));
        format!("rollctl: {}", lines.join("\n  "))
    }

    fn what(&self) -> Vec<String> {
        let name = &self.group.name;
        match &self.outcome.reason {
            Reason::Failed => self.failures().map(|(unit, why)| format!("{unit} {why}")).collect(),
            Reason::GroupSick { what } => {
                vec![format!("{name}: the roll stopped half-way: {what}")]
            }
            Reason::HookFailed { what } => {
                vec![format!("{name}: every instance is new and serves, but {what}")]
            }
            Reason::Refused { what } => vec![format!("{name} was not touched: {what}")],
            Reason::Unreachable { error } => vec![format!("systemd is out of reach: {error}")],
            Reason::Interrupted => vec![format!("{name}: interrupted, not every instance is new")],
            Reason::Done => Vec::new(),
        }
    }

    /// The others, by the state they are left in.
    fn rest(&self) -> String {
        type Is = fn(&InstanceOutcome) -> bool;
        let groups: [(Is, &str, &str); 7] = [
            (|it| it.standing == Standing::Serving, "is new and serves", "are new and serving"),
            (|it| is_left(it, true), "was left alone and serves", "were left alone and serve"),
            (|it| is_left(it, false), "was left alone and is down", "were left alone and are down"),
            (|it| it.standing == Standing::ComingUp, "is coming up", "are coming up"),
            (|it| it.standing == Standing::FailedStopped, "was stopped", "were stopped"),
            (
                |it| it.standing == Standing::FailedLeft,
                "was left as it is",
                "were left as they are",
            ),
            (|it| it.standing == Standing::Unknown, "may be new or old", "may be new or old"),
        ];
        let sentence = |(is, one, many): (Is, &str, &str)| {
            let instances = self.outcome.instances.iter().filter(|it| is(it));
            let names: Vec<&str> = instances.map(|it| short(&it.instance)).collect();
            match names.len() {
                0 => None,
                1 => Some(format!("{} {one}", names[0])),
                _ => Some(format!("{} {many}", listed(&names))),
            }
        };
        let not_begun = self.not_begun.iter().map(|group| format!("{} was not begun", group.name));
        groups.into_iter().filter_map(sentence).chain(not_begun).collect::<Vec<_>>().join("; ")
    }

    fn next(&self) -> String {
        let scope = self.group.scope;
        let list = || format!("rollctl list {}{}", scope.flag(), self.group.name);
        match &self.outcome.reason {
            Reason::Failed => match self.failures().next() {
                Some((_, Failure::Refused { error })) if is_about_rights(error) => {
                    "sudo rollctl …, or a polkit rule for org.freedesktop.systemd1.manage-units"
                        .to_owned()
                }
                Some((_, Failure::NoSocket { what })) => self.socket_in(what).unwrap_or_else(list),
                Some((unit, _)) => scope.journal_of(unit),
                None => list(),
            },
            Reason::GroupSick { what } | Reason::Refused { what } => {
                self.socket_in(what).unwrap_or_else(list)
            }
            Reason::Unreachable { .. } => format!("{}; then {}", scope.systemctl("status"), list()),
            Reason::Interrupted | Reason::HookFailed { .. } | Reason::Done => list(),
        }
    }

    /// How to look at the socket that the sentence is about, if it is about one.
    fn socket_in(&self, what: &str) -> Option<String> {
        let socket = self.group.sockets.iter().find(|socket| what.contains(&socket.unit))?;
        Some(self.group.scope.systemctl(&format!("status {}", socket.unit)))
    }

    fn failures(&self) -> impl Iterator<Item = (&str, &Failure)> {
        let instances = self.outcome.instances.iter();
        instances.filter_map(|it| Some((it.instance.as_str(), it.failure.as_ref()?)))
    }
}

fn is_left(instance: &InstanceOutcome, up: bool) -> bool {
    instance.standing == Standing::Untouched && instance.was_up == up
}

/// systemd's own words for want of rights (polkit's answers).
fn is_about_rights(error: &str) -> bool {
    error.contains("authentication required") || error.contains("Access denied")
}
