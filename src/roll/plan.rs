//! What a roll is going to do: the members in the order of their turns, the batches, the policy.

use std::collections::BTreeSet;

use serde::Serialize;

use super::event::Slot;
use super::policy::{Policy, Turn};
use super::share::Batches;

/// An instance that the roll takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its unit name, such as `worker@1.service`.
    pub unit: String,
    /// Whether it was up when the plan was made.
    pub up: bool,
    /// How it is taken.
    pub turn: Turn,
}

/// A plan that can be walked. One that would leave nobody serving cannot be built.
#[derive(Clone, Debug)]
pub struct Plan {
    members: Vec<Member>,
    bystanders: Vec<String>,
    parts: Vec<Part>,
    policy: Policy,
    allowed_down: usize,
}

/// Those that are taken at once: a batch, or as much of it as may be out of service at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The batch that they belong to, counted from one.
    pub batch: usize,
    /// They.
    pub slots: Vec<Slot>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    /// No instance to roll.
    #[error("there is nothing to roll")]
    Empty,
    /// The same unit twice.
    #[error("{0} is in the plan twice")]
    Twice(String),
    /// Everybody would be down at once.
    #[error(
        "{allowed} of {group} instances out of service at a time would leave nobody serving\n  \
         next: --max-unavailable {}", group - 1
    )]
    NobodyLeft {
        /// So many were allowed out of service.
        allowed: usize,
        /// So many there are.
        group: usize,
    },
}

impl Plan {
    /// Orders the members (those that are down come first, for they can only gain) and cuts them
    /// into batches. `bystanders` are the group's other instances: never touched, but counted.
    ///
    /// # Errors
    ///
    /// When there is nothing to roll, a unit is named twice, or nobody would be left serving.
    pub fn new(
        members: Vec<Member>,
        bystanders: Vec<String>,
        policy: Policy,
    ) -> Result<Self, BadPlan> {
        let group = members.len() + bystanders.len();
        check_names(&members, &bystanders)?;
        let (down, up): (Vec<Member>, Vec<Member>) = members.into_iter().partition(|m| !m.up);
        let members: Vec<Member> = down.into_iter().chain(up).collect();
        let batches = match &policy.batches {
            Some(batches) => cut(members.len(), batches, group),
            None => cut_by_kind(&members, policy.max_unavailable.map_or(1, |most| most.of(group))),
        };
        let largest = batches.iter().map(Vec::len).max().unwrap_or(1);
        let allowed_down = policy.max_unavailable.map_or(largest, |most| most.of(group));
        if allowed_down >= group && group > 1 {
            return Err(BadPlan::NobodyLeft { allowed: allowed_down, group });
        }
        let parts = parts(&members, &batches, allowed_down);
        Ok(Self { members, bystanders, parts, policy, allowed_down })
    }

    /// The instances that are rolled, in the order of their turns.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member in this slot.
    pub fn member(&self, slot: Slot) -> &Member {
        &self.members[slot.0]
    }

    /// The group's other instances, by unit name.
    pub fn bystanders(&self) -> &[String] {
        &self.bystanders
    }

    /// What is taken at once, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// How many batches there are.
    pub fn batch_count(&self) -> usize {
        self.parts.last().map_or(0, |part| part.batch)
    }

    /// How the roll walks.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many instances of the group may be down at a time.
    pub fn allowed_down(&self) -> usize {
        self.allowed_down
    }
}

/// Batches of the sizes that were asked for.
fn cut(members: usize, batches: &Batches, group: usize) -> Vec<Vec<Slot>> {
    let mut slots = (0..members).map(Slot);
    let batches = batches.sizes(group).map(|size| slots.by_ref().take(size).collect::<Vec<_>>());
    batches.take_while(|batch| !batch.is_empty()).collect()
}

/// Batches of one size, of those that are down and then of those that are up.
fn cut_by_kind(members: &[Member], size: usize) -> Vec<Vec<Slot>> {
    let (down, up) = by_kind(members, (0..members.len()).map(Slot));
    down.chunks(size).chain(up.chunks(size)).map(<[Slot]>::to_vec).collect()
}

