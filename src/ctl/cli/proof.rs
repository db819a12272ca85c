//! A proof, told to people.

use std::collections::BTreeSet;

use super::table;
use crate::ctl::report::listed;
use crate::ctl::{ExitStatus, Figures, Proof, Scope, Window, grouped};
use crate::load::Class;

type Cell = fn(&Window) -> String;

/// A row a figure, a column a part of the time.
pub(super) fn table(proof: &Proof, figures: &Figures) -> String {
    let windows = [&figures.before, &figures.during, &figures.after];
    let row = |name: &str, cell: &dyn Fn(&Window) -> String| {
        let [before, during, after] = windows.map(cell);
        [name.to_owned(), before, during, after]
    };
    let mut rows = vec![row("requests", &|it| grouped(it.requests))];
    rows.push(row("lost", &|it| grouped(it.lost)));
    for class in figures.lost_by_kind.keys() {
        let count = |it: &Window| it.lost_by_kind.get(class).copied().unwrap_or(0);
        rows.push(row(&format!("  {class}"), &|it| grouped(count(it))));
    }
    rows.push(row("reconnects", &|it| grouped(it.reconnects)));
    let latencies: [(&str, Cell); 3] = [
        ("p50", |it| millis(it, it.p50_ms)),
        ("p99", |it| millis(it, it.p99_ms)),
        ("max", |it| millis(it, it.max_ms)),
    ];
    rows.extend(latencies.map(|(name, cell)| row(name, &cell)));
    let lines = table::lines(["", "before", "during", "after"], &rows);
    format!("\n{}\n\n{}", lines.join("\n"), proof.sentence())
}

/// What is to be said of a roll that went well and lost requests all the same.
pub(super) fn losses(proof: &Proof, scope: Scope) -> Option<String> {
    let (total, before) = (proof.report.total(), proof.report.phase("before"));
    if proof.rolled != ExitStatus::Serving || total.lost() == 0 {
        return None;
    }
    let (lost, requests) = (grouped(total.lost()), grouped(total.requests()));
    let earlier = match before.lost() {
        0 => String::new(),
        some => format!(", {} of them before the roll began", grouped(some)),
    };
    let (state, next) = match proof.groups.first() {
        Some(group) => (
            format!("; every instance of {} serves", listed(&proof.groups)),
            format!(
                "rollctl status {}{group}; does it answer what it has begun when it is stopped?",
                scope.flag()
            ),
        ),
        None => (
            String::new(),
            format!(
                "rollctl prove {}GROUP --url {}, which rolls it",
                scope.flag(),
                proof.measure.url
            ),
        ),
    };
    let mut lines =
        vec![format!("rollctl: {lost} of {requests} requests were lost{earlier}{state}")];
    let mut seen: BTreeSet<Class> = BTreeSet::new();
    for first in total.samples().iter().filter(|it| seen.insert(it.class)) {
        let (class, count) = (first.class, grouped(total.count(first.class)));
        let at = first.at.as_secs_f64();
        lines.push(format!("  {class}: {count}, the first begun at {at:.1} s: {}", first.text));
    }
    lines.push(format!("  next: {next}"));
    Some(lines.join("\n"))
}

/// Where nothing was answered there is no latency.
fn millis(window: &Window, time: f64) -> String {
    match window.requests > window.lost {
        true => format!("{time:.1} ms"),
        false => "-".to_owned(),
    }
}
