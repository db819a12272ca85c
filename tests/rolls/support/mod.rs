//! Verbs for the stories of rolls: a group on a private systemd, the real `rollctl`, a real load.
//!
//! ```text
//! Stage ─ roll, begin_roll ─► Rolling ─ until, interrupt ─► Rolled ─ exits_with, says …
//!   └──── load ─► Clients ─ lose_nothing
//! ```

// Every file of stories takes the verbs it needs.
#![allow(dead_code, unreachable_pub, unused_imports)]

mod clients;
mod clock;
mod health;
mod loyal;
mod memory;
mod rolling;
mod script;
mod terminal;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rollctl::lab::{GroupPlan, Lab};

pub use clients::Clients;
pub use clock::Clock;
pub use health::{HealthServer, answer_at, get};
pub use loyal::{have_noticed_nothing, nobody_notices};
pub use memory::MemoryLimit;
pub use rolling::{Rolled, Rolling};
pub use script::{Script, is_alive};
pub use terminal::Terminal;

/// How long anything may take, a batch of a roll too, before the story has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The four instances of the shipped units, to be changed by the story.
pub fn four() -> GroupPlan {
    GroupPlan::new()
        .program("worker", env!("CARGO_BIN_EXE_worker"))
        .program("rollctl", env!("CARGO_BIN_EXE_rollctl"))
}

/// A service that is up, and does nothing.
pub const SLEEPER: &str = "[Service]\nExecStart=/bin/sleep 1000\n";

/// A drop-in that makes the template run something else.
pub fn release(command: &str, more: &str) -> String {
    format!("[Service]\nExecStart=\nExecStart={command}\n{more}\n")
}

/// A lab with instances that run.
pub struct Stage {
    pub lab: Lab,
    /// The units of the instances, in natural order.
    pub instances: Vec<String>,
    /// Where the group serves; empty for units without a shared socket.
    pub address: String,
}

impl Stage {
    /// Four instances of the shipped units.
    pub fn four() -> Self {
        Self::group(four())
    }

    /// A group of the shipped units.
    pub fn group(plan: GroupPlan) -> Self {
        Self::group_in(Lab::start().unwrap(), plan)
    }

    pub fn group_in(lab: Lab, plan: GroupPlan) -> Self {
        let group = plan.start(&lab).unwrap();
        Self { instances: group.units(), address: group.address, lab }
    }

    /// Units of the story's own; `instances` are started.
    pub fn units(units: &[(&str, &str)], instances: &[&str]) -> Self {
        let lab = Lab::start().unwrap();
        for (unit, text) in units {
            lab.install(unit, text).unwrap();
        }
        lab.reload().unwrap();
        if !instances.is_empty() {
            lab.systemctl(["start"].iter().chain(instances)).unwrap();
        }
        let instances = instances.iter().map(|unit| (*unit).to_owned()).collect();
        Self { lab, instances, address: String::new() }
    }

    /// Instances `q@NAME` of a service that does nothing.
    pub fn queue(names: &[&str]) -> Self {
        let units: Vec<String> = names.iter().map(|name| format!("q@{name}.service")).collect();
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        Self::units(&[("q@.service", SLEEPER)], &units)
    }

    // ---- rollctl ----

    /// Rolls the group `worker` to the end.
    pub fn roll(&self, arguments: &[&str]) -> Rolled {
        self.begin_roll(arguments).end()
    }

    /// Begins a roll of the group `worker`.
    pub fn begin_roll(&self, arguments: &[&str]) -> Rolling {
        self.begin_restart(&[&["worker"], arguments].concat())
    }

    /// `rollctl restart --user --json ARGUMENTS…` to the end.
    pub fn restart(&self, arguments: &[&str]) -> Rolled {
        self.begin_restart(arguments).end()
    }

    /// `rollctl restart --user --json ARGUMENTS…`.
    pub fn begin_restart(&self, arguments: &[&str]) -> Rolling {
        self.begin("restart", arguments)
    }

    /// `rollctl resume --user --json ARGUMENTS…` to the end.
    pub fn resume(&self, arguments: &[&str]) -> Rolled {
        self.begin("resume", arguments).end()
    }

    /// `rollctl status --user ARGUMENTS…`, which says that there is nothing.
    pub fn status(&self, arguments: &[&str]) -> Rolled {
        self.begin("status", arguments).end()
    }

    /// `rollctl VERB --user --json ARGUMENTS…`.
    pub fn begin(&self, verb: &str, arguments: &[&str]) -> Rolling {
        self.begin_as(self.rollctl(), verb, arguments)
    }

    /// The same by this `rollctl`.
    pub fn begin_as(&self, mut rollctl: Command, verb: &str, arguments: &[&str]) -> Rolling {
        rollctl.args([verb, "--user", "--json"]).args(arguments);
        Rolling::begin(rollctl)
    }

