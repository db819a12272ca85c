//! Rolling restarts under load, ours and those of others: what each costs its clients.
//!
//! ```text
//! make bench          # all of them, and docs/benchmarks.md from it
//! make bench-quick    # some of them, once
//! cargo bench --all-features --bench peers -- gunicorn      # those with this in their name
//! cargo bench --all-features --bench peers -- page          # makes the page again
//! ```
//!
//! Each peer serves the same small app with four workers on a private systemd, under the same load of
//! this project's load generator, and is restarted in its own way. Rounds alternate between the
//! peers. ROUNDS= and ROLLS= (a round, under each of the two loads) say how often.

mod balancers;
mod machine;
mod masters;
mod nodes;
mod ours;
mod page;
mod peer;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/raw.rs"]
mod raw;
mod round;
#[path = "../support/service.rs"]
mod service;

/// What the tests run, too.
#[path = "../../tests/fronted/support"]
#[allow(dead_code, unreachable_pub)]
mod real {
    mod apps;
    mod examples;
    mod programs;
    mod sockets;

    pub use apps::App;
    pub use examples::site_of;
    pub use programs::{Program, brought};
    pub use sockets::with_a_socket_each;
}

use std::env;

use peer::{Peer, Result};
use raw::{Extent, Peers, Round, Skipped};

fn main() -> Result {
    let words: Vec<String> = env::args().skip(1).collect();
    // `cargo test --all-targets` runs benches too, without this; they prove nothing there.
    if !words.iter().any(|word| word == "--bench") {
        return Ok(());
    }
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    if wanted.iter().any(|word| *word == "page") {
        return page::write();
    }
    let is_quick = env::var_os("QUICK").is_some();
    let from_environment = |name: &str, default: usize| -> Result<usize> {
        Ok(env::var(name).ok().map_or(Ok(default), |text| text.parse())?)
    };
    let rounds = from_environment("ROUNDS", if is_quick { 1 } else { 3 })?;
    let rolls = from_environment("ROLLS", 1)?;
    let peers: Vec<&Peer> = all()
        .filter(|peer| !is_quick || peer.is_quick)
        .filter(|peer| wanted.is_empty() || wanted.iter().any(|word| peer.name.contains(*word)))
        .collect();
    let results = compare(peers, Extent { is_quick, rounds, rolls });
    raw::write("peers", &results)
}

fn all() -> impl Iterator<Item = &'static Peer> {
    [ours::PEERS, nodes::PEERS, masters::PEERS, balancers::PEERS].into_iter().flatten()
}

/// In alternating rounds; who cannot be had is left out from then on, and named.
fn compare(mut peers: Vec<&Peer>, extent: Extent) -> Peers {
    let mut results =
        Peers { machine: machine::now(), extent, rounds: Vec::new(), skipped: Vec::new() };
    for number in 1..=extent.rounds {
        println!("round {number} of {}", extent.rounds);
        peers.retain(|peer| {
            results.machine.busy_otherwise.push(machine::busy_otherwise());
            match round::round(peer, number, extent) {
                Ok(rounds) => {
                    rounds.iter().for_each(print);
                    results.rounds.extend(rounds);
                    true
                }
                Err(why) => {
                    println!("  {}: skipped: {why}", peer.name);
                    let (peer, why) = (peer.name.to_owned(), why.to_string());
                    results.skipped.push(Skipped { peer, why });
                    false
                }
            }
        });
    }
    results.machine.load_after = machine::load();
    results
}

fn print(round: &Round) {
    let (steady, rolling) = (&round.steady, &round.rolling);
    let asked: u64 = round.styles.values().map(|it| it.requests).sum();
    let lost: u64 = round.styles.values().map(|it| it.lost).sum();
    let rolls: Vec<String> = round.rolls.iter().map(|took| format!("{took:.2}")).collect();
    println!(
        "  {:<60} {:<6?} {lost:>6} of {asked:>7} lost, p99 {:>6.1} → {:>6.1} ms, max {:>7.1} ms, rolls {} s  ({})",
        round.peer,
        round.load,
        steady.p99_ms,
        rolling.p99_ms,
        rolling.max_ms,
        rolls.join(" "),
        round.version,
    );
    round.trouble.iter().for_each(|words| println!("    {words}"));
}
