//! The figures of a proof, as `--json` prints them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{KEEP_ALIVE, Proof};
use crate::load::{Class, Report, Tally};

/// What was asked, what was lost, and how long it took.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The groups that were rolled.
    pub groups: Vec<String>,
    /// The command that was run in place of a roll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What was asked for.
    pub url: String,
    /// By how many clients.
    pub clients: usize,
    /// With what `rollctl` ends.
    pub exit_status: u8,
    /// With what the roll ended; of a command, 1 if it failed.
    pub roll_exit_status: u8,
    /// How long the roll took, or the command.
    pub roll_seconds: f64,
    /// All requests of the three windows.
    pub requests: u64,
    /// Those that did not get what they asked for.
    pub lost: u64,
    /// The same by kind; without those of which there were none.
    pub lost_by_kind: BTreeMap<Class, u64>,
    /// How often a client that keeps its connection had to make a new one.
    pub reconnects: u64,
    /// While nothing was done.
    pub before: Window,
    /// While it was rolled.
    pub during: Window,
    /// When the roll was over.
    pub after: Window,
}

/// The same of one part of the time; latencies are those of good requests, in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Requests in it.
    pub requests: u64,
    /// Those that were lost.
    pub lost: u64,
    /// The same by kind.
    pub lost_by_kind: BTreeMap<Class, u64>,
    /// New connections of clients that keep theirs.
    pub reconnects: u64,
    /// The median latency.
    pub p50_ms: f64,
    /// What one in a hundred exceeded.
    pub p99_ms: f64,
    /// What one in a thousand exceeded.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Figures {
    /// Those of this proof.
    pub fn of(proof: &Proof) -> Self {
        let report = &proof.report;
        let total = report.total();
        Self {
            groups: proof.groups.clone(),
            command: proof.command.clone(),
            url: proof.measure.url.to_string(),
            clients: proof.measure.clients,
            exit_status: proof.status().code(),
            roll_exit_status: proof.rolled.code(),
            roll_seconds: proof.took.as_secs_f64(),
            requests: total.requests(),
            lost: total.lost(),
            lost_by_kind: by_kind(&total),
            reconnects: report.style(KEEP_ALIVE).reconnects,
            before: window(report, "before"),
            during: window(report, "during"),
            after: window(report, "after"),
        }
    }
}

fn window(report: &Report, phase: &str) -> Window {
    Window::of(&report.phase(phase), report.part(KEEP_ALIVE, phase).reconnects)
}

impl Window {
    /// That of these requests, and of so many new connections.
    pub fn of(tally: &Tally, reconnects: u64) -> Self {
        Self {
            requests: tally.requests(),
            lost: tally.lost(),
            lost_by_kind: by_kind(tally),
            reconnects,
            p50_ms: millis(tally.p50()),
            p99_ms: millis(tally.p99()),
            p999_ms: millis(tally.p999()),
            max_ms: millis(tally.max()),
        }
    }
}

fn by_kind(tally: &Tally) -> BTreeMap<Class, u64> {
    tally.lost_by_class().into_iter().collect()
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
