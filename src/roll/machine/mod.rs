//! The walk over the batches: what begins when, and when it is over.
//!
//! ```text
//! Unbegun ─► Checking ─► Batch ─► Checking ─► Pausing ─► Checking ─► Batch … ─► Ending ─► Over
//!             │      ▲                                                        AfterRoll=
//!             └Opening┘ BeforeRoll=
//! ```
//!
//! After a failure or an interrupt nothing new begins; what is in flight is brought to its end.
//! With `OnFailure=continue` a failure is no reason to end, as long as the group can bear it.
//! While it is paused nothing new begins either, until it goes on from where it was.

mod checking;
mod hooks;
mod pacing;
mod taking;

use std::collections::BTreeSet;
use std::time::Duration;

use super::event::{Action, Event, GroupState, Moment, Slot, Ticket};
use super::instance::{Bearing, Context, Instance};
use super::outcome::{Failure, Outcome, Reason};
use super::phase::Phase;
use super::plan::{Part, Plan};
use super::policy::{Hook, OnFailure};
use super::record::Record;
use hooks::Hooked;

/// A roll under way.
#[derive(Debug)]
pub struct Roll {
    plan: Plan,
    instances: Vec<Instance>,
    /// Those that are busy, and those that failed: few of what may be thousands.
    busy: BTreeSet<Slot>,
    failed: BTreeSet<Slot>,
    /// What is taken at once, in order: the plan's, or less where the group has got weaker.
    parts: Vec<Part>,
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
    /// The first hook or step has begun, so that the last hook is due.
    is_open: bool,
    /// How it ends, while the last hook runs.
    ending: Option<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Unbegun,
    Checking { then: Next, since: Moment, again: Moment, valid_from: Ticket },
    Settling { then: Next },
    Opening(Hooked),
    Batch(usize),
    Pausing { since: Moment, next: usize },
    Ending(Hooked),
    Over,
}

