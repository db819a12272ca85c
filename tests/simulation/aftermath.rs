//! After a kill: everybody comes back without us, and `resume` goes on with those not done.

use std::collections::BTreeSet;
use std::time::Duration;

use rollctl::roll::{Action, Member, Plan, Policy, Record, Standing, Story, Turn};

use super::run::{Told, Walk};
use super::world::World;

/// Longer than any guard, any stop and any start.
const GUARDS_TAKE: Duration = Duration::from_secs(600);
const MOST_EVENTS: usize = 50_000;

/// What became of a roll that was killed in this moment.
pub(crate) fn of(mut walk: Walk, mut world: World, aloud: bool) -> Told {
    world.is_left_alone(GUARDS_TAKE);
    walk.watch.nobody_is_left_down(&world);
    let story = story_of(&walk);
    let plan = &walk.plan;
    let names: Vec<String> = plan.members().iter().map(|it| it.unit.clone()).collect();
    // Killed before its first record it had done nothing.
    let left: BTreeSet<&str> = match story.instances.is_empty() {
        true => names.iter().map(String::as_str).collect(),
        false => story.not_done().map(|it| it.instance.as_str()).collect(),
    };
    let all: Vec<String> = names.iter().chain(plan.bystanders()).cloned().collect();
    let Some((plan, order)) = plan_for(&all, &left, &world) else {
        return Told { reason: "killed", actions: walk.actions };
    };
    world.is_well_again(&order, plan.members().len());
    let is_sound = world.socket_down_since.is_none()
        && world.units[plan.members().len()..].iter().all(|it| it.state.active.is_up());
    let mut resumed = Walk::begin(plan, &world, None, aloud);
    let outcome = resumed.on(&mut world, MOST_EVENTS).expect("it ends");
    let all_serve = outcome.instances.iter().all(|it| it.standing == Standing::Serving);
    assert!(all_serve || !is_sound, "resume does not finish it: {outcome:?}");
    walk.actions.extend(resumed.actions);
    Told { reason: "killed", actions: walk.actions }
}

fn story_of(walk: &Walk) -> Story {
    let record = |(at, action): &(_, Action)| match action {
        Action::Record(record) => Some((*at, record.clone())),
        _ => None,
    };
    let records = walk.actions.iter().filter_map(record);
    records.map(|(at, record): (rollctl::roll::Moment, Record)| (at.0, record)).collect()
}

/// The plan for those that are left, with the others as bystanders; and the world's order for it.
fn plan_for(all: &[String], left: &BTreeSet<&str>, world: &World) -> Option<(Plan, Vec<usize>)> {
    let is_left = |name: &String| left.contains(name.as_str());
    let member = |(name, unit): (&String, &super::world::Unit)| Member {
        unit: name.clone(),
        up: unit.state.active.is_up(),
        turn: Turn::default(),
    };
    let pairs = || all.iter().zip(&world.units);
    let members = pairs().filter(|(name, _)| is_left(name)).map(member).collect();
    let bystanders = all.iter().filter(|name| !is_left(name)).cloned().collect();
    let plan = Plan::new(members, bystanders, Policy::default()).ok()?;
    let names = plan.members().iter().map(|it| &it.unit).chain(plan.bystanders());
    let order = names.map(|name| all.iter().position(|it| it == name).unwrap()).collect();
    Some((plan, order))
}
