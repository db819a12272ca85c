//! The one place where what is decided is written down before it is done.

use super::Driver;
use crate::roll::{Action, Event, Moment};

impl Driver<'_> {
    /// Writes the records among the actions, synced if any of the others is a step; tells the
    /// report; and returns what may be done now.
    pub(super) fn write_down(&mut self, actions: Vec<Action>, now: Moment) -> Vec<Action> {
        let is_due = actions.iter().any(Action::is_step);
        let mut lines = Vec::new();
        let mut rest = Vec::new();
        for action in actions {
            match action {
                Action::Record(record) => lines.push(self.log.line(now, record)),
                other => rest.push(other),
            }
        }
        let written = self.log.append(&lines, is_due);
        lines.iter().for_each(|line| self.report.record(line));
        match written {
            Err(error) if !self.log_has_failed => self.hold_back(rest, &error),
            // Once the heart knows, whatever it still wants is to bring back what is in hand.
            Ok(()) | Err(_) => rest,
        }
    }

    /// Without a log nobody could go on after our death: no instance is touched any more, but
    /// those in hand, for which the heart asks again.
    fn hold_back(&mut self, actions: Vec<Action>, error: &std::io::Error) -> Vec<Action> {
        self.log_has_failed = true;
        let (back, rest): (Vec<_>, Vec<_>) = actions.into_iter().partition(Action::is_held_back);
        let path = self.log.path().display();
        let what = format!("its event log {path} cannot be written: {error}");
        // Before anything else can happen to those that were held back.
        self.events.push_front(Event::of_failed_log(what, &back));
        rest
    }
}
