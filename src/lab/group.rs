//! The standard group of the project in a lab: its shipped units, with only the paths replaced.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::path::PathBuf;

use super::directory::units_in;
use super::{Lab, LabError, program};

/// Where a shipped unit expects the programs, and what stands there in a lab.
const PROGRAMS: &[(&str, &str)] =
    &[("/usr/libexec/rollctl/worker", "worker"), ("/usr/bin/rollctl", "rollctl")];

/// The hardening that an ordinary user's manager cannot give: measured on systemd 252, where such a
/// unit fails with 216 to 218 (GROUP, USER, CAPABILITIES), and with 226 (NAMESPACE) where
/// `PrivateIPC=` meets `PrivateUsers=` and an `ExecStartPre=`. All the rest is kept.
const FOR_ORDINARY_USERS: &str = "[Service]
DynamicUser=no
User=
Group=
PrivateDevices=no
PrivateIPC=no
ProtectClock=no
ProtectKernelModules=no
ProtectKernelLogs=no
CapabilityBoundingSet=~
";

/// What to set up: the shipped units, the number of instances, the address, extra drop-ins.
#[derive(Clone, Debug)]
pub struct GroupPlan {
    units: PathBuf,
    instances: usize,
    address: String,
    drop_ins: Vec<(String, String)>,
    programs: Vec<(String, PathBuf)>,
}

/// A group of instances that serve on one shared socket in a lab.
#[derive(Clone, Debug)]
pub struct Group {
    /// What the socket listens on: `127.1.2.3:8000`, or the path of a unix socket.
    pub address: String,
    /// How many instances were started.
    pub instances: usize,
}

impl Default for GroupPlan {
    fn default() -> Self {
        Self::new()
    }
}

impl GroupPlan {
    /// Four instances of the shipped units on a loopback address of their own.
    pub fn new() -> Self {
        Self {
            units: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/units")),
            instances: 4,
            address: own_address(),
            drop_ins: Vec::new(),
            programs: Vec::new(),
        }
    }

    /// Takes the unit files from another directory.
    pub fn units(mut self, dir: impl Into<PathBuf>) -> Self {
        self.units = dir.into();
        self
    }

    /// Starts this many instances.
    pub fn instances(mut self, count: usize) -> Self {
        self.instances = count;
        self
    }

    /// Listens on `ADDR:PORT` or on the path of a unix socket.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Adds a drop-in to a unit, read after the lab's own; it may name our programs where they are
    /// installed.
    pub fn drop_in(mut self, unit: &str, text: &str) -> Self {
        self.drop_ins.push((unit.to_owned(), text.to_owned()));
        self
    }

    /// Runs the instances by a user that the lab's bus knows, when root is who asks: nothing in a lab
    /// tells the bus of those of `DynamicUser=`, and through it a worker asks systemd whether the
    /// connections are there that wait for its next run.
    pub fn known_user(self) -> Self {
        match rustix::process::geteuid().is_root() {
            true => self.drop_in("worker@.service", "[Service]\nUser=daemon\n"),
            false => self,
        }
    }

    /// Takes `worker` or `rollctl` from this path rather than from beside the running program.
    pub fn program(mut self, name: &str, path: impl Into<PathBuf>) -> Self {
        self.programs.push((name.to_owned(), path.into()));
        self
    }

    /// Installs the units, enables the instances and starts socket and group; all are serving then.
    pub fn start(self, lab: &Lab) -> Result<Group, LabError> {
        let shipped = units_in(&self.units)?;
        for (unit, text) in &shipped {
            lab.install(unit, text)?;
            lab.drop_in(unit, "10-lab", &self.replaced(lab, unit, text)?)?;
        }
        for (at, (unit, text)) in self.drop_ins.iter().enumerate() {
            lab.drop_in(unit, &format!("20-plan-{at}"), &self.with_our_programs_in(lab, text)?)?;
        }
        lab.reload()?;
        run_as_ourselves_if_refused(lab)?;
        let group = Group { address: self.address, instances: self.instances };
        let units = group.units();
        lab.systemctl(["enable", "--quiet"].into_iter().chain(units.iter().map(String::as_str)))?;
        // Units of another directory may have no shared socket.
        let shared = ["worker.socket", "worker.service"].into_iter();
        let shared = shared.filter(|name| shipped.iter().any(|(unit, _)| unit == name));
        lab.systemctl(["start"].into_iter().chain(shared))?;
        lab.systemctl(["start"].into_iter().chain(units.iter().map(String::as_str)))?;
        Ok(group)
    }

