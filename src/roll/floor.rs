//! Whether the group as a whole can bear the next batch.

use super::event::{GroupState, Slot};
use super::plan::Plan;

/// Every socket of the group must be active: an instance that is started without it serves
/// nothing, and looks well (its unit is active, its `READY=1` was sent).
pub(super) fn sockets(group: &GroupState) -> Result<(), String> {
    match group.sockets_down.as_slice() {
        [] => Ok(()),
        down => Err(format!(
            "{} {} not active: an instance started now would get no socket",
            down.join(", "),
            if down.len() == 1 { "is" } else { "are" }
        )),
    }
}

/// No more than the allowed number may be down at a time, whoever took them down. A batch of
/// instances that are all down already can only gain.
pub(super) fn floor(plan: &Plan, batch: usize, group: &GroupState) -> Result<(), String> {
    let batch = &plan.batches()[batch];
    let is_up = |slot: &Slot| group.members.get(slot.0).is_some_and(|state| state.active.is_up());
    let taken: Vec<&str> = units(plan, batch.iter().copied().filter(is_up));
    let mut down = units(plan, (0..plan.members().len()).map(Slot).filter(|slot| !is_up(slot)));
    let bystanders = plan.bystanders().iter().zip(&group.bystanders);
    down.extend(bystanders.filter(|(_, state)| !state.active.is_up()).map(|(unit, _)| &**unit));
    if taken.is_empty() || taken.len() + down.len() <= plan.allowed_down() {
        return Ok(());
    }
    Err(format!(
        "{} {} not serving; to take {} too would leave {} of {} out of service (allowed: {})",
        down.join(", "),
        if down.len() == 1 { "is" } else { "are" },
        taken.join(", "),
        taken.len() + down.len(),
        plan.members().len() + plan.bystanders().len(),
        plan.allowed_down(),
    ))
}

fn units(plan: &Plan, slots: impl Iterator<Item = Slot>) -> Vec<&str> {
    slots.map(|slot| plan.member(slot).unit.as_str()).collect()
}
