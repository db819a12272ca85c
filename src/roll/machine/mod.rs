//! The walk over the batches: what begins when, and when it is over.
//!
//! ```text
//! Unbegun ─► Checking ─► Batch ─► Checking ─► Pausing ─► Checking ─► Batch … ─► Over
//! ```
//!
//! After a failure or an interrupt nothing new begins; what is in flight is brought to its end.
//! The same holds while it is paused, until it goes on from where it was.

mod checking;
mod pacing;

use std::time::Duration;

use super::event::{Action, Event, GroupState, Moment, Slot, Ticket};
use super::instance::{Context, Instance};
use super::outcome::{Outcome, Reason};
use super::phase::Phase;
use super::plan::Plan;
use super::record::Record;

/// A roll under way.
#[derive(Debug)]
pub struct Roll {
    plan: Plan,
    instances: Vec<Instance>,
    stage: Stage,
    group: GroupState,
    interrupts: u32,
    last_ticket: Ticket,
    /// The wait between two batches: the policy's, until somebody wants another.
    pause: Duration,
    /// Since when it is paused.
    paused: Option<Moment>,
    /// What is wrong with the group as a whole.
    sickness: Option<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Unbegun,
    Checking { then: Next, since: Moment, again: Moment, valid_from: Ticket },
    Batch(usize),
    Pausing { since: Moment, next: usize },
    Over,
}

/// What follows when the group is found in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Begin(usize),
    PauseBefore(usize),
    End,
}

impl Roll {
    /// A roll that has not begun; the first [`Event::Tick`] begins it.
    pub fn new(plan: Plan) -> Self {
        let members = plan.members().iter().enumerate();
        let instances = members.map(|(i, member)| Instance::new(Slot(i), member.clone())).collect();
        Self {
            pause: plan.policy().pause,
            plan,
            instances,
            stage: Stage::Unbegun,
            group: GroupState::default(),
            interrupts: 0,
            last_ticket: Ticket::default(),
            paused: None,
            sickness: None,
        }
    }

    /// What it walks.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes what happened and what time it is, and returns what to do, in order.
    ///
    /// Once [`Action::Finish`] was returned, every further event is ignored.
    pub fn handle(&mut self, event: Event, now: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.stage != Stage::Over {
            self.take(event, now, &mut actions);
        }
        if self.stage != Stage::Over {
            self.tick(now, &mut actions);
            self.walk_on(now, &mut actions);
        }
        actions
    }

    /// When it wants an [`Event::Tick`] if nothing happens before; `None` once it is over, and
    /// while it is paused and nothing is in hand.
    pub fn wake_at(&self) -> Option<Moment> {
        let of_an_instance = self.instances.iter().filter_map(Instance::wake_at).min();
        of_an_instance.or(match self.stage {
            _ if self.is_held() => None,
            Stage::Unbegun => Some(Moment::default()),
            Stage::Checking { again, .. } => Some(again),
            Stage::Pausing { since, .. } => Some(since + self.pause),
            Stage::Batch(_) | Stage::Over => None,
        })
    }

    fn take(&mut self, event: Event, now: Moment, actions: &mut Vec<Action>) {
        match event {
            Event::Tick => self.begin(now, actions),
            Event::Group { ticket, state } => self.group_was_read(ticket, state, now, actions),
            Event::Unit { slot, ticket, state } => {
                self.with(slot, now, actions, |it, cx| it.read(ticket, state, cx));
            }
            Event::JobQueued { slot, job } => {
                self.with(slot, now, actions, |it, cx| it.queued(job, cx));
            }
            Event::JobRefused { slot, why } => {
                self.with(slot, now, actions, |it, cx| it.refused(why, cx));
            }
            Event::JobUnheard { slot } => self.with(slot, now, actions, |it, cx| it.unheard(cx)),
            Event::JobRemoved { slot, job, result } => {
                self.with(slot, now, actions, |it, cx| it.removed(job, result, cx));
            }
            Event::Changed { slot } => self.with(slot, now, actions, |it, _| it.changed()),
            Event::Probed { slot, ticket, verdict } => {
                self.with(slot, now, actions, |it, cx| it.probed(ticket, verdict, cx));
            }
            Event::Reconnected => self.reconnected(now, actions),
            Event::Unreachable { why } => {
                self.finish(Reason::Unreachable { error: why }, now, actions);
            }
            Event::Interrupted => self.interrupted(None, now, actions),
            Event::Abort { by } => self.abort(by, now, actions),
            Event::Pause { by } => self.pause(by, now, actions),
            Event::Resume { by } => self.resume(by, now, actions),
            Event::Longer(span) => self.pause_for(self.pause.saturating_add(span), actions),
            Event::Shorter(span) => self.pause_for(self.pause.saturating_sub(span), actions),
            Event::LogFailed { what, held_back } => self.log_failed(what, held_back, now, actions),
        }
    }

    fn begin(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.stage != Stage::Unbegun {
            return;
        }
        let instances = self.plan.members().iter().map(|member| member.unit.clone()).collect();
        let batches = self.plan.batches().len();
        actions.push(Action::Record(Record::RollBegan { instances, batches }));
        self.check(Next::Begin(0), now, actions);
    }

    fn go_on(&mut self, next: Next, now: Moment, actions: &mut Vec<Action>) {
        match next {
            Next::Begin(batch) => self.begin_batch(batch, now, actions),
            Next::PauseBefore(next) => {
                self.stage = Stage::Pausing { since: now, next };
                actions.push(Action::Record(Record::Pausing { span: self.pause }));
            }
            Next::End => self.finish(Reason::Done, now, actions),
        }
    }

