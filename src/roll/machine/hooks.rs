//! Before the first step and after the last one: `BeforeRoll=`, which may forbid the roll, and
//! `AfterRoll=`, which is told how it went.

use super::{Next, Roll, Stage};
use crate::roll::event::{Action, Event, Moment, Slot, Ticket};
use crate::roll::instance::HOOK_GRACE;
use crate::roll::outcome::Reason;
use crate::roll::policy::Hook;
use crate::roll::record::Record;

/// A hook of the whole roll that is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hooked {
    ticket: Ticket,
    began: Moment,
    pub(super) until: Moment,
}

impl Roll {
    pub(super) fn run_hook(
        &mut self,
        hook: Hook,
        result: Option<Reason>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Hooked {
        self.last_ticket.0 += 1;
        let (ticket, within) = (self.last_ticket, self.plan.policy().hook_timeout);
        actions.push(Action::Record(Record::HookBegan { hook, instance: None }));
        actions.push(Action::RunHook { hook, slot: None, ticket, within, result });
        Hooked { ticket, began: now, until: now + within + HOOK_GRACE }
    }

    /// Whose hook it was is known by the ticket.
    pub(super) fn hook_ended(
        &mut self,
        ticket: Ticket,
        result: Result<(), String>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        match self.stage {
            Stage::Opening(hooked) if hooked.ticket == ticket => {
                self.has_opened(hooked, result, now, actions);
            }
            Stage::Ending(hooked) if hooked.ticket == ticket => {
                self.has_ended(hooked, result, now, actions);
            }
            _ => {
                let of_an_instance = self.instances.iter().position(|it| it.waits_for(ticket));
                if let Some(slot) = of_an_instance {
                    self.with(Slot(slot), now, actions, |it, cx| it.hook_ended(result, cx));
                }
            }
        }
    }

    fn has_opened(
        &mut self,
        hooked: Hooked,
        result: Result<(), String>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        self.tell_end(Hook::BeforeRoll, hooked, &result, now, actions);
        // Whatever follows, nothing is waited for any more.
        self.check(Next::Begin(0), now, actions);
        if let (Err(why), 0..=1) = (result, self.interrupts) {
            let what = format!("{} {why}", Hook::BeforeRoll.key());
            self.sickness = Some(Reason::Refused { what });
        }
    }

    fn has_ended(
        &mut self,
        hooked: Hooked,
        result: Result<(), String>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        self.tell_end(Hook::AfterRoll, hooked, &result, now, actions);
        let reason = match (self.ending.take(), result) {
            (Some(Reason::Done) | None, Err(why)) => {
                Reason::HookFailed { what: format!("{} {why}", Hook::AfterRoll.key()) }
            }
            (Some(reason), _) => reason,
            (None, Ok(())) => Reason::Done,
        };
        self.conclude(reason, now, actions);
    }

    fn tell_end(
        &self,
        hook: Hook,
        hooked: Hooked,
        result: &Result<(), String>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let (error, after) = (result.clone().err(), now.since(hooked.began));
        actions.push(Action::Record(Record::HookEnded { hook, instance: None, error, after }));
    }

    /// The end is known, and only its hook is still waited for.
    pub(super) fn take_at_the_end(&mut self, event: Event, now: Moment, actions: &mut Vec<Action>) {
        match event {
            Event::HookSaid { hook, slot, line } => self.hook_said(hook, slot, line, actions),
            Event::HookEnded { ticket, result } => self.hook_ended(ticket, result, now, actions),
            Event::Interrupted => self.interrupted(None, now, actions),
            _ => {}
        }
        let Stage::Ending(hooked) = self.stage else { return };
        if let Some(why) = self.is_over(hooked, now) {
            self.has_ended(hooked, Err(why.to_owned()), now, actions);
        }
    }

    /// A hook of the beginning that is not waited for any longer.
    pub(super) fn open_in_time(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Stage::Opening(hooked) = self.stage else { return };
        if let Some(why) = self.is_over(hooked, now) {
            self.has_opened(hooked, Err(why.to_owned()), now, actions);
        }
    }

    /// Why a hook of the whole is not waited for any longer.
    fn is_over(&self, hooked: Hooked, now: Moment) -> Option<&'static str> {
        match (self.interrupts > 1, now >= hooked.until) {
            (true, _) => Some("was cut short"),
            (false, true) => Some("gave no answer"),
            (false, false) => None,
        }
    }

    pub(super) fn hook_said(
        &self,
        hook: Hook,
        slot: Option<Slot>,
        line: String,
        actions: &mut Vec<Action>,
    ) {
        let instance = slot.map(|slot| self.plan.member(slot).unit.clone());
        actions.push(Action::Record(Record::HookSaid { hook, instance, line }));
    }
}