/// What is taken at once is of one kind, for what is up may have to wait until what is down serves.
fn parts(members: &[Member], batches: &[Vec<Slot>], allowed_down: usize) -> Vec<Part> {
    let of_batch = |(number, batch): (usize, &Vec<Slot>)| {
        let (down, up) = by_kind(members, batch.iter().copied());
        let chunks = down.chunks(allowed_down).chain(up.chunks(allowed_down));
        let part = |slots: &[Slot]| Part { batch: number + 1, slots: slots.to_vec() };
        chunks.map(part).collect::<Vec<Part>>()
    };
    batches.iter().enumerate().flat_map(of_batch).collect()
}

fn by_kind(members: &[Member], slots: impl Iterator<Item = Slot>) -> (Vec<Slot>, Vec<Slot>) {
    slots.partition(|slot| !members[slot.0].up)
}

fn check_names(members: &[Member], bystanders: &[String]) -> Result<(), BadPlan> {
    if members.is_empty() {
        return Err(BadPlan::Empty);
    }
    let mut seen = BTreeSet::new();
    for name in members.iter().map(|member| &member.unit).chain(bystanders) {
        if !seen.insert(name) {
            return Err(BadPlan::Twice(name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(ups: &[bool], bystanders: usize, batches: &str, most: &str) -> Result<Plan, BadPlan> {
        let member = |(i, up): (usize, &bool)| Member {
            unit: format!("w@{i}.service"),
            up: *up,
            turn: Turn::default(),
        };
        let members = ups.iter().enumerate().map(member).collect();
        let bystanders = (0..bystanders).map(|i| format!("w@b{i}.service")).collect();
        let policy = Policy {
            batches: batches.parse().ok(),
            max_unavailable: most.parse().ok(),
            ..Policy::default()
        };
        Plan::new(members, bystanders, policy)
    }

    /// `1: 0 | 2: 1 2`: the batches and their parts, by place in the plan.
    fn told(plan: Result<Plan, BadPlan>) -> String {
        let part = |part: &Part| {
            let slots: Vec<String> = part.slots.iter().map(|slot| slot.0.to_string()).collect();
            format!("{}: {}", part.batch, slots.join(" "))
        };
        plan.unwrap().parts().iter().map(part).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn batches_grow_and_the_last_takes_the_rest() {
        assert_eq!(told(plan(&[true; 8], 0, "1,25%,100%", "")), "1: 0 | 2: 1 2 | 3: 3 4 5 6 7");
        assert_eq!(told(plan(&[true; 5], 3, "1,25%", "")), "1: 0 | 2: 1 2 | 3: 3 4");
        assert_eq!(plan(&[true; 8], 0, "1,25%,100%", "").unwrap().allowed_down(), 5);
    }

    #[test]
    fn a_batch_beyond_max_unavailable_is_taken_in_parts() {
        let told = told(plan(&[true; 6], 0, "1,100%", "2"));
        assert_eq!(told, "1: 0 | 2: 1 2 | 2: 3 4 | 2: 5");
    }

    #[test]
    fn what_is_down_comes_first_and_by_itself() {
        let ups = [true, true, false, true];
        assert_eq!(told(plan(&ups, 0, "2", "2")), "1: 0 | 1: 1 | 2: 2 3");
        assert_eq!(told(plan(&ups, 0, "", "2")), "1: 0 | 2: 1 2 | 3: 3");
    }

    #[test]
    fn no_batch_may_leave_nobody_serving() {
        assert!(matches!(plan(&[true; 4], 0, "100%", ""), Err(BadPlan::NobodyLeft { .. })));
        assert!(plan(&[true], 0, "100%", "").is_ok());
    }

    proptest! {
        #[test]
        fn everybody_has_one_turn_and_the_limit_holds(
            ups in proptest::collection::vec(any::<bool>(), 1..12),
            bystanders in 0usize..4,
            batches in "([1-9]%?,){0,3}[1-9][0-9]?%?|",
            most in "[1-9]|[1-9][0-9]%|",
        ) {
            let Ok(plan) = plan(&ups, bystanders, &batches, &most) else { return Ok(()) };
            let turns: Vec<usize> =
                plan.parts().iter().flat_map(|part| part.slots.iter().map(|slot| slot.0)).collect();
            prop_assert_eq!(turns, (0..ups.len()).collect::<Vec<_>>());
            prop_assert!(plan.parts().iter().all(|part| part.slots.len() <= plan.allowed_down()));
            let numbers: Vec<usize> = plan.parts().iter().map(|part| part.batch).collect();
            prop_assert!(numbers.windows(2).all(|two| two[1] == two[0] || two[1] == two[0] + 1));
        }
    }
}
