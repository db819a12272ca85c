//! Every event, and what it is to the roll or to one of its instances.

use super::Roll;
use crate::roll::event::{Action, Event, Moment, Slot};
use crate::roll::outcome::Reason;

impl Roll {
    pub(super) fn take(&mut self, event: Event, now: Moment, actions: &mut Vec<Action>) {
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
            Event::Armed { slot, guard } => {
                self.with(slot, now, actions, |it, cx| it.armed(guard, cx));
            }
            Event::NotArmed { slot, guard, why } => {
                self.with(slot, now, actions, |it, cx| it.not_armed(guard, why, cx));
            }
            Event::BroughtBack { slot, up, down } => {
                self.with(slot, now, actions, |it, cx| it.brought_back(up, down, cx));
            }
            Event::JobInTheWay { slot } => {
                self.with(slot, now, actions, |it, cx| it.found_a_job_in_the_way(cx));
            }
            Event::JobUnheard { slot } => self.with(slot, now, actions, |it, cx| it.unheard(cx)),
            Event::JobRemoved { slot, job, result } => {
                self.with(slot, now, actions, |it, cx| it.removed(job, result, cx));
            }
            Event::Changed { slot } => self.with(slot, now, actions, |it, _| it.changed()),
            Event::Probed { slot, ticket, verdict } => {
                self.with(slot, now, actions, |it, cx| it.probed(ticket, verdict, cx));
            }
            Event::Decided(decision) => {
                let in_doubt = self.instances.iter().enumerate();
                let in_doubt = in_doubt.filter_map(|(i, it)| Some((it.in_doubt_since()?, i)));
                if let Some((_, first)) = in_doubt.min() {
                    self.with(Slot(first), now, actions, |it, cx| it.decided(decision, cx));
                }
            }
            Event::HookSaid { hook, slot, line } => self.hook_said(hook, slot, line, actions),
            Event::HookEnded { ticket, result } => self.hook_ended(ticket, result, now, actions),
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
            Event::LogFailed { what, held_back, opening } => {
                self.hold_back(held_back, opening, now, actions);
                self.log_failed(what);
            }
        }
    }
}
