//! What must hold of hooks, and of what a person decides.

use std::collections::{BTreeMap, BTreeSet};

use rollctl::roll::{
    Action, Decision, Event, Hook, Invocation, Outcome, Phase, Plan, Reason, Record, Slot, Ticket,
};

use super::world::World;

/// A hook that was begun.
struct Begun {
    hook: Hook,
    slot: Option<Slot>,
    result: Option<Result<(), String>>,
}

pub(crate) struct Hooks {
    plan: Plan,
    begun: BTreeMap<Ticket, Begun>,
    have_failed: BTreeSet<usize>,
    /// The run that a person was asked about, and the one that was accepted.
    doubted: BTreeMap<usize, Invocation>,
    accepted: BTreeMap<usize, Invocation>,
    interrupts: u32,
    /// What the last hook was told.
    told: Option<Reason>,
    anything_began: bool,
}

impl Hooks {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            begun: BTreeMap::new(),
            have_failed: BTreeSet::new(),
            doubted: BTreeMap::new(),
            accepted: BTreeMap::new(),
            interrupts: 0,
            told: None,
            anything_began: false,
        }
    }

    pub(crate) fn accepted(&self, slot: usize) -> Option<Invocation> {
        self.accepted.get(&slot).copied()
    }

    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::HookEnded { ticket, result } => {
                if let Some(begun) = self.begun.get_mut(ticket) {
                    begun.result = Some(result.clone());
                }
            }
            // Which one is the heart's to know.
            Event::Decided(Decision::Accept) => self.accepted.extend(&self.doubted),
            _ => {}
        }
    }

    pub(crate) fn see(&mut self, action: &Action, world: &World) {
        match action {
            Action::RunHook { hook, slot, ticket, result, .. } => {
                self.may_run(*hook, *slot, world);
                self.told = result.clone().or(self.told.take());
                let begun = Begun { hook: *hook, slot: *slot, result: None };
                assert!(self.begun.insert(*ticket, begun).is_none(), "a ticket twice");
            }
            Action::Restart(slot) | Action::Stop(slot) => {
                let owes = self.plan.member(*slot).turn.before_stop;
                let is_done = self.is_done(Hook::BeforeStop, Some(*slot));
                assert!(!owes || is_done, "{slot:?} is taken down before its hook succeeded");
                self.is_opened();
            }
            Action::Start(_) => self.is_opened(),
            Action::Record(record) => self.read(record, world),
            _ => {}
        }
    }

    fn read(&mut self, record: &Record, world: &World) {
        let place = |unit: &String| self.plan.members().iter().position(|it| it.unit == *unit);
        match record {
            Record::InstanceFailed { instance, .. } => self.have_failed.extend(place(instance)),
            Record::BatchBegan { .. } => self.is_opened(),
            Record::Interrupted { times, .. } => self.interrupts = *times,
            Record::InDoubt { instance, .. } => {
                let slot = place(instance).expect("a member");
                let run = world.units[slot].state.invocation;
                self.doubted.extend(run.map(|run| (slot, run)));
            }
            Record::PhaseChanged { instance, phase: Phase::Serving, .. } => {
                let slot = Slot(place(instance).expect("a member"));
                let owes = self.plan.member(slot).turn.after_start;
                let is_done = self.is_done(Hook::AfterStart, Some(slot));
                assert!(!owes || is_done, "{slot:?} serves before its hook succeeded");
            }
            _ => {}
        }
    }

    fn may_run(&mut self, hook: Hook, slot: Option<Slot>, world: &World) {
        let is_wanted = match (hook, slot) {
            (Hook::BeforeRoll, None) => self.plan.policy().before_roll && !self.anything_began,
            (Hook::AfterRoll, None) => self.plan.policy().after_roll && self.anything_began,
            (Hook::BeforeStop, Some(slot)) => self.plan.member(slot).turn.before_stop,
            (Hook::AfterStart, Some(slot)) => self.plan.member(slot).turn.after_start,
            _ => false,
        };
        assert!(is_wanted, "{hook:?} of {slot:?} is not wanted");
        let same = |it: &Begun| it.hook == hook && it.slot == slot;
        assert!(!self.begun.values().any(same), "{hook:?} of {slot:?} is run twice");
        self.anything_began = true;
        let Some(slot) = slot else { return };
        self.is_opened();
        assert!(!self.have_failed.contains(&slot.0), "{hook:?} of {slot:?}, which has failed");
        let is_proved = world.units[slot.0].passed.or(self.accepted(slot.0)).is_some();
        assert!(hook != Hook::AfterStart || is_proved, "{slot:?} returns and passed no gate");
    }

    /// The roll is allowed to begin.
    fn is_opened(&mut self) {
        self.anything_began = true;
        let owes = self.plan.policy().before_roll;
        assert!(!owes || self.is_done(Hook::BeforeRoll, None), "it begins in spite of its hook");
    }

    fn is_done(&self, hook: Hook, slot: Option<Slot>) -> bool {
        let mut such = self.begun.values().filter(|it| it.hook == hook && it.slot == slot);
        such.any(|it| it.result == Some(Ok(())))
    }

    pub(crate) fn has_run_the_last(&self) -> bool {
        self.begun.values().any(|it| it.hook == Hook::AfterRoll)
    }

    pub(crate) fn judge(&self, outcome: &Outcome) {
        let last = self.begun.values().find(|it| it.hook == Hook::AfterRoll);
        let owes = self.plan.policy().after_roll && self.anything_began && self.interrupts < 2;
        assert!(last.is_some() || !owes, "the last hook was not run: {outcome:?}");
        match (last, &self.told, &outcome.reason) {
            (None, _, Reason::HookFailed { .. }) => panic!("no hook, and it failed"),
            (Some(last), Some(Reason::Done), Reason::HookFailed { .. }) => {
                assert_ne!(last.result, Some(Ok(())), "{outcome:?}");
            }
            (Some(_), told, reason) => assert_eq!(told.as_ref(), Some(reason)),
            (None, ..) => {}
        }
    }
}
