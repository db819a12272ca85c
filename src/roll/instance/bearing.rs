//! What the group can bear to lose, as one of its instances asks.

use super::Instance;
use crate::roll::event::{GroupState, Slot};
use crate::roll::phase::Phase;
use crate::roll::plan::Plan;

/// The group of an instance without that one. Reckoned only when it asks: there may be thousands.
pub(in crate::roll) struct Bearing<'a> {
    plan: &'a Plan,
    /// As it was last looked at.
    group: &'a GroupState,
    before: &'a [Instance],
    behind: &'a [Instance],
}

impl<'a> Bearing<'a> {
    /// Of the instance in this place, which comes with it; `None` if there is none.
    pub(in crate::roll) fn around(
        slot: Slot,
        instances: &'a mut [Instance],
        group: &'a GroupState,
        plan: &'a Plan,
    ) -> Option<(&'a mut Instance, Self)> {
        let (before, rest) = instances.split_at_mut_checked(slot.0)?;
        let (instance, behind) = rest.split_first_mut()?;
        Some((instance, Self { plan, group, before, behind }))
    }

    /// Whether it may be taken down, as far as the last look at the group tells.
    pub(super) fn may_be_taken(&self) -> bool {
        let down = self.others().filter(|(other, was_up)| other.is_busy() || !was_up).count();
        let bystanders = self.group.bystanders.iter().filter(|state| !state.active.is_up());
        down + bystanders.count() < self.plan.allowed_down()
    }

    /// The failed are stopped only while others serve, and never more of them than may be down.
    pub(super) fn may_stop_for_good(&self) -> bool {
        let down = self.others().filter(|(other, _)| other.has_failed_and_is_down()).count();
        down < self.plan.allowed_down() && self.others_serve()
    }

    fn others_serve(&self) -> bool {
        let serves = |(other, was_up): (&Instance, bool)| {
            other.phase == Phase::Serving || !other.has_begun() && was_up
        };
        self.others().any(serves) || self.group.bystanders.iter().any(|state| state.active.is_up())
    }

    /// Each other one, and whether it was up.
    fn others(&self) -> impl Iterator<Item = (&'a Instance, bool)> {
        let group = self.group;
        let was_up = |slot: Slot| group.members.get(slot.0).is_some_and(|it| it.active.is_up());
        self.before.iter().chain(self.behind).map(move |other| (other, was_up(other.slot)))
    }
}
