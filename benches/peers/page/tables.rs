//! The tables of the page.

use super::figures::Figures;

/// Rows of cells as a Markdown table.
pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rows = rows.into_iter().map(|row| line(&row)).collect::<String>();
    format!("{}|{}\n{rows}", line(&head.map(str::to_owned)), "---|".repeat(N))
}

/// A row a peer.
pub(super) fn rolling(all: &[Figures]) -> String {
    let head = [
        "peer",
        "lost / requests",
        "per million",
        "p99 steady → rolling",
        "p99.9 rolling",
        "max rolling",
        "reconnects a roll",
        "a roll, s",
        "steady requests/s",
        "MiB",
    ];
    let rows = all.iter().map(|it| {
        let (steady, rolling) =
            (it.spread(|round| round.steady.p99_ms), it.spread(|round| round.rolling.p99_ms));
        [
            format!("{} <sub>{}</sub>", it.peer, it.version()),
            format!("{} / {}", grouped(it.lost()), grouped(it.requests())),
            format!("{:.0}", it.lost_per_million()),
            format!("{} → {}", steady.told(1), rolling.told(1)),
            it.spread(|round| round.rolling.p999_ms).told(1),
            it.spread(|round| round.rolling.max_ms).told(1),
            format!("{:.0}", it.reconnects()),
            it.rolls().told(2),
            it.spread(|round| round.steady_rate).told(0),
            it.spread(|round| round.memory_mib).told(0),
        ]
    });
    let trouble =
        all.iter().flat_map(|it| it.trouble().map(|words| format!("- {}: {words}\n", it.peer)));
    let trouble: String = trouble.collect();
    format!("{}\n{trouble}", table(head, rows))
}

/// A row a peer, client style and class in which something was lost.
pub(super) fn losses(loads: &[(&str, &[Figures])]) -> String {
    let rows = loads.iter().flat_map(|(load, all)| {
        all.iter().flat_map(move |it| {
            it.losses().into_iter().map(move |(style, class, count, share)| {
                let [peer, load] = [it.peer, load].map(str::to_owned);
                [peer, load, style, class.to_string(), grouped(count), format!("{share:.0}")]
            })
        })
    });
    let head = ["peer", "loop", "clients", "how", "lost", "per million"];
    table(head, rows)
}

/// A number with a comma between its thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    parts.collect::<Vec<_>>().join(",")
}