/// What follows when the group is found in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Open,
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
            parts: plan.parts().to_vec(),
            pause: plan.policy().pause,
            plan,
            instances,
            busy: BTreeSet::new(),
            failed: BTreeSet::new(),
            stage: Stage::Unbegun,
            group: GroupState::default(),
            interrupts: 0,
            last_ticket: Ticket::default(),
            paused: None,
            sickness: None,
            is_open: false,
            ending: None,
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
        match self.stage {
            Stage::Over => {}
            Stage::Ending(_) => self.take_at_the_end(event, now, &mut actions),
            _ => self.take(event, now, &mut actions),
        }
        if !self.is_ending() {
            self.tick(now, &mut actions);
            self.walk_on(now, &mut actions);
        }
        actions
    }

    /// When it wants an [`Event::Tick`] if nothing happens before; `None` once it is over, and
    /// while it is paused and nothing is in hand.
    pub fn wake_at(&self) -> Option<Moment> {
        if let Stage::Opening(hooked) | Stage::Ending(hooked) = self.stage {
            return Some(hooked.until);
        }
        let of_an_instance = self.busy.iter().filter_map(|slot| self.wake_of(*slot)).min();
        of_an_instance.or(match self.stage {
            _ if self.is_held() => None,
            Stage::Unbegun => Some(Moment::default()),
            Stage::Checking { again, .. } => Some(again),
            Stage::Pausing { since, .. } => Some(since + self.pause),
            Stage::Opening(_) | Stage::Settling { .. } | Stage::Batch(_) => None,
            Stage::Ending(_) | Stage::Over => None,
        })
    }

    fn begin(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.stage != Stage::Unbegun {
            return;
        }
        let instances = self.plan.members().iter().map(|member| member.unit.clone()).collect();
        let batches = self.plan.batch_count();
        actions.push(Action::Record(Record::RollBegan { instances, batches }));
        self.check(Next::Open, now, actions);
    }

    fn go_on(&mut self, next: Next, now: Moment, actions: &mut Vec<Action>) {
        match next {
            Next::Open if self.plan.policy().before_roll => {
                self.is_open = true;
                self.stage = Stage::Opening(self.run_hook(Hook::BeforeRoll, None, now, actions));
            }
            Next::Open => self.begin_part(0, now, actions),
            Next::Begin(part) => self.begin_part(part, now, actions),
            Next::PauseBefore(next) => {
                self.stage = Stage::Pausing { since: now, next };
                actions.push(Action::Record(Record::Pausing { span: self.pause }));
            }
            Next::End if self.any_failed() => self.finish(Reason::Failed, now, actions),
            Next::End => self.finish(Reason::Done, now, actions),
        }
    }

    fn begin_part(&mut self, part: usize, now: Moment, actions: &mut Vec<Action>) {
        self.stage = Stage::Batch(part);
        self.is_open = true;
        let Part { batch, slots } = self.parts[part].clone();
        let unit = |slot: &Slot| self.plan.member(*slot).unit.clone();
        actions.push(Action::Record(Record::BatchBegan {
            batch,
            of: self.plan.batch_count(),
            instances: slots.iter().map(unit).collect(),
        }));
        let at_once = slots.len().try_into().unwrap_or(u32::MAX);
        for slot in slots {
            let found = self.group.members.get(slot.0).cloned().unwrap_or_default();
            self.with(slot, now, actions, |instance, cx| instance.begin(found, at_once, cx));
        }
    }

    fn reconnected(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.each(now, actions, Instance::reconnected);
        if let Stage::Checking { again, .. } = &mut self.stage {
            *again = now;
        }
    }

    fn wake_of(&self, slot: Slot) -> Option<Moment> {
        self.instances[slot.0].wake_at()
    }

    fn tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let is_due = |slot: &Slot| self.wake_of(*slot).is_some_and(|moment| moment <= now);
        let due: Vec<Slot> = self.busy.iter().copied().filter(is_due).collect();
        for slot in due {
            self.with(slot, now, actions, Instance::tick);
        }
    }

    /// Whatever the event was: what follows from where everything is now?
    fn walk_on(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.must_wind_down() {
            self.each(now, actions, Instance::stand_back);
        }
        self.open_in_time(now, actions);
        if !self.busy.is_empty() || matches!(self.stage, Stage::Opening(_)) {
            return;
        }
        if self.must_wind_down() && !self.is_checking_its_end() && !self.has_come_through() {
            let reason = self.reason_to_end();
            return self.finish(reason, now, actions);
        }
        match self.stage {
            _ if self.is_held() => {}
            Stage::Batch(part) => self.check(self.after(part), now, actions),
            Stage::Settling { then } => self.check(then, now, actions),
            Stage::Pausing { since, next } if now >= since + self.pause => {
                self.check(Next::Begin(next), now, actions);
            }
            Stage::Checking { .. } => self.check_again(now, actions),
            _ => {}
        }
    }

    fn after(&self, part: usize) -> Next {
        let Some(next) = self.parts.get(part + 1) else { return Next::End };
        let is_other_batch = next.batch != self.parts[part].batch;
        match is_other_batch && !self.pause.is_zero() {
            false => Next::Begin(part + 1),
            true => Next::PauseBefore(part + 1),
        }
    }

    /// Nothing new begins any more.
    fn must_wind_down(&self) -> bool {
        let ends_it = |failure: &Failure| match self.plan.policy().on_failure {
            OnFailure::Stop => true,
            OnFailure::Continue => failure.ends_every_roll(),
        };
        let failure = |slot: &Slot| self.instances[slot.0].failure();
        let failed = || self.failed.iter().filter_map(failure).any(ends_it);
        self.interrupts > 0 || self.sickness.is_some() || failed()
    }

    fn any_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    fn is_ending(&self) -> bool {
        matches!(self.stage, Stage::Ending(_) | Stage::Over)
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

    /// The last hook hears how it went; who interrupts twice does not wait for it.
    fn finish(&mut self, reason: Reason, now: Moment, actions: &mut Vec<Action>) {
        if !self.plan.policy().after_roll || !self.is_open || self.interrupts > 1 {
            return self.conclude(reason, now, actions);
        }
        let told = Some(reason.clone());
        self.ending = Some(reason);
        self.stage = Stage::Ending(self.run_hook(Hook::AfterRoll, told, now, actions));
    }

    fn conclude(&mut self, reason: Reason, now: Moment, actions: &mut Vec<Action>) {
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
        let around = Bearing::around(slot, &mut self.instances, &self.group, &self.plan);
        let Some((instance, bearing)) = around else { return };
        let (policy, last_ticket) = (self.plan.policy(), &mut self.last_ticket);
        act(instance, &mut Context { now, policy, bearing, last_ticket, actions });
        match instance.is_busy() {
            true => self.busy.insert(slot),
            false => self.busy.remove(&slot),
        };
        if instance.failure().is_some() {
            self.failed.insert(slot);
        }
    }
}
