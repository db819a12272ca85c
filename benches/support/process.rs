//! A process and what it has used, as /proc tells it.

// Every benchmark takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A child that ends with its owner.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Its own process id and those of its descendants.
    pub(crate) fn family(&self) -> Vec<u32> {
        family(self.0.id())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

/// A process and all that it, or one of them, has started.
pub(crate) fn family(id: u32) -> Vec<u32> {
    let descendants = children(id).into_iter().flat_map(family);
    [id].into_iter().chain(descendants).collect()
}

fn children(id: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    let lists: String = lists.collect();
    lists.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

pub(crate) fn is_alive(id: u32) -> bool {
    // One that nobody has waited for does nothing any more.
    let stat = fs::read_to_string(format!("/proc/{id}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// The CPU time of all threads of a process.
pub(crate) fn cpu(id: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let spent = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

/// A line of a file of /proc/PID that counts KiB, in MiB.
pub(crate) fn mebibytes(id: u32, file: &str, field: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/{file}")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kibibytes = line?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()?;
    Some(kibibytes / 1024.0)
}

/// What processes take of the machine's memory; what they share is counted once.
pub(crate) fn memory(ids: &[u32]) -> f64 {
    ids.iter().filter_map(|id| mebibytes(*id, "smaps_rollup", "Pss")).sum()
}
