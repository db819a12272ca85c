//! What must hold in every schedule (docs/architecture.md has the same list in words).

use std::collections::BTreeSet;

use rollctl::roll::{Action, Outcome, Plan, Reason, Record, Slot, Standing};

use super::world::World;

pub struct Watch {
    allowed_down: usize,
    was_up: Vec<bool>,
    units: Vec<String>,
    touched: BTreeSet<usize>,
    /// Nothing new may begin any more.
    winding_down: bool,
}

impl Watch {
    pub fn new(plan: &Plan, world: &World) -> Self {
        Self {
            allowed_down: plan.allowed_down(),
            was_up: world.units.iter().map(|unit| unit.state.active.is_up()).collect(),
            units: plan.members().iter().map(|member| member.unit.clone()).collect(),
            touched: BTreeSet::new(),
            winding_down: false,
        }
    }

    /// Nothing new starts after a failure or an interrupt.
    pub fn sees(&mut self, action: &Action) {
        match action {
            Action::Restart(slot) | Action::Stop(slot) => self.touches(*slot, action),
            Action::Start(slot) | Action::StopForGood(slot) => self.touches(*slot, action),
            Action::Record(Record::InstanceFailed { .. } | Record::Interrupted { .. }) => {
                self.winding_down = true;
            }
            _ => {}
        }
    }

    fn touches(&mut self, slot: Slot, action: &Action) {
        let is_new = self.touched.insert(slot.0);
        assert!(!(is_new && self.winding_down), "{action:?} begins after the roll was to end");
    }

    /// Never more than max-unavailable down by our hand.
    pub fn looks_at(&self, world: &World) {
        let down = world.units.iter().filter(|unit| unit.down_by_us).count();
        assert!(
            down <= self.allowed_down,
            "{down} are down by our hand, {} allowed",
            self.allowed_down
        );
    }

    pub fn judges(&self, outcome: &Outcome, world: &World) {
        assert_eq!(outcome.instances.len(), self.units.len());
        let reachable = !matches!(outcome.reason, Reason::Unreachable { .. });
        for (i, instance) in outcome.instances.iter().enumerate() {
            assert_eq!(instance.instance, self.units[i]);
            match instance.standing {
                Standing::Untouched => assert!(!self.touched.contains(&i), "{instance:?}"),
                Standing::Serving => self.serves_for_real(i, world),
                Standing::ComingUp if reachable => self.is_not_left_down(i, world),
                Standing::FailedLeft | Standing::FailedStopped => {
                    assert!(instance.failure.is_some(), "{instance:?}");
                }
                Standing::ComingUp => {}
                Standing::Unknown => assert!(!reachable, "{instance:?}"),
            }
        }
        let all_serve = outcome.instances.iter().all(|i| i.standing == Standing::Serving);
        assert!(all_serve || outcome.reason != Reason::Done, "{outcome:?}");
        let went_wrong = matches!(outcome.reason, Reason::Failed | Reason::Interrupted);
        assert!(!(world.is_harmless && went_wrong), "nothing was wrong: {outcome:?}");
        if matches!(outcome.reason, Reason::Refused { .. }) {
            assert!(self.touched.is_empty(), "refused, and yet touched: {outcome:?}");
        }
    }

    /// What we call serving is in the run that passed the probe, unless somebody meddled since.
    fn serves_for_real(&self, i: usize, world: &World) {
        let unit = &world.units[i];
        assert!(unit.passed.is_some(), "{} serves and passed no gate", self.units[i]);
        if !unit.meddled {
            assert!(unit.state.active.is_up(), "{} is called serving: {unit:?}", self.units[i]);
            assert_eq!(unit.passed, unit.state.invocation);
        }
    }

    /// No instance that was running is left down.
    fn is_not_left_down(&self, i: usize, world: &World) {
        let unit = &world.units[i];
        let is_coming = unit.job.is_some() || !unit.state.active.is_down();
        let not_by_us = unit.meddled || unit.start_failed || !self.was_up[i];
        assert!(is_coming || not_by_us, "{} is left down", self.units[i]);
    }
}
