//! What a roll is going to do: the members in the order of their turns, the batches, the policy.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::event::Slot;

/// How many instances may be out of service at a time: a number, or a share of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// So many.
    Number(usize),
    /// So many of a hundred; rounded down, but at least one.
    Percent(usize),
}

impl Unavailable {
    /// The number in a group of `size` instances.
    pub fn of(self, size: usize) -> usize {
        match self {
            Self::Number(number) => number,
            Self::Percent(percent) => (size * percent / 100).max(1),
        }
    }
}

impl Default for Unavailable {
    fn default() -> Self {
        Self::Number(1)
    }
}

impl FromStr for Unavailable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a number of instances (write 2 or 25%)");
        let (digits, percent) = match text.strip_suffix('%') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        match (digits.parse::<usize>().map_err(|_| bad())?, percent) {
            (0, _) => Err("at least one instance must be allowed out of service".to_owned()),
            (number, false) => Ok(Self::Number(number)),
            (number @ 1..=100, true) => Ok(Self::Percent(number)),
            (_, true) => Err(bad()),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// How a roll walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many may be out of service at a time.
    pub max_unavailable: Unavailable,
    /// The wait between two batches.
    pub pause: Duration,
    /// The wait between an instance's stop and its start; zero makes the two one job.
    pub stop_pause: Duration,
    /// How long an instance is watched after it passed the gates.
    pub observe: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_unavailable: Unavailable::default(),
            pause: Duration::ZERO,
            stop_pause: Duration::ZERO,
            observe: Duration::from_millis(500),
        }
    }
}

/// An instance that the roll takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its unit name, such as `worker@1.service`.
    pub unit: String,
    /// Whether it was up when the plan was made.
    pub up: bool,
    /// How long its stop may take, and then its start with the gates; each.
    #[serde(with = "super::seconds")]
    pub timeout: Duration,
}

/// A plan that can be walked. One that would leave nobody serving cannot be built.
#[derive(Clone, Debug)]
pub struct Plan {
    members: Vec<Member>,
    bystanders: Vec<String>,
    batches: Vec<Vec<Slot>>,
    policy: Policy,
    allowed_down: usize,
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
        let allowed_down = policy.max_unavailable.of(group);
        check_names(&members, &bystanders)?;
        if allowed_down >= group && group > 1 {
            return Err(BadPlan::NobodyLeft { allowed: allowed_down, group });
        }
        let (down, up): (Vec<Member>, Vec<Member>) = members.into_iter().partition(|m| !m.up);
        let first_up = down.len();
        let members: Vec<Member> = down.into_iter().chain(up).collect();
        // A batch is of one kind, for what is up may have to wait until what is down serves.
        let (down, up): (Vec<Slot>, Vec<Slot>) =
            (0..members.len()).map(Slot).partition(|slot| slot.0 < first_up);
        let batches = down
            .chunks(allowed_down)
            .chain(up.chunks(allowed_down))
            .map(<[Slot]>::to_vec)
            .collect();
        Ok(Self { members, bystanders, batches, policy, allowed_down })
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

    /// The batches, in order.
    pub fn batches(&self) -> &[Vec<Slot>] {
        &self.batches
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
