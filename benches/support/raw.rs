//! The raw results of the benchmarks, in files of target/bench: written by them, read by the page.

// Every benchmark takes what it needs.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use rollctl::ctl::Window;
use rollctl::load::Timeline;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// `peers`: what a rolling restart of each costs its clients.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Peers {
    pub(crate) machine: Machine,
    pub(crate) extent: Extent,
    pub(crate) rounds: Vec<Round>,
    pub(crate) skipped: Vec<Skipped>,
}

/// How much was measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Extent {
    pub(crate) is_quick: bool,
    pub(crate) rounds: usize,
    /// In each round, under each load.
    pub(crate) rolls: usize,
}

/// Where and when it was measured, and what else went on there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) kernel: String,
    pub(crate) systemd: String,
    /// /proc/loadavg, before and after.
    pub(crate) load_before: String,
    pub(crate) load_after: String,
    /// The share of it that was busy while nothing of the benchmark ran, sampled before each round.
    pub(crate) busy_otherwise: Vec<f64>,
}

/// A peer that this machine does not have.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Skipped {
    pub(crate) peer: String,
    pub(crate) why: String,
}

/// One peer under one load, rolled a few times.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) peer: String,
    pub(crate) version: String,
    pub(crate) load: LoadKind,
    /// Of what was asked before the first roll.
    pub(crate) steady: Window,
    /// Requests a second then.
    pub(crate) steady_rate: f64,
    /// Of what was asked while it was rolled.
    pub(crate) rolling: Window,
    /// By client style, all but the warm-up.
    pub(crate) styles: BTreeMap<String, Window>,
    /// How long each roll took, in seconds.
    pub(crate) rolls: Vec<f64>,
    /// What went wrong with a roll.
    pub(crate) trouble: Vec<String>,
    /// Of all its processes, before the first roll.
    pub(crate) memory_mib: f64,
    /// CPU time a request of the load generator, in microseconds.
    pub(crate) load_cpu_us: f64,
    pub(crate) timeline: Timeline,
    /// When each roll began and ended, in seconds from the start of the timeline.
    pub(crate) rolled: Vec<(f64, f64)>,
}

/// How a load asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoadKind {
    /// The next request follows the answer.
    Closed,
    /// Requests are sent at their times, whatever became of those before.
    Open,
}

/// `scale`, a list of these: a roll of instances that do nothing, against systemd alone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ScaleRound {
    pub(crate) instances: usize,
    pub(crate) at_once: usize,
    pub(crate) plan_s: f64,
    pub(crate) plan_mib: f64,
    pub(crate) roll_s: f64,
    pub(crate) roll_mib: f64,
    pub(crate) ideal_s: f64,
}

/// `fronting`, a list of these: a server under full load, in one round.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AnchorRound {
    pub(crate) server: String,
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) p99_ms: f64,
    /// CPU time a request in microseconds: of all of it, and of what stands before the app.
    pub(crate) cpu_us: f64,
    pub(crate) proxy_cpu_us: f64,
    pub(crate) memory_mib: f64,
}

/// `instructions`, a list of these.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Instructions {
    /// Which program, and what it is asked for.
    pub(crate) path: String,
    /// A request, in each round.
    pub(crate) each: Vec<f64>,
}

/// Where the file of these results is.
pub(crate) fn file(name: &str) -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("..");
    target.join("bench").join(format!("{name}.json"))
}

pub(crate) fn write<T: Serialize>(name: &str, results: &T) -> Result<(), Box<dyn Error>> {
    let path = file(name);
    fs::create_dir_all(path.parent().unwrap_or(&path))?;
    fs::write(&path, serde_json::to_string(results)?)?;
    Ok(())
}

/// `None` where that benchmark did not run.
pub(crate) fn read<T: DeserializeOwned>(name: &str) -> Result<Option<T>, Box<dyn Error>> {
    match fs::read_to_string(file(name)) {
        Ok(text) => {
            Ok(Some(serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?))
        }
        Err(_) => Ok(None),
    }
}
