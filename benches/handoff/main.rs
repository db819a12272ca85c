//! That a roll closes no connection, and what it costs: on real systemd, a row a kind of client; then
//! what a connection costs the worker that gives it and the one that takes it; then an instance
//! alone. It fails when anything was lost.
//!
//! ```text
//! cargo bench --all-features --bench handoff                    # 10 rolls with each kind of client
//! ROLLS=50 cargo bench --all-features --bench handoff
//! ROLLS=50 cargo bench --all-features --bench handoff -- idle   # the kinds that are named so
//! cargo bench --all-features --bench handoff -- cost alone      # or these parts
//! ```
//!
//! Clients, workers and systemd share the machine: what is counted does not depend on that, times do.

mod alone;
mod clients;
mod cost;
mod rolls;
#[path = "../support/service.rs"]
mod service;

/// What the tests run, too.
#[path = "../../tests/fronted/support"]
#[allow(dead_code, unreachable_pub)]
mod real {
    mod examples;
    mod programs;

    pub use examples::site_of;
    pub use programs::Program;
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (flags, wanted): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    // `cargo test --all-targets` runs benches too, without this; they prove nothing there.
    if !flags.iter().any(|flag| flag == "--bench") {
        return Ok(());
    }
    let rolls = std::env::var("ROLLS").ok().map_or(Ok(10), |text| text.parse())?;
    rolls::run(rolls, &wanted)?;
    let asked = |part: &str| wanted.is_empty() || wanted.iter().any(|it| it == part);
    if asked("cost") {
        cost::run()?;
    }
    if asked("alone") {
        alone::run()?;
    }
    Ok(())
}
