//! What is known of the instances and has not changed since: a group of a thousand is looked at
//! with one list, not with a thousand questions.
//!
//! ```text
//! list ─► as it was read last, and no signal since ─► known
//!   ├───► up, and not touched yet ─► the list says enough
//!   └───► anything else ─► read
//! ```
//!
//! On one connection no signal is lost and none overtakes another; a new connection knows nothing.

use std::collections::{HashMap, HashSet};

use crate::ctl::systemd::Row;
use crate::roll::{ActiveState, Slot, Ticket, UnitState};

#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    states: HashMap<Slot, UnitState>,
    /// Those that were read at all: of these the run matters.
    were_read: HashSet<Slot>,
    /// Counts the signals, to tell which of them an answer is older than.
    signals: u64,
    changed: HashMap<Slot, u64>,
    asked: HashMap<Ticket, u64>,
}

impl Known {
    /// A question is about to be asked.
    pub(super) fn asks(&mut self, ticket: Ticket) {
        self.asked.insert(ticket, self.signals);
    }

    /// A question about one instance is answered.
    pub(super) fn learns(&mut self, ticket: Ticket, slot: Slot, state: &UnitState) {
        self.were_read.insert(slot);
        let asked = self.asked.remove(&ticket);
        self.keeps(asked, slot, state);
    }

    /// The question about the group is answered.
    pub(super) fn learns_of_all(&mut self, ticket: Ticket, members: &[UnitState]) {
        let asked = self.asked.remove(&ticket);
        for (at, state) in members.iter().enumerate() {
            if self.were_read.contains(&Slot(at)) {
                self.keeps(asked, Slot(at), state);
            }
        }
    }

    /// A signal that came since it was asked may be about something later.
    fn keeps(&mut self, asked: Option<u64>, slot: Slot, state: &UnitState) {
        let changed = self.changed.get(&slot).copied().unwrap_or_default();
        if asked.is_some_and(|asked| changed <= asked) {
            self.states.insert(slot, state.clone());
        }
    }

    pub(super) fn changes(&mut self, slot: Slot) {
        self.signals += 1;
        self.changed.insert(slot, self.signals);
        self.states.remove(&slot);
    }

    /// Signals may have been missed.
    pub(super) fn forgets_all(&mut self) {
        self.states.clear();
        self.asked.clear();
    }

    /// The state of the instance, if this row of a list leaves no doubt.
    pub(super) fn state(&self, slot: Slot, row: &Row) -> Option<UnitState> {
        let known = self.states.get(&slot).filter(|known| row.agrees_with(known));
        let is_plain = row.active == ActiveState::Active && row.job.is_none();
        match known {
            Some(known) => Some(known.clone()),
            None if is_plain && !self.were_read.contains(&slot) => Some(row.state()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(restarts: u32) -> UnitState {
        UnitState { active: ActiveState::Active, restarts, ..UnitState::default() }
    }

    fn row() -> Row {
        Row { active: ActiveState::Active, sub: String::new(), job: None }
    }

    #[test]
    fn what_was_read_is_known_until_it_changes() {
        let (mut known, slot) = (Known::default(), Slot(0));
        assert_eq!(known.state(slot, &row()), Some(up(0)), "the list is enough at first");
        known.asks(Ticket(1));
        known.learns(Ticket(1), slot, &up(1));
        assert_eq!(known.state(slot, &row()), Some(up(1)));
        let down = Row { active: ActiveState::Inactive, ..row() };
        assert_eq!(known.state(slot, &down), None, "the list says something else");
        known.changes(slot);
        assert_eq!(known.state(slot, &row()), None);
    }

    #[test]
    fn an_answer_from_before_a_signal_is_not_believed() {
        let (mut known, slot) = (Known::default(), Slot(0));
        known.asks(Ticket(1));
        known.changes(slot);
        known.learns(Ticket(1), slot, &up(1));
        assert_eq!(known.state(slot, &row()), None);
    }

    #[test]
    fn a_new_connection_knows_nothing() {
        let (mut known, slot) = (Known::default(), Slot(0));
        known.asks(Ticket(1));
        known.learns(Ticket(1), slot, &up(1));
        known.forgets_all();
        assert_eq!(known.state(slot, &row()), None);
    }
}
