//! What we lose at, said first: by the same figures, whoever they speak for.

use super::figures::Figures;
use super::others::Others;

/// The one of ours that most users will have, and the most that others are compared with.
const OURS: &str = "rollctl: Node";

/// Another app altogether.
const OTHER_APP: &str = "the built-in app";

/// Less than this is the machine.
const CLEARLY: f64 = 1.1;

type Value = fn(&Figures) -> f64;

/// A line a figure: who is better than we are, and by how much.
pub(super) fn text(closed: &[Figures], open: &[Figures], others: &Others) -> String {
    let lines = [
        line("Requests lost per million, closed loop", closed, |it| it.lost_per_million(), 0),
        line("Requests lost per million, open loop", open, |it| it.lost_per_million(), 0),
        line("Time of a roll in s", open, |it| it.rolls().median, 2),
        line("p99 in a roll in ms, open loop", open, |it| median(it, |it| it.rolling.p99_ms), 1),
        line("Longest latency in a roll in ms", open, |it| median(it, |it| it.rolling.max_ms), 0),
        line("Memory in MiB", open, |it| median(it, |it| it.memory_mib), 0),
        line("Reconnects a roll", closed, |it| it.reconnects(), 0),
        line(
            "Time a request at full speed in ms, closed loop",
            closed,
            |it| 1e3 / median(it, |it| it.steady_rate),
            3,
        ),
    ];
    format!(
        "## What we lose at\n\nBy each figure, those who do better than Node behind our worker \
         (`{OURS}`), whatever else they lose:\n\n{}{}\n",
        lines.concat(),
        others.losing()
    )
}

fn is_ours(peer: &str) -> bool {
    peer.starts_with("rollctl") || peer.ends_with(OTHER_APP)
}

fn median(figures: &Figures, value: fn(&crate::raw::Round) -> f64) -> f64 {
    figures.spread(value).median
}

fn line(name: &str, all: &[Figures], value: Value, digits: usize) -> String {
    let Some(ours) = all.iter().find(|it| it.peer == OURS).map(value) else {
        return String::new();
    };
    let mut better: Vec<(f64, &str)> = all.iter().map(|it| (value(it), it.peer)).collect();
    better.retain(|(theirs, peer)| theirs * CLEARLY < ours && !is_ours(peer));
    better.sort_by(|one, other| one.0.total_cmp(&other.0));
    let told = better.iter().map(|(theirs, peer)| format!("{peer} {theirs:.digits$}"));
    let told = told.collect::<Vec<_>>();
    let told = if told.is_empty() { "nobody".to_owned() } else { told.join("; ") };
    format!("- **{name}**: ours {ours:.digits$}; better: {told}\n")
}
