//! What must hold in every schedule (docs/architecture.md has the same list in words).

use std::collections::BTreeSet;
use std::time::Duration;

use rollctl::roll::{
    Action, Event, Failure, OnFailure, Outcome, Phase, Plan, Reason, Record, Slot, Standing,
};

use super::hooks::Hooks;
use super::world::{Unit, World};

/// What an answer says may be as old as this when it arrives.
const NEWS_TAKES: Duration = Duration::from_millis(60);

pub(crate) struct Watch {
    allowed_down: usize,
    was_up: Vec<bool>,
    members: Vec<String>,
    touched: BTreeSet<usize>,
    /// Touched when they were not up, as far as could be known.
    were_down: BTreeSet<usize>,
    /// Touched, taken as started, or a hook was run for it.
    begun: BTreeSet<usize>,
    serving: BTreeSet<usize>,
    /// Failed, and to be stopped for good.
    given_up: BTreeSet<usize>,
    /// Who was up when the batch began: the floor is reckoned then.
    up_at_batch: Vec<bool>,
    /// Nothing new may begin any more.
    winding_down: bool,
    /// Nothing new may begin for now.
    paused: bool,
    on_failure: OnFailure,
    /// Nothing is done to them any more.
    taken_over: BTreeSet<usize>,
    hooks: Hooks,
}

impl Watch {
    pub(crate) fn new(plan: &Plan, world: &World) -> Self {
        Self {
            allowed_down: plan.allowed_down(),
            was_up: world.units.iter().map(|unit| unit.state.active.is_up()).collect(),
            members: plan.members().iter().map(|member| member.unit.clone()).collect(),
            touched: BTreeSet::new(),
            were_down: BTreeSet::new(),
            begun: BTreeSet::new(),
            serving: BTreeSet::new(),
            given_up: BTreeSet::new(),
            up_at_batch: Vec::new(),
            winding_down: false,
            paused: false,
            on_failure: plan.policy().on_failure,
            taken_over: BTreeSet::new(),
            hooks: Hooks::of(plan),
        }
    }

    /// Before the heart is told.
    pub(crate) fn hears(&mut self, event: &Event) {
        self.winding_down |= matches!(event, Event::Interrupted);
        self.hooks.hear(event);
    }

    /// Before the action is performed.
    pub(crate) fn sees(&mut self, action: &Action, world: &World) {
        self.hooks.see(action, world);
        match action {
            Action::Restart(slot) | Action::Stop(slot) => {
                self.keeps_the_floor(*slot, world);
                if self.up_at_batch.get(slot.0) == Some(&false) {
                    self.were_down.insert(slot.0);
                }
                let is_stop = matches!(action, Action::Stop(_));
                assert!(!is_stop || world.is_guarded(*slot), "{slot:?} is stopped without a guard");
                self.touches(*slot);
            }
            Action::Start(slot) => self.touches(*slot),
            Action::RunHook { slot: Some(slot), .. } => self.begins(*slot),
            // The last look was just now; what happens while its last hook runs is not known.
            Action::RunHook { result: Some(Reason::Done), .. } => self.those_rolled_serve(world),
            Action::StopForGood(slot) => _ = self.given_up.insert(slot.0),
            Action::Record(record) => self.reads(record, world),
            _ => {}
        }
    }

    /// What it was to do could not be written down.
    pub(crate) fn loses_the_log(&mut self) {
        self.winding_down = true;
    }

    fn reads(&mut self, record: &Record, world: &World) {
        match record {
            Record::InstanceFailed { instance, failure } => {
                let ends_it = self.on_failure == OnFailure::Stop || failure.ends_every_roll();
                self.winding_down |= ends_it;
                self.serving.remove(&self.place(instance));
                if matches!(failure, Failure::TakenOver { .. }) {
                    self.taken_over.insert(self.place(instance));
                }
            }
            Record::Paused { .. } => self.paused = true,
            Record::Resumed { .. } => self.paused = false,
            Record::BatchBegan { .. } => {
                assert!(!self.paused, "a batch begins while it is paused");
                let is_old_news = |since| world.now.since(since) > NEWS_TAKES;
                assert!(!world.socket_down_since.is_some_and(is_old_news), "without its socket");
                self.those_rolled_serve(world);
                // Who came up this moment was reckoned as down.
                let came_up_now = |unit: &Unit| unit.up_since.is_some_and(|at| !is_old_news(at));
                let was_up = |unit: &Unit| unit.state.active.is_up() && !came_up_now(unit);
                self.up_at_batch = world.units.iter().map(was_up).collect();
            }
            // One that came up by itself when its turn had come is in hand, too.
            Record::PhaseChanged { instance, phase: Phase::Starting, .. } if !self.winding_down => {
                self.begun.insert(self.place(instance));
            }
            Record::PhaseChanged { instance, phase: Phase::Serving, .. } => {
                let slot = self.place(instance);
                self.serving.insert(slot);
                self.serves_for_real(slot, world);
            }
            _ => {}
        }
    }

    fn place(&self, unit: &str) -> usize {
        self.members.iter().position(|member| member == unit).expect("a member")
    }

    fn touches(&mut self, slot: Slot) {
        assert!(!self.taken_over.contains(&slot.0), "{slot:?} is others', and touched again");
        self.begins(slot);
        self.touched.insert(slot.0);
    }

