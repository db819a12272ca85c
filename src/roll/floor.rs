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
pub(super) fn floor(plan: &Plan, slots: &[Slot], group: &GroupState) -> Result<(), String> {
    let taken: Vec<&str> = units(plan, slots.iter().copied().filter(|slot| is_up(group, slot)));
    let down = down(plan, group);
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

/// How many of these the group can bear to lose at once; all of them, if they are down anyway.
pub(super) fn room(plan: &Plan, slots: &[Slot], group: &GroupState) -> usize {
    match slots.iter().any(|slot| is_up(group, slot)) {
        true => plan.allowed_down().saturating_sub(down(plan, group).len()),
        false => slots.len(),
    }
}

fn is_up(group: &GroupState, slot: &Slot) -> bool {
    group.members.get(slot.0).is_some_and(|state| state.active.is_up())
}

fn down<'a>(plan: &'a Plan, group: &GroupState) -> Vec<&'a str> {
    let members = (0..plan.members().len()).map(Slot).filter(|slot| !is_up(group, slot));
    let mut down = units(plan, members);
    let bystanders = plan.bystanders().iter().zip(&group.bystanders);
    down.extend(bystanders.filter(|(_, state)| !state.active.is_up()).map(|(unit, _)| &**unit));
    down
}

fn units(plan: &Plan, slots: impl Iterator<Item = Slot>) -> Vec<&str> {
    slots.map(|slot| plan.member(slot).unit.as_str()).collect()
}
