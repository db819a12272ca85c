//! What is known of the instances: a group of a thousand is looked at with one list, not with a
//! thousand questions.
//!
//! ```text
//! list ─► as the signals told it last ─────────► known
//!   ├───► up, and not touched yet ─► for the group, the list says enough
//!   └───► anything else ─► read
//! ```
//!
//! On one connection no signal is lost and none overtakes another, or an answer; a new connection
//! knows nothing. systemd may sit on a signal for a while, so the list has to agree.
//!
//! In a large batch an instance is followed when its job is over: what happens to it from then on is
//! told. Until then what was read of it is not kept.

use std::collections::{HashMap, HashSet};

use crate::ctl::systemd::{Half, News, Reach, Row};
use crate::roll::{ActiveState, Slot, Ticket, UnitState};

#[derive(Clone, Debug)]
pub(super) struct Known {
    reach: Reach,
    /// Those that are followed, where it is not all.
    followed: HashSet<Slot>,
    /// Those whose job is over.
    at_rest: HashSet<Slot>,
    instances: HashMap<Slot, Instance>,
    /// Those whose turn has come: of these the run matters.
    in_turn: HashSet<Slot>,
    /// Counts the signals, to tell which of them an answer is older than.
    signals: u64,
    changed: HashMap<Slot, u64>,
    asked: HashMap<Ticket, u64>,
}

#[derive(Clone, Debug, Default)]
struct Instance {
    state: UnitState,
    /// Which halves of it were told.
    has: HashSet<Half>,
}

impl Instance {
    fn whole(state: UnitState) -> Self {
        Self { state, has: HashSet::from([Half::Unit, Half::Service]) }
    }

    fn state(&self) -> Option<&UnitState> {
        let is_whole = [Half::Unit, Half::Service].iter().all(|half| self.has.contains(half));
        is_whole.then_some(&self.state)
    }
}

impl Known {
    pub(super) fn new(reach: Reach) -> Self {
        Self {
            reach,
            followed: HashSet::new(),
            at_rest: HashSet::new(),
            instances: HashMap::new(),
            in_turn: HashSet::new(),
            signals: 0,
            changed: HashMap::new(),
            asked: HashMap::new(),
        }
    }

    /// Whose signals are to come.
    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// Its job is over.
    pub(super) fn comes_to_rest(&mut self, slot: Slot) {
        self.at_rest.insert(slot);
    }

    pub(super) fn wants_to_follow(&self, slot: Slot) -> bool {
        self.at_rest.contains(&slot) && !self.is_told_of(slot)
    }

    /// The signals of these, or of all, come from now on.
    pub(super) fn follows(&mut self, reach: Reach, slots: impl IntoIterator<Item = Slot>) {
        self.followed.extend(slots);
        if reach == Reach::All {
            self.reach = reach;
        }
    }

    fn is_told_of(&self, slot: Slot) -> bool {
        self.reach == Reach::All || self.followed.contains(&slot)
    }

    /// Its turn has come: from now on the heart wants to know all of it.
    pub(super) fn comes_to(&mut self, slot: Slot) {
        self.in_turn.insert(slot);
    }

    /// A question is about to be asked.
    pub(super) fn asks(&mut self, ticket: Ticket) {
        self.asked.insert(ticket, self.signals);
    }

    /// A question about one instance is answered; false if it changed since it was asked.
    pub(super) fn learns(&mut self, ticket: Ticket, slot: Slot, state: &UnitState) -> bool {
        let asked = self.asked.remove(&ticket);
        self.keeps(asked, slot, state)
    }

    /// The question about the group is answered.
    pub(super) fn learns_of_all(&mut self, ticket: Ticket, members: &[UnitState]) {
        let asked = self.asked.remove(&ticket);
        for (at, state) in members.iter().enumerate() {
            if self.in_turn.contains(&Slot(at)) {
                self.keeps(asked, Slot(at), state);
            }
        }
    }

    /// A signal that came since it was asked may be about something later.
    fn keeps(&mut self, asked: Option<u64>, slot: Slot, state: &UnitState) -> bool {
        let changed = self.changed.get(&slot).copied().unwrap_or_default();
        let is_news = asked.is_some_and(|asked| changed <= asked);
        if is_news && self.is_told_of(slot) {
            self.instances.insert(slot, Instance::whole(state.clone()));
        }
        is_news
    }

    /// A signal says that something changed; without news, it does not say what it is now.
    pub(super) fn hears(&mut self, slot: Slot, news: Option<News>) {
        self.signals += 1;
        self.changed.insert(slot, self.signals);
        match news {
            // Somebody else may have asked for it, and may leave.
            Some(news) if self.is_told_of(slot) => {
                let instance = self.instances.entry(slot).or_default();
                instance.has.insert(news.half());
                news.put_into(&mut instance.state);
            }
            _ => _ = self.instances.remove(&slot),
        }
    }