    /// Nothing new starts after a failure or an interrupt.
    fn begins(&mut self, slot: Slot) {
        let is_new = self.begun.insert(slot.0);
        assert!(!(is_new && self.winding_down), "{slot:?} begins after the roll was to end");
    }

    /// Nobody who is up is taken while too many others are down, whoever took them down.
    fn keeps_the_floor(&self, slot: Slot, world: &World) {
        let down = |(i, unit): &(usize, &Unit)| {
            let never_came_up = !self.was_up[*i] && !self.touched.contains(i) && !unit.meddled;
            *i != slot.0 && (unit.down_by_us || never_came_up)
        };
        let down = world.units.iter().enumerate().filter(down).count();
        let is_taken = world.units[slot.0].state.active.is_up() && self.up_at_batch[slot.0];
        assert!(!is_taken || down < self.allowed_down, "{slot:?} is taken while {down} are down");
    }

    /// Never more than max-unavailable down by our hand.
    pub(crate) fn looks_at(&self, world: &World) {
        // One that was not up when its batch began was down already, and came up this moment.
        let is_ours = |(i, unit): &(usize, &Unit)| unit.down_by_us && !self.were_down.contains(i);
        let down = world.units.iter().enumerate().filter(is_ours).count();
        assert!(down <= self.allowed_down, "{down} are down by our hand");
    }

    fn those_rolled_serve(&self, world: &World) {
        self.serving.iter().for_each(|slot| self.serves_for_real(*slot, world));
    }

    /// What we call serving is up in the run that passed the probe, or fell a moment ago.
    fn serves_for_real(&self, i: usize, world: &World) {
        let unit = &world.units[i];
        let proofs = [unit.passed, self.hooks.accepted(i)];
        assert!(proofs.iter().any(Option::is_some), "{} passed no gate", self.members[i]);
        let serves = unit.state.active.is_up() && proofs.contains(&unit.state.invocation);
        let fell_now = world.now.since(unit.changed_at) <= NEWS_TAKES;
        assert!(serves || fell_now, "{} is called serving: {unit:?}", self.members[i]);
    }

    pub(crate) fn judges(&self, outcome: &Outcome, world: &World) {
        assert_eq!(outcome.instances.len(), self.members.len());
        self.hooks.judge(outcome);
        let reachable = !matches!(outcome.reason, Reason::Unreachable { .. });
        for (i, instance) in outcome.instances.iter().enumerate() {
            assert_eq!(instance.instance, self.members[i]);
            let failed = instance.failure.is_some();
            match instance.standing {
                Standing::Untouched => assert!(!self.touched.contains(&i), "{instance:?}"),
                Standing::Serving | Standing::FailedStopped => {}
                // A clock that jumped over the deadline of a start that systemd did not hear: from
                // there on it is the guard's.
                _ if world.has_jumped() => {}
                Standing::ComingUp | Standing::FailedLeft if reachable => {
                    self.is_not_left_down(i, world);
                }
                Standing::ComingUp | Standing::FailedLeft => {}
                Standing::Unknown => assert!(!reachable, "{instance:?}"),
            }
            let says_failed =
                matches!(instance.standing, Standing::FailedStopped | Standing::FailedLeft);
            assert!(failed || !says_failed, "{instance:?}");
        }
        self.judges_the_reason(outcome, world);
    }

    fn judges_the_reason(&self, outcome: &Outcome, world: &World) {
        match outcome.reason {
            Reason::Done => {
                let all = outcome.instances.iter().all(|i| i.standing == Standing::Serving);
                assert!(all, "{outcome:?}");
                if !self.hooks.has_run_the_last() {
                    self.those_rolled_serve(world);
                }
            }
            Reason::Refused { .. } | Reason::GroupSick { .. } => {
                let refused = matches!(outcome.reason, Reason::Refused { .. });
                assert!(!refused || self.touched.is_empty(), "{outcome:?}");
                let all_were_up = self.was_up.iter().all(|up| *up);
                assert!(!(world.is_harmless && all_were_up), "nothing was wrong: {outcome:?}");
            }
            Reason::Failed | Reason::Interrupted => {
                assert!(!world.is_harmless, "nothing was wrong: {outcome:?}");
            }
            Reason::HookFailed { .. } => {
                assert!(!world.is_harmless, "nothing was wrong: {outcome:?}");
                let all = outcome.instances.iter().all(|i| i.standing == Standing::Serving);
                assert!(all, "{outcome:?}");
            }
            Reason::Unreachable { .. } => {}
        }
    }

    /// Long after a kill.
    pub(crate) fn nobody_is_left_down(&self, world: &World) {
        (0..self.members.len()).for_each(|i| self.is_not_left_down(i, world));
    }

    /// No instance that was running is left down by us.
    fn is_not_left_down(&self, i: usize, world: &World) {
        let unit = &world.units[i];
        let is_coming = unit.job.is_some() || !unit.state.active.is_down();
        let not_by_us =
            self.given_up.contains(&i) || unit.meddled || unit.start_failed || !self.was_up[i];
        assert!(is_coming || not_by_us, "{} is left down: {unit:?}", self.members[i]);
    }
}
