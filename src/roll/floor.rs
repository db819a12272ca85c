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

/// No more than the allowed number may be down at a time, whoever took them down. An instance
/// that is down itself is never required to be healthy before it is replaced.
pub(super) fn floor(plan: &Plan, batch: usize, group: &GroupState) -> Result<(), String> {
    let batch = &plan.batches()[batch];
    let is_up = |i: usize| group.members.get(i).is_some_and(|state| state.active.is_up());
    let taken: Vec<&str> = units(plan, batch.iter().filter(|slot| is_up(slot.0)));
    let others = (0..plan.members().len()).map(Slot).filter(|slot| !batch.contains(slot));
    let down_members: Vec<Slot> = others.filter(|slot| !is_up(slot.0)).collect();
    let bystanders = plan.bystanders().iter().zip(&group.bystanders);
    let down_bystanders = bystanders.filter(|(_, state)| !state.active.is_up());
    let mut down = units(plan, down_members.iter());
    down.extend(down_bystanders.map(|(unit, _)| unit.as_str()));
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

fn units<'a>(plan: &'a Plan, slots: impl Iterator<Item = &'a Slot>) -> Vec<&'a str> {
    slots.map(|slot| plan.member(*slot).unit.as_str()).collect()
}
