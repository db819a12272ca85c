//! The heart of a roll, told a hundred thousand random stories.
//!
//! A schedule is a group, a policy and a world with faults, all drawn from one seed: jobs that
//! fail, time out or are canceled, signals lost and doubled, answers lost, instances that crash,
//! hang or stay sick, strangers at the keyboard, interrupts, a bus that goes away. Whatever
//! happens, the invariants of docs/architecture.md hold. A failure prints the seed:
//!
//! ```text
//! ROLL_SEED=1234 cargo test --features ctl --test simulation -- --nocapture
//! ROLL_SCHEDULES=1000000 cargo test --features ctl --test simulation
//! ```

mod aftermath;
mod invariants;
mod run;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

const SCHEDULES: u64 = 100_000;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn holds_its_invariants_in_every_schedule() {
    if let Some(seed) = from_environment("ROLL_SEED") {
        let told = run::schedule(seed, true);
        println!("seed {seed}: {told:?}");
        return;
    }
    let schedules = from_environment("ROLL_SCHEDULES").unwrap_or(SCHEDULES);
    let mut reasons = std::collections::BTreeMap::<&str, u64>::new();
    for seed in 0..schedules {
        let told = catch_unwind(AssertUnwindSafe(|| run::schedule(seed, false)))
            .unwrap_or_else(|_| panic!("broken by seed {seed}: ROLL_SEED={seed} tells it again"));
        *reasons.entry(told.reason).or_default() += 1;
    }
    println!("{schedules} schedules ended: {reasons:?}");
    // A world in which every roll ended the same way would show nothing.
    let told = ["done", "failed", "group_sick", "refused", "unreachable", "interrupted", "killed"];
    for reason in told {
        assert!(reasons.get(reason).is_some_and(|count| *count > schedules / 1000), "{reasons:?}");
    }
}

#[test]
fn the_same_schedule_gives_the_same_actions() {
    for seed in 0..2_000 {
        assert_eq!(run::schedule(seed, false), run::schedule(seed, false), "seed {seed}");
    }
}
