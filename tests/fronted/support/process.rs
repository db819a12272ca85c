//! The app's process, as /proc shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::roll_support::Stage;

/// A running process of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(i32);

impl Process {
    /// The worker of an instance, counted from 1.
    pub fn worker(stage: &Stage, number: usize) -> Self {
        Self(stage.lab.show(stage.unit(number), "MainPID").unwrap().parse().unwrap())
    }

    /// The app that it has started.
    #[track_caller]
    pub fn app(stage: &Stage, number: usize) -> Self {
        let Self(worker) = Self::worker(stage, number);
        let children = format!("/proc/{worker}/task");
        let threads = fs::read_dir(children).unwrap().flatten();
        let children = threads.map(|thread| fs::read_to_string(thread.path().join("children")));
        let children: String = children.map(Result::unwrap).collect();
        let [app] = children.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("not one child: {children:?}");
        };
        Self(app.parse().unwrap())
    }

    pub fn environment(self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(format!("/proc/{}/environ", self.0)).unwrap();
        let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The port on which the worker reaches the app.
    pub fn port(self) -> u16 {
        self.environment()["PORT"].parse().unwrap()
    }

    /// Every open socket, by its inode: `socket:[4711]`.
    pub fn sockets(self) -> BTreeSet<String> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.0)).unwrap().flatten();
        let open = open.filter_map(|fd| fs::read_link(fd.path()).ok());
        let open = open.map(|to| to.to_string_lossy().into_owned());
        open.filter(|to| to.starts_with("socket:")).collect()
    }

    /// How many bytes of memory it has.
    pub fn memory(self) -> u64 {
        1024 * self.figure("status", "VmRSS:")
    }

    /// How many bytes it has written, to files and sockets alike.
    pub fn written(self) -> u64 {
        self.figure("io", "wchar:")
    }

    fn figure(self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.0)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    pub fn kill(self) {
        kill_process(Pid::from_raw(self.0).unwrap(), Signal::KILL).unwrap();
    }
}
