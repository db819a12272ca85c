//! Before and after every batch the whole group is looked at, its sockets first.

use std::time::Duration;

use super::{Next, Roll, Stage};
use crate::roll::event::{Action, GroupState, Moment, Slot, Ticket};
use crate::roll::floor;
use crate::roll::instance::{Instance, READ_INTERVAL};
use crate::roll::outcome::Reason;
use crate::roll::plan::Part;
use crate::roll::record::Record;

/// A group that cannot be read for so long is out of reach.
const GROUP_LIMIT: Duration = Duration::from_secs(60);

impl Roll {
    pub(super) fn check(&mut self, then: Next, now: Moment, actions: &mut Vec<Action>) {
        self.last_ticket.0 += 1;
        let valid_from = self.last_ticket;
        self.stage = Stage::Checking { then, since: now, again: now + READ_INTERVAL, valid_from };
        actions.push(Action::ReadGroup { ticket: valid_from });
    }

    pub(super) fn group_was_read(
        &mut self,
        ticket: Ticket,
        state: GroupState,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let Stage::Checking { then, valid_from, .. } = self.stage else { return };
        if ticket < valid_from || self.is_held() {
            return;
        }
        self.group = state;
        self.look_back(now, actions);
        if !self.busy.is_empty() {
            // What has failed is brought to its end, and then the group is another one.
            self.stage = Stage::Settling { then };
            return;
        }
        self.make_it_fit(then);
        if let Err(what) = self.is_in_order(then) {
            if self.any_failed() {
                let text = format!("no more is taken: {what}");
                actions.push(Action::Record(Record::Note { instance: None, text }));
            }
            self.sickness = Some(self.blame(what));
        } else if !self.must_wind_down() || self.is_checking_its_end() {
            self.go_on(then, now, actions);
        }
    }

    /// Those that were rolled must still be in the run that passed the gates. What becomes of one
    /// that is not depends on all the others, as they are now.
    pub(super) fn look_back(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let states = self.group.members.iter();
        self.instances.iter_mut().zip(states).for_each(|(it, state)| it.is_seen(state));
        for (i, state) in self.group.members.clone().iter().enumerate() {
            self.with(Slot(i), now, actions, |it, cx| it.look_back(state, cx));
        }
    }

    pub(super) fn is_in_order(&self, then: Next) -> Result<(), String> {
        floor::sockets(&self.group)?;
        match then {
            Next::Open => floor::floor(&self.plan, &self.parts[0].slots, &self.group),
            Next::Begin(part) => floor::floor(&self.plan, &self.parts[part].slots, &self.group),
            Next::PauseBefore(_) | Next::End => Ok(()),
        }
    }

    /// After a failure the group can bear less: what is too much at once is taken in parts.
    fn make_it_fit(&mut self, then: Next) {
        let Next::Begin(part) = then else { return };
        let room = floor::room(&self.plan, &self.parts[part].slots, &self.group);
        let is_too_much = (1..self.parts[part].slots.len()).contains(&room);
        if self.any_failed() && is_too_much {
            let Part { batch, slots } = &mut self.parts[part];
            let rest = Part { batch: *batch, slots: slots.split_off(room) };
            self.parts.insert(part + 1, rest);
        }
    }

    pub(super) fn blame(&self, what: String) -> Reason {
        match self.instances.iter().any(Instance::has_begun) {
            true => Reason::GroupSick { what },
            false => Reason::Refused { what },
        }
    }

    pub(super) fn check_again(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Stage::Checking { since, again, .. } = &mut self.stage else { return };
        if now.since(*since) >= GROUP_LIMIT {
            let error = "systemd does not say what state the group is in".to_owned();
            return self.finish(Reason::Unreachable { error }, now, actions);
        }
        if now >= *again {
            *again = now + READ_INTERVAL;
            self.last_ticket.0 += 1;
            actions.push(Action::ReadGroup { ticket: self.last_ticket });
        }
    }
}
