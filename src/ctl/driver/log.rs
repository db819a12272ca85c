//! The one place where what is decided is written down before it is done.

use super::Driver;
use crate::roll::{Action, Event, Hook, Moment, Slot};

impl Driver<'_> {
    /// Writes the records among the actions, synced if any of the others is a step; tells the
    /// report; and returns what may be done now.
    pub(super) fn write_down(&mut self, actions: Vec<Action>, now: Moment) -> Vec<Action> {
        let is_due = actions.iter().any(is_step);
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
        let (back, rest): (Vec<_>, Vec<_>) =
            actions.into_iter().partition(|action| slot_of(action).is_some());
        let path = self.log.path().display();
        let what = format!("its event log {path} cannot be written: {error}");
        let held_back = back.iter().filter_map(slot_of).collect();
        // Before anything else can happen to those that were held back.
        self.events.push_front(Event::LogFailed { what, held_back });
        rest
    }
}

/// Whether it changes something, so that the log must have it first.
fn is_step(action: &Action) -> bool {
    match action {
        Action::Restart(_) | Action::Stop(_) | Action::StopForGood(_) | Action::Start(_) => true,
        Action::Arm { .. } | Action::RunHook { .. } | Action::Finish(_) => true,
        Action::ReadGroup { .. } | Action::ReadUnit { .. } => false,
        Action::Probe { .. } | Action::Disarm(_) | Action::Record(_) => false,
    }
}

/// The instance that a job is asked for, or that is to be drained.
fn slot_of(action: &Action) -> Option<Slot> {
    match action {
        Action::Restart(slot) | Action::Stop(slot) | Action::Start(slot) => Some(*slot),
        Action::RunHook { hook: Hook::BeforeStop, slot, .. } => *slot,
        _ => None,
    }
}
