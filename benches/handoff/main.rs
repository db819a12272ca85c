//! What a roll costs when connections move: on real systemd, a row a kind of client; then what a
//! connection costs the worker that gives it and the one that takes it; then an instance alone.
//!
//! ```text
//! cargo bench --all-features --bench handoff            # 10 rolls with each kind of client
//! ROLLS=50 cargo bench --all-features --bench handoff
//! ```

mod alone;
mod cost;
mod rolls;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test --all-targets` runs benches too, without this; they prove nothing there.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let rolls = std::env::var("ROLLS").ok().map_or(Ok(10), |text| text.parse())?;
    rolls::run(rolls)?;
    cost::run()?;
    alone::run()
}