    /// Signals may have been missed.
    pub(super) fn forgets_all(&mut self) {
        self.instances.clear();
        self.asked.clear();
    }

    /// The state of the instance, if this row of a list leaves no doubt.
    pub(super) fn state(&self, slot: Slot, row: &Row) -> Option<UnitState> {
        let known = self.instances.get(&slot).and_then(Instance::state);
        known.filter(|known| row.agrees_with(known)).cloned()
    }

    /// Likewise as far as the group goes: nobody asks in which run an instance is before its turn.
    pub(super) fn state_in_group(&self, slot: Slot, row: &Row) -> Option<UnitState> {
        let is_plain = row.active == ActiveState::Active && row.job.is_none();
        let is_enough = is_plain && !self.in_turn.contains(&slot);
        self.state(slot, row).or_else(|| is_enough.then(|| row.state()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(restarts: u32) -> UnitState {
        UnitState { active: ActiveState::Active, restarts, ..UnitState::default() }
    }

    fn row() -> Row {
        let load = "loaded".to_owned();
        Row { load, active: ActiveState::Active, sub: String::new(), job: None }
    }

    fn knows_one(slot: Slot) -> Known {
        let mut known = Known::new(Reach::All);
        known.comes_to(slot);
        known.asks(Ticket(1));
        known.learns(Ticket(1), slot, &up(1));
        known
    }

    #[test]
    fn what_was_read_is_known_until_it_changes() {
        let slot = Slot(0);
        let known = Known::new(Reach::All);
        assert_eq!(known.state_in_group(slot, &row()), Some(up(0)), "the list is enough at first");
        assert_eq!(known.state(slot, &row()), None, "but not when its turn comes");
        let mut known = knows_one(slot);
        assert_eq!(known.state(slot, &row()), Some(up(1)));
        let down = Row { active: ActiveState::Inactive, ..row() };
        assert_eq!(known.state_in_group(slot, &down), None, "the list says something else");
        known.hears(slot, None);
        assert_eq!(known.state_in_group(slot, &row()), None);
    }

    #[test]
    fn signals_keep_it_up_to_date() {
        let slot = Slot(0);
        let service = News::new(Half::Service, up(2));
        let mut known = knows_one(slot);
        known.hears(slot, Some(service.clone()));
        assert_eq!(known.state(slot, &row()), Some(up(2)));
        let mut known = Known::new(Reach::All);
        known.hears(slot, Some(service));
        assert_eq!(known.state(slot, &row()), None, "the other half is missing");
        known.hears(slot, Some(News::new(Half::Unit, up(9))));
        assert_eq!(known.state(slot, &row()), Some(up(2)));
    }

    #[test]
    fn a_list_does_not_tell_the_run_of_one_whose_turn_has_come() {
        let (mut known, slot) = (Known::new(Reach::All), Slot(0));
        known.comes_to(slot);
        assert_eq!(known.state_in_group(slot, &row()), None);
    }

    #[test]
    fn an_answer_from_before_a_signal_is_not_believed() {
        let (mut known, slot) = (Known::new(Reach::All), Slot(0));
        known.asks(Ticket(1));
        known.hears(slot, None);
        known.learns(Ticket(1), slot, &up(1));
        assert_eq!(known.state(slot, &row()), None);
    }

    #[test]
    fn one_of_many_is_known_from_when_it_is_followed() {
        let (mut known, slot) = (Known::new(Reach::Own), Slot(0));
        let learns = |known: &mut Known| {
            known.asks(Ticket(1));
            known.learns(Ticket(1), slot, &up(1));
            known.state(slot, &row())
        };
        assert_eq!(learns(&mut known), None, "nobody would tell of its end");
        known.hears(slot, Some(News::new(Half::Service, up(2))));
        known.hears(slot, Some(News::new(Half::Unit, up(2))));
        assert_eq!(known.state(slot, &row()), None, "somebody else had asked for it");
        assert!(!known.wants_to_follow(slot), "its job would have a dozen signals");
        known.comes_to_rest(slot);
        assert!(known.wants_to_follow(slot));
        known.follows(Reach::Own, [slot]);
        assert!(!known.wants_to_follow(slot));
        assert_eq!(learns(&mut known), Some(up(1)));
        known.follows(Reach::All, []);
        assert!(!known.wants_to_follow(Slot(1)));
    }

    #[test]
    fn a_new_connection_knows_nothing() {
        let slot = Slot(0);
        let mut known = knows_one(slot);
        known.forgets_all();
        assert_eq!(known.state(slot, &row()), None);
    }
}
