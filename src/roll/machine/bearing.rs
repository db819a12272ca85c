//! What the group can bear to lose, as one of its instances asks.

use super::Roll;
use crate::roll::event::Slot;
use crate::roll::instance::Instance;
use crate::roll::phase::Phase;

impl Roll {
    /// As far as the last look at the group tells.
    pub(super) fn may_be_taken(&self, slot: Slot) -> bool {
        let is_down = |(i, it): (usize, &Instance)| {
            let was_up = self.group.members.get(i).is_some_and(|state| state.active.is_up());
            i != slot.0 && (it.is_busy() || !was_up)
        };
        let members = self.instances.iter().enumerate().map(is_down);
        let bystanders = self.group.bystanders.iter().map(|state| !state.active.is_up());
        members.chain(bystanders).filter(|down| *down).count() < self.plan.allowed_down()
    }

    /// The failed are stopped only while others serve, and never more of them than may be down.
    pub(super) fn may_stop_for_good(&self, slot: Slot) -> bool {
        let others = self.instances.iter().enumerate().filter(|(i, _)| *i != slot.0);
        let down = others.filter(|(_, other)| other.has_failed_and_is_down()).count();
        down < self.plan.allowed_down() && self.others_serve(slot)
    }

    fn others_serve(&self, slot: Slot) -> bool {
        let members = self.instances.iter().enumerate().any(|(i, other)| {
            let was_up = self.group.members.get(i).is_some_and(|state| state.active.is_up());
            i != slot.0 && (other.phase() == Phase::Serving || !other.has_begun() && was_up)
        });
        members || self.group.bystanders.iter().any(|state| state.active.is_up())
    }
}