    fn begin_batch(&mut self, batch: usize, now: Moment, actions: &mut Vec<Action>) {
        self.stage = Stage::Batch(batch);
        let slots = self.plan.batches()[batch].clone();
        let unit = |slot: &Slot| self.plan.member(*slot).unit.clone();
        actions.push(Action::Record(Record::BatchBegan {
            batch: batch + 1,
            of: self.plan.batches().len(),
            instances: slots.iter().map(unit).collect(),
        }));
        for slot in slots {
            let found = self.group.members.get(slot.0).cloned().unwrap_or_default();
            self.with(slot, now, actions, |instance, cx| instance.begin(found, cx));
        }
    }

    fn reconnected(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.each(now, actions, Instance::reconnected);
        if let Stage::Checking { again, .. } = &mut self.stage {
            *again = now;
        }
    }

    /// Only those whose moment has come: there may be thousands.
    fn tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        for slot in 0..self.instances.len() {
            if self.instances[slot].wake_at().is_some_and(|moment| moment <= now) {
                self.with(Slot(slot), now, actions, Instance::tick);
            }
        }
    }

    /// Whatever the event was: what follows from where everything is now?
    fn walk_on(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.must_wind_down() {
            self.each(now, actions, Instance::stand_back);
        }
        if self.instances.iter().any(Instance::is_busy) {
            return;
        }
        if self.must_wind_down() && !self.is_checking_its_end() && !self.has_come_through() {
            let reason = self.reason_to_end();
            return self.finish(reason, now, actions);
        }
        match self.stage {
            _ if self.is_held() => {}
            Stage::Batch(batch) => self.check(self.after(batch), now, actions),
            Stage::Pausing { since, next } if now >= since + self.pause => {
                self.check(Next::Begin(next), now, actions);
            }
            Stage::Checking { .. } => self.check_again(now, actions),
            _ => {}
        }
    }

    fn after(&self, batch: usize) -> Next {
        match (batch + 1 < self.plan.batches().len(), self.pause.is_zero()) {
            (false, _) => Next::End,
            (true, true) => Next::Begin(batch + 1),
            (true, false) => Next::PauseBefore(batch + 1),
        }
    }

    /// Nothing new begins any more.
    fn must_wind_down(&self) -> bool {
        self.interrupts > 0 || self.sickness.is_some() || self.any_failed()
    }

    fn any_failed(&self) -> bool {
        self.instances.iter().any(Instance::has_failed)
    }

    /// An interrupt after the last instance does not keep the roll from ending well.
    fn is_checking_its_end(&self) -> bool {
        let at_end = matches!(self.stage, Stage::Checking { then: Next::End, .. });
        at_end && self.interrupts == 1 && self.sickness.is_none() && !self.any_failed()
    }

    /// An interrupt during the last batch stops nothing: it was finished, and so is the roll.
    fn has_come_through(&self) -> bool {
        let all_serve = self.instances.iter().all(|it| it.phase() == Phase::Serving);
        all_serve && self.interrupts == 1 && self.sickness.is_none()
    }

    fn reason_to_end(&mut self) -> Reason {
        match self.sickness.take() {
            _ if self.any_failed() => Reason::Failed,
            Some(sickness) => sickness,
            None => Reason::Interrupted,
        }
    }

    fn finish(&mut self, reason: Reason, now: Moment, actions: &mut Vec<Action>) {
        self.stage = Stage::Over;
        let instances = self.instances.iter().map(Instance::outcome).collect();
        let outcome = Outcome { reason, instances, took: now.0 };
        actions.push(Action::Record(Record::RollEnded { outcome: outcome.clone() }));
        actions.push(Action::Finish(outcome));
    }

    fn each(
        &mut self,
        now: Moment,
        actions: &mut Vec<Action>,
        act: fn(&mut Instance, &mut Context),
    ) {
        for slot in 0..self.instances.len() {
            self.with(Slot(slot), now, actions, act);
        }
    }

    /// Lets one instance act, with what it needs from the rest.
    fn with(
        &mut self,
        slot: Slot,
        now: Moment,
        actions: &mut Vec<Action>,
        act: impl FnOnce(&mut Instance, &mut Context),
    ) {
        if slot.0 >= self.instances.len() {
            return;
        }
        let may_stop_for_good = self.may_stop_for_good(slot);
        let mut cx = Context {
            now,
            policy: self.plan.policy(),
            may_stop_for_good,
            last_ticket: &mut self.last_ticket,
            actions,
        };
        act(&mut self.instances[slot.0], &mut cx);
    }

    /// The failed are stopped only while others serve, and never more of them than may be down.
    fn may_stop_for_good(&self, slot: Slot) -> bool {
        let others = self.instances.iter().enumerate().filter(|(i, _)| *i != slot.0);
        let stopped = others.filter(|(_, other)| other.is_stopped_for_good()).count();
        stopped < self.plan.allowed_down() && self.others_serve(slot)
    }

    fn others_serve(&self, slot: Slot) -> bool {
        let members = self.instances.iter().enumerate().any(|(i, other)| {
            let was_up = self.group.members.get(i).is_some_and(|state| state.active.is_up());
            i != slot.0 && (other.phase() == Phase::Serving || !other.has_begun() && was_up)
        });
        members || self.group.bystanders.iter().any(|state| state.active.is_up())
    }
}
