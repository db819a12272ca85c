//! What people want of a roll under way: to stand still, to go on, to end.
//!
//! ```text
//!          pause                              what is in hand is finished
//! walking ◄─────► paused        walking, paused ─── abort ───► winding down ─► Over
//!          resume                                    a second interrupt lets go
//! ```
//!
//! While it is paused no clock of the roll runs: not that of a pause, nor that of a check.

use std::time::Duration;

use super::{Next, Roll, Stage};
use crate::roll::event::{Action, Moment, Slot};
use crate::roll::instance::Instance;
use crate::roll::record::Record;

impl Roll {
    /// Whether what would come next has to wait. The end of a roll is nothing new.
    pub(super) fn is_held(&self) -> bool {
        self.paused.is_some() && self.comes_next() != Some(Next::End)
    }

    fn comes_next(&self) -> Option<Next> {
        match self.stage {
            Stage::Checking { then, .. } | Stage::Settling { then } => Some(then),
            Stage::Opening(_) => Some(Next::Begin(0)),
            Stage::Batch(part) => Some(self.after(part)),
            Stage::Pausing { next, .. } => Some(Next::Begin(next)),
            Stage::Unbegun | Stage::Ending(_) | Stage::Over => None,
        }
    }

    pub(super) fn pause(&mut self, by: String, now: Moment, actions: &mut Vec<Action>) {
        if self.paused.is_none() {
            self.paused = Some(now);
            actions.push(Action::Record(Record::Paused { by }));
        }
    }

    pub(super) fn resume(&mut self, by: String, now: Moment, actions: &mut Vec<Action>) {
        let Some(paused) = self.paused.take() else { return };
        actions.push(Action::Record(Record::Resumed { by }));
        match self.stage {
            Stage::Pausing { since, next } => {
                self.stage = Stage::Pausing { since: since + now.since(paused), next };
            }
            // Who knows what happened meanwhile.
            Stage::Checking { then, .. } => self.check(then, now, actions),
            _ => {}
        }
    }

    pub(super) fn pause_for(&mut self, span: Duration, actions: &mut Vec<Action>) {
        self.pause = span;
        actions.push(Action::Record(Record::PauseLength { span }));
    }

    pub(super) fn abort(&mut self, by: String, now: Moment, actions: &mut Vec<Action>) {
        if self.interrupts == 0 {
            self.interrupted(Some(by), now, actions);
        }
    }

    pub(super) fn interrupted(
        &mut self,
        by: Option<String>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        self.interrupts += 1;
        actions.push(Action::Record(Record::Interrupted { times: self.interrupts, by }));
        match self.interrupts {
            1 => self.each(now, actions, Instance::hurry),
            _ => self.each(now, actions, Instance::let_go),
        }
    }

    /// Nothing new begins without a log.
    pub(super) fn log_failed(&mut self, what: String) {
        if self.sickness.is_none() {
            self.sickness = Some(self.blame(what));
        }
    }

    /// What was not done because it could not be written down is taken back.
    pub(super) fn hold_back(
        &mut self,
        slots: Vec<Slot>,
        opening: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        for slot in slots {
            self.with(slot, now, actions, Instance::hold_back);
        }
        if opening {
            self.is_open = false;
            // As after a batch: nothing is in hand.
            self.stage = Stage::Batch(0);
        }
    }
}
