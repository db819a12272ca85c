//! The machine, and what else went on there.

use std::fs;
use std::process::Command;
use std::thread::{available_parallelism, sleep};
use std::time::Duration;

use crate::raw::Machine;

/// What it is and does before the first round.
pub(crate) fn now() -> Machine {
    Machine {
        date: said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
        cores: available_parallelism().map_or(0, usize::from),
        processor: processor(),
        kernel: said(Command::new("uname").arg("-r")),
        systemd: said(Command::new("systemctl").arg("--version"))
            .lines()
            .next()
            .unwrap_or("")
            .to_owned(),
        load_before: load(),
        load_after: String::new(),
        busy_otherwise: Vec::new(),
    }
}

pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The share of the machine that is busy while nothing of ours runs.
pub(crate) fn busy_otherwise() -> f64 {
    let before = ticks();
    sleep(Duration::from_millis(500));
    let after = ticks();
    let [all, idle] = [0, 1].map(|at| after[at].saturating_sub(before[at]));
    1.0 - idle as f64 / all.max(1) as f64
}

/// All of them, and the idle ones.
fn ticks() -> [u64; 2] {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let all: Vec<u64> = first.split_whitespace().filter_map(|it| it.parse().ok()).collect();
    [all.iter().sum(), all.iter().skip(3).take(2).sum()]
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    model.and_then(|line| line.split(':').nth(1)).unwrap_or("unknown").trim().to_owned()
}

fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
