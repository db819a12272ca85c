//! A private systemd manager with its own bus, to try real units on; nothing of it stays behind.
//!
//! ```text
//! Lab::start ─► keeper ─► systemd --user + dbus-daemon ─► install, drop_in, systemctl, command …
//!      Drop, Ctrl-C, SIGKILL ─► the keeper stops all of it and removes the directory
//! ```
//!
//! Every lab has its own directory, manager, bus and control group, so any number may run at once.
//! Its runtime directory lies on the real filesystem: programs outside reach the lab's sockets.

mod error;
mod group;
mod journal;
mod keeper;
mod place;
mod programs;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use error::LabError;
pub use group::{Group, GroupPlan};
pub use place::Place;
pub use programs::program;

use journal::Journal;
use keeper::Keeper;
use tempfile::TempDir;

/// A running private manager; dropping it stops every unit and removes every trace.
pub struct Lab {
    dir: PathBuf,
    keeper: Keeper,
    /// Until the keeper has stopped the manager.
    _journal: Journal,
}

impl Lab {
    /// Starts a manager and its bus (about 0.2 s); an error says what this machine lacks.
    pub fn start() -> Result<Self, LabError> {
        let dir = make_directory()?;
        // Up to here an error removes the directory; from here on the keeper does.
        let (journal, keeper) = begin(dir.path())?;
        let mut lab = Self { dir: dir.keep(), keeper, _journal: journal };
        let (private, log) = (lab.run_dir().join("systemd/private"), lab.log_dir().join(MANAGER));
        // Its file is there before anybody listens at it.
        let answers = || UnixStream::connect(&private).is_ok();
        lab.keeper.wait_until("the manager's socket", &log, answers)?;
        lab.open_to_other_users()?;
        // Ends when the bus has said that it is ready, so it is a wait for both of them.
        lab.systemctl(["start", "lab.target", "dbus.service"])?;
        Ok(lab)
    }

    /// Units of root's that run as other users must be able to say that they are ready.
    fn open_to_other_users(&self) -> Result<(), LabError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        set_mode(&self.run_dir().join("systemd/notify"), 0o777)
    }

    /// The lab's own directory: a short path on a real filesystem, gone when the lab is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `XDG_RUNTIME_DIR`: units' `RuntimeDirectory=` and `%t` are below it.
    pub fn run_dir(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// Where units and drop-ins are installed.
    pub fn unit_dir(&self) -> PathBuf {
        self.dir.join("config/systemd/user")
    }

    /// Where each unit's output is kept, a file `<unit>.log` each.
    pub fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// `DBUS_SESSION_BUS_ADDRESS`: the bus on which the manager is `org.freedesktop.systemd1`.
    pub fn bus_address(&self) -> String {
        format!("unix:path={}", self.run_dir().join("bus").display())
    }

    /// The process id of the manager.
    pub fn manager_pid(&self) -> Option<u32> {
        fs::read_to_string(self.dir.join("manager.pid")).ok()?.trim().parse().ok()
    }

    /// A command with the lab's environment: `systemctl --user`, `rollctl --user` … act in the lab.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, dir) in DIRECTORIES {
            command.env(name, self.dir.join(dir));
        }
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus_address());
        command
    }

    /// Runs `systemctl --user …` in the lab; its output, or an error that holds it.
    pub fn systemctl<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String, LabError> {
        run(self.command("systemctl").args(["--user", "--no-pager"]).args(arguments))
    }

    /// One property of a unit, as `systemctl show` prints it.
    pub fn show(&self, unit: &str, property: &str) -> Result<String, LabError> {
        let arguments = ["show", "--value", "-p", property, "--", unit];
        self.systemctl(arguments).map(|value| value.trim_end().to_owned())
    }

    /// Writes a unit file. What the manager has loaded already changes only with [`Lab::reload`].
    pub fn install(&self, unit: &str, text: &str) -> Result<(), LabError> {
        write(&self.unit_dir().join(unit), text)
    }

    /// Installs every unit file of a directory; their names, sorted.
    pub fn install_dir(&self, dir: impl AsRef<Path>) -> Result<Vec<String>, LabError> {
        let units = units_in(dir.as_ref())?;
        for (unit, text) in &units {
            self.install(unit, text)?;
        }
        Ok(units.into_iter().map(|(unit, _)| unit).collect())
    }

    /// Writes a drop-in `<unit>.d/<name>.conf`; like a unit file it counts after a reload.
    pub fn drop_in(&self, unit: &str, name: &str, text: &str) -> Result<(), LabError> {
        write(&self.unit_dir().join(format!("{unit}.d")).join(format!("{name}.conf")), text)
    }

    /// Makes the manager read its units again.
    pub fn reload(&self) -> Result<(), LabError> {
        self.systemctl(["daemon-reload"]).map(drop)
    }

    /// What a unit has printed so far; empty when it printed nothing.
    pub fn log(&self, unit: &str) -> String {
        fs::read_to_string(self.log_dir().join(format!("{unit}.log"))).unwrap_or_default()
    }

    /// What the manager has said so far.
    pub fn manager_log(&self) -> String {
        let own = fs::read_to_string(self.log_dir().join(MANAGER)).unwrap_or_default();
        // Beneath another manager it has said it to the machine's own journal.
        if own.is_empty() { self.machine_journal().unwrap_or_default() } else { own }
    }

    fn machine_journal(&self) -> Option<String> {
        let manager = format!("_PID={}", self.manager_pid()?);
        run(Command::new("journalctl").args(["-q", "-b", "-o", "cat", &manager])).ok()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the lab's manager said:\n{}", self.manager_log());
        }
        if !self.keeper.stop() {
            eprintln!("the lab in {} was not cleaned up in time", self.dir.display());
        }
    }
}

