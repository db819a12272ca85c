//! One restart under load: a steady window, the restart, and a window for its stragglers.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use rollctl::lab::Group;
use rollctl::load::{Load, Report, Style, Tally, Target};
use tokio::time::sleep;

/// How long the load is measured before the restart, and how long it goes on after it.
const STEADY: Duration = Duration::from_secs(3);
const STRAGGLERS: Duration = Duration::from_secs(1);

/// Between a client's requests: a busy machine, and not one that measures its own limit.
const THINK: Duration = Duration::from_millis(5);

/// What became of the requests around one restart.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    /// How many instances were down together.
    pub(crate) at_a_time: u32,
    pub(crate) succeeded: bool,
    pub(crate) took: Duration,
    pub(crate) report: Report,
}

impl Measured {
    /// The requests of a phase that do not ask for a slow answer: theirs is the latency that tells.
    pub(crate) fn quick(&self, phase: &str) -> Tally {
        self.report.select(|style, at| at == phase && !style.starts_with("slow"))
    }
}

/// Runs `restart` under load; what it prints is shown.
pub(crate) async fn measure(
    name: &'static str,
    at_a_time: u32,
    restart: Command,
    group: &Group,
) -> Result<Measured, Box<dyn Error>> {
    println!("\nLoading them for {} s, then restarting them by {name} …", STEADY.as_secs());
    let load = Load::to(group.address.parse::<Target>()?)
        .clients(24, Style::get("/").think(THINK))
        .clients(16, Style::post("/echo", 1024).think(THINK))
        .clients(16, Style::connect("/").think(THINK))
        .clients(8, Style::slow(Duration::from_millis(500)))
        .start()?;
    sleep(STEADY).await;
    load.mark("during");
    let begun = Instant::now();
    let status = tokio::process::Command::from(restart).kill_on_drop(true).status().await?;
    let took = begun.elapsed();
    load.mark("after");
    sleep(STRAGGLERS).await;
    let succeeded = status.success();
    Ok(Measured { name, at_a_time, succeeded, took, report: load.stop().await })
}
