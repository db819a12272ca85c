//! The heart of a roll, told a hundred thousand random stories.
//!
//! A schedule is a group, a policy and a world with faults, all drawn from one seed: jobs that
//! fail, time out or are canceled, signals lost and doubled, answers lost, instances that crash,
//! hang or stay sick, hooks that fail or never end, checks that cannot tell, clocks that jump,
//! strangers at the keyboard, interrupts, a bus that goes away. Whatever happens, the invariants of
//! docs/architecture.md hold, and each of the planted bugs breaks one. A failure prints the seed:
//!
//! ```text
//! ROLL_SEED=1234 cargo test --features ctl --test simulation -- --nocapture
//! ROLL_SCHEDULES=1000000 cargo test --features ctl --test simulation
//! ```

mod aftermath;
mod bugs;
mod faults;
mod hooks;
mod invariants;
mod run;
mod world;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use bugs::Bug;

const SCHEDULES: u64 = 100_000;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn holds_its_invariants_in_every_schedule() {
    if let Some(seed) = from_environment("ROLL_SEED") {
        let told = run::schedule(seed, None, true);
        println!("seed {seed}: {told:?}");
        return;
    }
    let schedules = from_environment("ROLL_SCHEDULES").unwrap_or(SCHEDULES);
    let mut reasons = std::collections::BTreeMap::<&str, u64>::new();
    for seed in 0..schedules {
        let told = catch_unwind(AssertUnwindSafe(|| run::schedule(seed, None, false)))
            .unwrap_or_else(|_| panic!("broken by seed {seed}: ROLL_SEED={seed} tells it again"));
        *reasons.entry(told.reason).or_default() += 1;
    }
    println!("{schedules} schedules ended: {reasons:?}");
    // A world in which every roll ended the same way would show nothing.
    let told = ["done", "failed", "group_sick", "hook_failed", "refused", "unreachable"];
    for reason in told.into_iter().chain(["interrupted", "killed"]) {
        assert!(reasons.get(reason).is_some_and(|count| *count > schedules / 1000), "{reasons:?}");
    }
}

#[test]
fn the_same_schedule_gives_the_same_actions() {
    for seed in 0..2_000 {
        assert_eq!(
            run::schedule(seed, None, false),
            run::schedule(seed, None, false),
            "seed {seed}"
        );
    }
}

/// A schedule that breaks this heart is found early, or the invariants prove nothing.
#[test]
fn every_planted_bug_is_caught() {
    const MOST: u64 = 20_000;
    let caught = Bug::ALL.map(|bug| (bug, (0..MOST).find(|seed| is_caught(*seed, bug))));
    println!("caught by seed: {caught:?}");
    let missed: Vec<&(Bug, Option<u64>)> = caught.iter().filter(|it| it.1.is_none()).collect();
    assert!(missed.is_empty(), "not caught in {MOST} schedules: {missed:?}");
}

fn is_caught(seed: u64, bug: Bug) -> bool {
    quietly(|| run::schedule(seed, Some(bug), false)).is_err()
}

/// A panic that is wanted is not printed.
fn quietly<T>(act: impl FnOnce() -> T) -> std::thread::Result<T> {
    thread_local!(static IS_WANTED: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_WANTED.get() {
                loud(panic);
            }
        }));
    });
    IS_WANTED.set(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    IS_WANTED.set(false);
    result
}