    /// `rollctl VERB --user ARGUMENTS…` as a unit of the lab: where systemd may see other files.
    pub fn as_unit(&self, verb: &str, arguments: &[&str]) -> Command {
        let program = self.lab.bring(env!("CARGO_BIN_EXE_rollctl").as_ref()).unwrap();
        let mut command = self.lab.command("systemd-run");
        command.args(["--user", "--wait", "--pipe", "--quiet", "--collect", "--"]).arg(program);
        command.args([verb, "--user"]).args(arguments);
        command
    }

    /// `rollctl` in the lab's environment.
    pub fn rollctl(&self) -> Command {
        self.lab.command(env!("CARGO_BIN_EXE_rollctl"))
    }

    /// What `rollctl plan --user ARGUMENTS…` prints.
    #[track_caller]
    pub fn plan(&self, arguments: &[&str]) -> String {
        self.prints("plan", arguments)
    }

    /// What `rollctl VERB --user ARGUMENTS…` prints while all is well, which is no error.
    #[track_caller]
    pub fn prints(&self, verb: &str, arguments: &[&str]) -> String {
        let output = self.rollctl().args([verb, "--user"]).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{verb} {arguments:?} failed: {error}");
        assert_eq!(error, "", "{verb} {arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    // ---- systemd ----

    /// Our worker, where units see it.
    pub fn worker(&self) -> String {
        let worker = self.lab.bring(env!("CARGO_BIN_EXE_worker").as_ref()).unwrap();
        worker.to_str().unwrap().to_owned()
    }

    /// Writes a drop-in and makes systemd read it.
    pub fn change(&self, unit: &str, name: &str, text: &str) {
        self.lab.drop_in(unit, name, text).unwrap();
        self.lab.reload().unwrap();
    }

    /// Takes a drop-in back and makes systemd read it.
    pub fn change_back(&self, unit: &str, name: &str) {
        let drop_in = format!("{unit}.d/{name}.conf");
        std::fs::remove_file(self.lab.unit_dir().join(drop_in)).unwrap();
        self.lab.reload().unwrap();
    }

    pub fn systemctl(&self, arguments: &[&str]) {
        self.lab.systemctl(arguments).unwrap();
    }

    /// The unit of an instance, counted from 1.
    pub fn unit(&self, number: usize) -> &str {
        &self.instances[number - 1]
    }

    /// `ActiveState`, such as `active` or `failed`.
    pub fn state(&self, unit: &str) -> String {
        self.lab.show(unit, "ActiveState").unwrap()
    }

    /// The invocation id of an instance, counted from 1.
    pub fn run_of(&self, number: usize) -> String {
        self.lab.show(self.unit(number), "InvocationID").unwrap()
    }

    /// The invocation ids of all instances.
    pub fn runs(&self) -> Vec<String> {
        (1..=self.instances.len()).map(|number| self.run_of(number)).collect()
    }

    // ---- what must be true ----

    /// Every instance is up, in another run than in `before`.
    #[track_caller]
    pub fn all_are_new_since(&self, before: &[String]) {
        let numbers: Vec<usize> = (1..=self.instances.len()).collect();
        self.are_new_since(before, &numbers);
    }

    /// These instances, counted from 1, are up in new runs, and the others are in their old ones.
    #[track_caller]
    pub fn are_new_since(&self, before: &[String], new: &[usize]) {
        for (at, (old, now)) in before.iter().zip(self.runs()).enumerate() {
            let unit = self.unit(at + 1);
            assert_eq!(*old != now, new.contains(&(at + 1)), "{unit}: was {old}, is {now}");
            let state = self.state(unit);
            assert!(!new.contains(&(at + 1)) || state == "active", "{unit} is {state}");
        }
    }

    /// Every instance of the group answers for itself.
    #[track_caller]
    pub fn all_serve(&self) {
        let silent: Vec<&String> =
            self.instances.iter().filter(|unit| !self.is_serving(unit)).collect();
        assert!(silent.is_empty(), "{silent:?} do not serve\n{}", self.lab.manager_log());
    }

    /// Waits until every instance of the group answers for itself.
    #[track_caller]
    pub fn all_come_to_serve(&self) {
        wait_until("all instances serve", || self.instances.iter().all(|it| self.is_serving(it)));
    }

    /// Whether this worker's own admin socket answers, in the run that systemd knows.
    pub fn is_serving(&self, unit: &str) -> bool {
        let Ok((200, body)) = get(&self.admin_socket(unit), "/healthz") else { return false };
        body.contains(&self.lab.show(unit, "InvocationID").unwrap())
    }

    /// How many connections each instance has, as its own metrics count them.
    pub fn connections(&self) -> Vec<u64> {
        let count = |unit: &String| {
            let Ok((200, text)) = get(&self.admin_socket(unit), "/metrics") else { return 0 };
            let states = text.lines().filter(|line| line.starts_with("worker_connections{"));
            states.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        self.instances.iter().map(count).collect()
    }

    fn admin_socket(&self, unit: &str) -> PathBuf {
        let (group, instance) = unit.trim_end_matches(".service").split_once('@').unwrap();
        self.lab.run_dir().join(group).join(instance).join("admin.sock")
    }
}

/// Looks again and again, for as long as patience lasts.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: waited until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
