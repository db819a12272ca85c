//! The one place where what is decided is written down before it is done.

use std::io;

use crate::ctl::log::EventLog;
use crate::ctl::report::Report;
use crate::roll::{Action, Event, Moment};

/// The log of a roll, and who is told beside it.
pub(super) struct Ledger<'a> {
    log: &'a mut EventLog,
    report: &'a mut dyn Report,
    has_failed: bool,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(log: &'a mut EventLog, report: &'a mut dyn Report) -> Self {
        Self { log, report, has_failed: false }
    }

    /// Writes the records among the actions, synced if any of the others is a step, and tells the
    /// report. Returns what may be done now; and when it could not be written, what the heart is to
    /// be told before anything else.
    pub(super) fn enter(
        &mut self,
        actions: Vec<Action>,
        now: Moment,
    ) -> (Vec<Action>, Option<Event>) {
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
            Err(error) if !self.has_failed => self.hold_back(rest, &error),
            // Once the heart knows, whatever it still wants is to bring back what is in hand.
            Ok(()) | Err(_) => (rest, None),
        }
    }

    /// Without a log nobody could go on after our death: no instance is touched any more, but
    /// those in hand, for which the heart asks again.
    fn hold_back(
        &mut self,
        actions: Vec<Action>,
        error: &io::Error,
    ) -> (Vec<Action>, Option<Event>) {
        self.has_failed = true;
        let (back, rest): (Vec<_>, Vec<_>) = actions.into_iter().partition(Action::is_held_back);
        let path = self.log.path().display();
        let what = format!("its event log {path} cannot be written: {error}");
        (rest, Some(Event::of_failed_log(what, &back)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::log::{Beginning, Shelf};
    use crate::ctl::report::Output;
    use crate::roll::{Phase, Record, Slot};
    use std::fs;

    fn step() -> Vec<Action> {
        let instance = "worker@1.service".to_owned();
        let (phase, after) = (Phase::Stopping, Default::default());
        let record = Record::PhaseChanged { instance, phase, after };
        vec![Action::Record(record), Action::Restart(Slot(0))]
    }

    #[test]
    fn what_may_be_done_is_written_down() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path());
        let mut log = EventLog::begin(&shelf, "worker", &Beginning::default()).unwrap();
        let path = log.path().to_owned();
        let mut report = Output::Quiet.to_people("worker", &[], false);
        let mut ledger = Ledger::new(&mut log, &mut *report);
        let (done, event) = ledger.enter(step(), Moment::default());
        assert_eq!((done, event), (vec![Action::Restart(Slot(0))], None));
        let text = fs::read_to_string(path).unwrap();
        assert!(text.lines().last().unwrap().contains("\"phase\":\"stopping\""), "{text}");
    }

    #[test]
    fn what_cannot_be_written_down_is_not_done_and_the_heart_is_told() {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut log = EventLog::on(full);
        let mut report = Output::Quiet.to_people("worker", &[], false);
        let mut ledger = Ledger::new(&mut log, &mut *report);
        let (done, event) = ledger.enter(step(), Moment::default());
        assert_eq!(done, []);
        let Some(Event::LogFailed { held_back, opening: false, .. }) = event else {
            panic!("{event:?}")
        };
        assert_eq!(held_back, [Slot(0)]);
        // It asks again for what is in hand, and nothing stands in its way.
        let (done, event) = ledger.enter(step(), Moment::default());
        assert_eq!((done, event), (vec![Action::Restart(Slot(0))], None));
    }
}