/// The directories of a lab and the variables that lead programs to them.
const DIRECTORIES: &[(&str, &str)] = &[
    ("XDG_RUNTIME_DIR", "run"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_STATE_HOME", "state"),
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_DATA_HOME", "data"),
];

const MANAGER: &str = "manager.log";

/// The units that every lab begins with.
const UNITS: &[(&str, &str)] = &[
    ("lab.target", include_str!("units/lab.target")),
    ("basic.target", include_str!("units/basic.target")),
    ("dbus.socket", include_str!("units/dbus.socket")),
    ("dbus.service", include_str!("units/dbus.service")),
    ("service.d/10-lab-log.conf", include_str!("units/log.conf")),
];

fn begin(dir: &Path) -> Result<(Journal, Keeper), LabError> {
    let (socket, log) = (dir.join("journal"), dir.join("log").join(MANAGER));
    let journal = Journal::keep(&socket, &log).map_err(LabError::io("listen at", &socket))?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    Ok((journal, Keeper::start(dir, &name)?))
}

/// Makes the directory, with the first units in it.
fn make_directory() -> Result<TempDir, LabError> {
    let base = base_directory();
    let dir = tempfile::Builder::new().prefix("rollctl-lab-").rand_bytes(8).tempdir_in(&base);
    let dir = dir.map_err(LabError::io("make a directory in", &base))?;
    let log = dir.path().join("log");
    // Root's units may run as other users, who must get through to their sockets.
    let mode = if rustix::process::geteuid().is_root() { 0o755 } else { 0o700 };
    set_mode(dir.path(), mode)?;
    for path in DIRECTORIES.iter().map(|(_, name)| dir.path().join(name)).chain([log.clone()]) {
        fs::create_dir(&path).map_err(LabError::io("make", &path))?;
        set_mode(&path, mode)?;
    }
    for (unit, text) in UNITS {
        let text = text.replace("@LOG@", &log.to_string_lossy());
        write(&dir.path().join("config/systemd/user").join(unit), &text)?;
    }
    Ok(dir)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), LabError> {
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(path, permissions).map_err(LabError::io("set the mode of", path))
}

/// Not below /tmp, which a unit with `PrivateTmp=` does not see, nor below /run, which a unit with
/// `ProtectHome=` or another namespace does not see; and short, for a socket's path has 108 bytes.
fn base_directory() -> PathBuf {
    // A lab of root's runs units with `DynamicUser=yes`, which implies `RemoveIPC=`: when the last
    // of them stops, its manager removes all that its user owns in /dev/shm, in other labs too.
    let is_root = rustix::process::geteuid().is_root();
    let base = Path::new(if is_root { "/var/lib" } else { "/dev/shm" });
    if base.is_dir() { base.to_owned() } else { std::env::temp_dir() }
}

/// The unit files of a directory with their texts, sorted by name.
fn units_in(dir: &Path) -> Result<Vec<(String, String)>, LabError> {
    let suffixes = ["service", "socket", "target", "timer", "slice", "path"];
    let mut units = Vec::new();
    for entry in fs::read_dir(dir).map_err(LabError::io("read", dir))? {
        let path = entry.map_err(LabError::io("read", dir))?.path();
        let is_unit = path.extension().is_some_and(|e| suffixes.iter().any(|suffix| e == *suffix));
        if let (true, Some(name)) = (is_unit, path.file_name()) {
            let text = fs::read_to_string(&path).map_err(LabError::io("read", &path))?;
            units.push((name.to_string_lossy().into_owned(), text));
        }
    }
    units.sort();
    Ok(units)
}

fn write(path: &Path, text: &str) -> Result<(), LabError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(LabError::io("make", parent))?;
    }
    fs::write(path, text).map_err(LabError::io("write", path))
}

/// Runs a command to its end; its standard output, or an error with all it printed.
fn run(command: &mut Command) -> Result<String, LabError> {
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(LabError::io("run", program))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let words = [command.get_program()].into_iter().chain(command.get_args());
    Err(LabError::Failed {
        command: words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" "),
        status: output.status.to_string(),
        output: text + &String::from_utf8_lossy(&output.stderr),
    })
}
