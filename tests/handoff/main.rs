//! The hand-off of connections, with every order in which things can happen.
//!
//! A giver, its links and its takers are one [`world::World`]; every step that it could take next is
//! tried from every state that can be reached (small worlds), or drawn from a seed (large ones).
//! Whatever happens, a connection has one owner at most, is answered by one process, and is lost
//! only with a process that was killed and had it. Each of the planted bugs breaks that.

mod bugs;
mod world;

use std::collections::HashSet;

use bugs::Bug;
use world::{Size, World};

const SMALL: [Size; 4] = [
    Size { conns: 3, takers: 1, batch: 1, faults: 3 },
    Size { conns: 4, takers: 1, batch: 2, faults: 3 },
    Size { conns: 3, takers: 2, batch: 1, faults: 2 },
    Size { conns: 4, takers: 2, batch: 2, faults: 3 },
];

const LARGE: Size = Size { conns: 60, takers: 4, batch: 5, faults: 6 };

/// Tries everything that can happen in a world; how many states there are, or what is broken.
fn explore(size: Size, bug: Option<Bug>) -> Result<usize, String> {
    let mut seen = HashSet::new();
    let mut open = vec![World::new(size, bug)];
    while let Some(world) = open.pop() {
        world.check()?;
        let steps = world.steps();
        if steps.iter().all(|step| step.is_fault()) {
            world.check_at_rest()?;
        }
        for step in steps {
            let mut next = world.clone();
            next.take(step);
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    Ok(seen.len())
}

fn wander(seed: u64) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(LARGE, None);
    loop {
        world.check()?;
        let (faults, steps): (Vec<_>, Vec<_>) =
            world.steps().into_iter().partition(|step| step.is_fault());
        let pool = if random.u8(..) < 8 && !faults.is_empty() { faults } else { steps };
        match random.choice(pool) {
            Some(step) => world.take(step),
            None => return world.check_at_rest(),
        }
    }
}

#[test]
fn every_order_of_things_leaves_each_connection_one_owner() {
    for size in SMALL {
        let states = explore(size, None).unwrap_or_else(|broken| panic!("{size:?}: {broken}"));
        println!("{size:?}: {states} states");
        assert!(states > 500, "{size:?}: a world of {states} states shows nothing");
    }
}

#[test]
fn many_random_orders_leave_each_connection_one_owner() {
    for seed in 0..5_000 {
        wander(seed).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
}

#[test]
fn every_planted_bug_is_caught() {
    for bug in Bug::ALL {
        let caught = SMALL.iter().find_map(|size| explore(*size, Some(bug)).err());
        println!("{bug:?}: {caught:?}");
        assert!(caught.is_some(), "{bug:?} was not caught");
    }
}
