//! What the other benchmarks have measured: full load, large groups, instructions.

use super::figures::Spread;
use super::tables::table;
use crate::peer::Result;
use crate::raw::{self, AnchorRound, Instructions, ScaleRound};

/// Nothing of those that did not run.
pub(super) struct Others {
    anchors: Vec<AnchorRound>,
    scale: Vec<ScaleRound>,
    instructions: Vec<Instructions>,
}

/// Ours, and what it is compared with.
const PAIRS: [(&str, &str); 4] = [
    ("worker, built-in", "bare hyper"),
    ("worker, built-in", "nginx, a file"),
    ("worker → node, port", "nginx → node"),
    ("worker → node, socket", "nginx → node"),
];

const ANCHORS: &str = "\
One process of each, loaded by 64 clients that keep their connection and never rest (`cargo bench
--all-features --bench fronting`): medians over alternating rounds, in brackets the least and the most.";

const SCALE: &str = "\
Instances that do nothing and are not observed, against a shell loop of `systemctl restart` of the same
batches (`cargo bench --all-features --bench scale`). Overhead: what rollctl takes more, an instance.";

const INSTRUCTIONS: &str = "\
By `valgrind --tool=callgrind`, one client on one connection (`cargo bench --all-features --bench
instructions`); kernel and app are not counted.";

impl Others {
    pub(super) fn read() -> Result<Self> {
        Ok(Self {
            anchors: raw::read("fronting")?.unwrap_or_default(),
            scale: raw::read("scale")?.unwrap_or_default(),
            instructions: raw::read("instructions")?.unwrap_or_default(),
        })
    }

    pub(super) fn text(&self) -> String {
        [self.anchors_text(), self.scale_text(), self.instructions_text()].concat()
    }

    /// A line for each pair in which we are behind.
    pub(super) fn losing(&self) -> String {
        let lines = PAIRS.into_iter().flat_map(|(ours, theirs)| {
            let compared = |value: fn(&AnchorRound) -> f64| {
                self.anchor(ours, value).median / self.anchor(theirs, value).median
            };
            let (rate, cpu) = (compared(|it| it.rate), compared(|it| it.cpu_us));
            let is_behind = rate < 1.0 || cpu > 1.0;
            is_behind.then(|| {
                format!(
                    "- **{ours}, against {theirs}**, under full load: {rate:.2} of the requests a \
                     second, {cpu:.2} of the CPU a request\n"
                )
            })
        });
        lines.collect()
    }

    fn anchor(&self, server: &str, value: fn(&AnchorRound) -> f64) -> Spread {
        Spread::of(self.anchors.iter().filter(|it| it.server == server).map(value))
    }

    fn anchors_text(&self) -> String {
        let mut servers: Vec<&str> = Vec::new();
        for round in &self.anchors {
            if !servers.contains(&round.server.as_str()) {
                servers.push(&round.server);
            }
        }
        if servers.is_empty() {
            return String::new();
        }
        let rows = servers.into_iter().map(|server| {
            [
                server.to_owned(),
                self.anchor(server, |it| it.rate).told(0),
                self.anchor(server, |it| it.p99_ms).told(1),
                self.anchor(server, |it| it.cpu_us).told(1),
                self.anchor(server, |it| it.proxy_cpu_us).told(1),
                self.anchor(server, |it| it.memory_mib).told(0),
            ]
        });
        let head = ["", "requests/s", "p99, ms", "CPU µs a request", "of it before the app", "MiB"];
        section("Under full load", ANCHORS, table(head, rows))
    }

    fn scale_text(&self) -> String {
        let mut sizes: Vec<(usize, usize)> =
            self.scale.iter().map(|it| (it.instances, it.at_once)).collect();
        sizes.dedup();
        if sizes.is_empty() {
            return String::new();
        }
        let rows = sizes.into_iter().map(|(instances, at_once)| {
            let of = |value: fn(&ScaleRound) -> f64| {
                let all = self
                    .scale
                    .iter()
                    .filter(|it| (it.instances, it.at_once) == (instances, at_once));
                Spread::of(all.map(value))
            };
            [
                instances.to_string(),
                at_once.to_string(),
                of(|it| it.roll_s).told(2),
                of(|it| it.ideal_s).told(2),
                of(|it| it.roll_s / it.ideal_s).told(2),
                of(|it| (it.roll_s - it.ideal_s) * 1e3 / it.instances as f64).told(1),
                of(|it| it.plan_s * 1e3).told(0),
                of(|it| it.roll_mib).told(1),
            ]
        });
        let head = [
            "instances",
            "at a time",
            "rollctl, s",
            "systemctl, s",
            "ratio",
            "overhead, ms",
            "plan, ms",
            "MiB",
        ];
        section("From 4 instances to 1,000", SCALE, table(head, rows))
    }

    fn instructions_text(&self) -> String {
        if self.instructions.is_empty() {
            return String::new();
        }
        let rows = self
            .instructions
            .iter()
            .map(|it| [it.path.clone(), Spread::of(it.each.iter().copied()).told(0)]);
        section("Instructions a request", INSTRUCTIONS, table(["", "instructions"], rows))
    }
}

fn section(title: &str, what: &str, table: String) -> String {
    format!("## {title}\n\n{what}\n\n{table}\n")
}
