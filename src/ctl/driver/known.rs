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
//! Of a large batch no signals come. What was read of an instance holds while its main process lives.

use std::collections::{HashMap, HashSet};

use super::process::Process;
use crate::ctl::systemd::{Half, News, Reach, Row, Wanted};
use crate::roll::{ActiveState, Slot, Ticket, UnitState};

#[derive(Clone, Debug)]
pub(super) struct Known {
    reach: Reach,
    units: Vec<String>,
    /// Those that were read by themselves.
    read: HashSet<Slot>,
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
    /// What shows that it is in the same run still, where no signal would tell.
    process: Option<Process>,
}

impl Instance {
    fn whole(state: UnitState) -> Self {
        Self { state, has: HashSet::from([Half::Unit, Half::Service]), process: None }
    }

    fn state(&self) -> Option<&UnitState> {
        let is_whole = [Half::Unit, Half::Service].iter().all(|half| self.has.contains(half));
        is_whole.then_some(&self.state)
    }
}

impl Known {
    pub(super) fn new(reach: Reach, units: Vec<String>) -> Self {
        Self {
            reach,
            units,
            read: HashSet::new(),
            instances: HashMap::new(),
            in_turn: HashSet::new(),
            signals: 0,
            changed: HashMap::new(),
            asked: HashMap::new(),
        }
    }

    /// Whose signals come.
    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// From now on all signals come.
    pub(super) fn is_told_of_all(&mut self) {
        self.reach = Reach::All;
    }

    /// What is to be read of one that is not known. Before a large batch is touched, no more than in
    /// which runs its instances are.
    pub(super) fn wanted(&mut self, slot: Slot) -> Wanted {
        let is_first = self.read.insert(slot);
        match self.reach {
            Reach::Own if is_first => Wanted::Run,
            Reach::Own => Wanted::Process,
            Reach::All => Wanted::All,
        }
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
        if is_news {
            let process = || Process::of(self.units.get(slot.0)?, state.main_pid?);
            let process = if self.reach == Reach::Own { process() } else { None };
            self.instances.insert(slot, Instance { process, ..Instance::whole(state.clone()) });
        }
        is_news
    }

    /// A signal says that something changed; without news, it does not say what it is now.
    pub(super) fn hears(&mut self, slot: Slot, news: Option<News>) {
        self.signals += 1;
        self.changed.insert(slot, self.signals);
        match news {
            // Otherwise it was somebody else who asked for it, and may leave.
            Some(news) if self.reach == Reach::All => {
                let instance = self.instances.entry(slot).or_default();
                instance.has.insert(news.half());
                news.put_into(&mut instance.state);
            }
            _ => _ = self.instances.remove(&slot),
        }
    }

    /// What was read before is about the past, also where a main process outlives its run
    /// (`KillMode=none`). Otherwise the signals have told what became of it.
    pub(super) fn hears_of_its_job(&mut self, slot: Slot) {
        if self.reach == Reach::Own {
            self.hears(slot, None);
        }
    }

    /// Signals may have been missed.
    pub(super) fn forgets_all(&mut self) {
        self.instances.clear();
        self.asked.clear();
    }

    /// The state of the instance, if this row of a list leaves no doubt.
    pub(super) fn state(&self, slot: Slot, row: &Row) -> Option<UnitState> {
        let instance = self.instances.get(&slot)?;
        let known = instance.state().filter(|known| row.agrees_with(known))?;
        let lives = || instance.process.as_ref().is_some_and(Process::is_alive);
        (self.reach == Reach::All || lives()).then(|| known.clone())
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
    use super::super::process::tests::own_group;
    use super::*;

    fn up(restarts: u32) -> UnitState {
        UnitState { active: ActiveState::Active, restarts, ..UnitState::default() }
    }

    fn row() -> Row {
        let load = "loaded".to_owned();
        Row { load, active: ActiveState::Active, sub: String::new(), job: None }
    }

    fn knows_one(slot: Slot) -> Known {
        let mut known = Known::new(Reach::All, Vec::new());
        known.comes_to(slot);
        known.asks(Ticket(1));
        known.learns(Ticket(1), slot, &up(1));
        known
    }

    #[test]
    fn what_was_read_is_known_until_it_changes() {
        let slot = Slot(0);
        let known = Known::new(Reach::All, Vec::new());
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
        let mut known = Known::new(Reach::All, Vec::new());
        known.hears(slot, Some(service));
        assert_eq!(known.state(slot, &row()), None, "the other half is missing");
        known.hears(slot, Some(News::new(Half::Unit, up(9))));
        assert_eq!(known.state(slot, &row()), Some(up(2)));
    }

    #[test]
    fn a_list_does_not_tell_the_run_of_one_whose_turn_has_come() {
        let (mut known, slot) = (Known::new(Reach::All, Vec::new()), Slot(0));
        known.comes_to(slot);
        assert_eq!(known.state_in_group(slot, &row()), None);
    }

    #[test]
    fn an_answer_from_before_a_signal_is_not_believed() {
        let (mut known, slot) = (Known::new(Reach::All, Vec::new()), Slot(0));
        known.asks(Ticket(1));
        known.hears(slot, None);
        known.learns(Ticket(1), slot, &up(1));
        assert_eq!(known.state(slot, &row()), None);
    }

    #[test]
    fn one_of_many_is_known_while_its_process_lives() {
        let slot = Slot(0);
        let learns = |main_pid: Option<u32>| {
            let mut known = Known::new(Reach::Own, vec![own_group()]);
            known.asks(Ticket(1));
            known.learns(Ticket(1), slot, &UnitState { main_pid, ..up(1) });
            known
        };
        let mut known = learns(Some(std::process::id()));
        assert!(known.state(slot, &row()).is_some());
        known.hears(slot, Some(News::new(Half::Service, up(2))));
        assert_eq!(
            known.state(slot, &row()),
            None,
            "somebody else had asked for it, and it changed"
        );
        let mut known = learns(Some(std::process::id()));
        known.hears_of_its_job(slot);
        assert_eq!(known.state(slot, &row()), None, "a job may have left the process behind");
        assert_eq!(learns(None).state(slot, &row()), None, "nothing would tell of its end");
        let of_another = Known { units: vec!["other.service".to_owned()], ..learns(None) };
        assert_eq!(of_another.state(slot, &row()), None);
    }

    #[test]
    fn before_a_large_batch_is_touched_its_runs_will_do() {
        let slot = Slot(0);
        let mut known = Known::new(Reach::Own, Vec::new());
        assert_eq!(known.wanted(slot), Wanted::Run);
        assert_eq!(known.wanted(slot), Wanted::Process);
        known.is_told_of_all();
        assert_eq!(known.wanted(slot), Wanted::All);
    }

    #[test]
    fn a_new_connection_knows_nothing() {
        let slot = Slot(0);
        let mut known = knows_one(slot);
        known.forgets_all();
        assert_eq!(known.state(slot, &row()), None);
    }
}