    /// The drop-in that makes a shipped unit run here: our programs, our address.
    fn replaced(&self, lab: &Lab, unit: &str, text: &str) -> Result<String, LabError> {
        let mut drop_in = String::new();
        for (key, value) in assignments(text) {
            if key.starts_with("Exec") {
                let value = self.with_our_programs(lab, value)?;
                drop_in.extend(value.map(|value| format!("[Service]\n{key}=\n{key}={value}\n")));
            }
        }
        if unit.ends_with("@.service") && !rustix::process::geteuid().is_root() {
            drop_in.push_str(FOR_ORDINARY_USERS);
        }
        if unit == "worker.socket" {
            drop_in.push_str(&format!("[Socket]\nListenStream=\nListenStream={}\n", self.address));
        }
        Ok(drop_in)
    }

    /// A drop-in with our programs in it.
    fn with_our_programs_in(&self, lab: &Lab, text: &str) -> Result<String, LabError> {
        let line = |line: &str| {
            let ours = self.with_our_programs(lab, line)?;
            Ok(ours.unwrap_or_else(|| line.to_owned()) + "\n")
        };
        text.lines().map(line).collect()
    }

    /// The command line with our programs in it; `None` when it names none of them.
    fn with_our_programs(&self, lab: &Lab, line: &str) -> Result<Option<String>, LabError> {
        for (shipped, name) in PROGRAMS {
            if !line.contains(shipped) {
                continue;
            }
            let given = self.programs.iter().find(|(given, _)| given == name);
            let path = given.map_or_else(|| program(name), |(_, path)| Ok(path.clone()))?;
            let path = lab.bring(&path)?;
            let mut line = line.replace(shipped, &path.to_string_lossy());
            if *name == "rollctl" && !line.contains("--user") {
                line.push_str(" --user");
            }
            return Ok(Some(line));
        }
        Ok(None)
    }
}

impl Group {
    /// The unit name of an instance, counted from 1.
    pub fn instance(&self, number: usize) -> String {
        format!("worker@{number}.service")
    }

    /// The unit names of all instances.
    pub fn units(&self) -> Vec<String> {
        (1..=self.instances).map(|number| self.instance(number)).collect()
    }

    /// The admin socket of an instance.
    pub fn admin_socket(&self, lab: &Lab, number: usize) -> PathBuf {
        lab.run_dir().join("worker").join(number.to_string()).join("admin.sock")
    }
}

/// Newer systemd refuses `DynamicUser=` in a user's manager even to root: such instances run as the
/// lab's owner, with all their other hardening.
fn run_as_ourselves_if_refused(lab: &Lab) -> Result<(), LabError> {
    if lab.show("worker@1.service", "LoadState")? != "bad-setting" {
        return Ok(());
    }
    lab.drop_in("worker@.service", "10-own-user", "[Service]\nDynamicUser=no\nUser=\nGroup=\n")?;
    lab.reload()
}

/// The `Key=value` lines of a unit file, in order.
fn assignments(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.starts_with(['#', ';']));
    lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim()))
}

/// A free address out of 127.0.0.0/8 that is most unlikely to be anybody else's: a port of 127.0.0.1
/// that the kernel chose could be taken by a connection before systemd binds it.
pub fn own_address() -> String {
    loop {
        let random = RandomState::new().hash_one("address").to_le_bytes();
        let port = 10_000 + u16::from_le_bytes([random[3], random[4]]) % 20_000;
        let address = format!("127.{}.{}.{}:{port}", random[0], random[1], random[2].clamp(1, 254));
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}
