//! The last word of a roll, to people.

use std::io::{Write, stderr};

use super::{in_millis, say};
use crate::roll::{LastWord, Outcome, Reason};

/// A roll that is over.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// The group's name.
    pub group: &'a str,
    /// How it ended.
    pub outcome: &'a Outcome,
    /// What is to be known when it did not end well.
    pub last_word: Option<&'a LastWord>,
}

impl Ending<'_> {
    /// Says on standard error what went wrong, if anything did.
    pub(super) fn tell_errors(&self) {
        if let Some(LastWord { text, next, .. }) = self.last_word {
            say(stderr(), &format!("rollctl: {}\n  next: {next}", text.join("\n  ")));
        }
    }

    /// Says that all is well, if it is.
    pub(super) fn tell_success(&self, to: impl Write) {
        if self.outcome.reason == Reason::Done {
            let count = self.outcome.instances.len();
            let are = if count == 1 { "instance is" } else { "instances are" };
            let (name, took) = (&self.group, in_millis(self.outcome.took));
            say(to, &format!("{name}: {count} {are} new and serving, after {took}"));
        }
    }
}
