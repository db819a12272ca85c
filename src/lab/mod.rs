//! A private systemd manager with its own bus, to try real units on; nothing of it stays behind.
//!
//! ```text
//! Lab::start ─► keeper ─► systemd --user + dbus-daemon ─► install, drop_in, systemctl, command …
//!      Drop, Ctrl-C, SIGKILL ─► the keeper stops all of it and removes the directory
//! ```
//!
//! Every lab has its own directory, manager, bus and control group, so any number may run at once.
//! Its runtime directory lies on the real filesystem: programs outside reach the lab's sockets.

mod directory;
mod error;
mod group;
mod journal;
mod keeper;
mod place;
mod programs;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use error::LabError;
pub use group::{Group, GroupPlan, own_address};
pub use place::Place;
pub use programs::program;

use directory::{DIRECTORIES, set_mode, units_in, write};
use journal::Journal;
use keeper::Keeper;

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
        let dir = directory::make()?;
        // Up to here an error removes the directory; from here on the keeper does.
        let (journal, keeper) = begin(dir.path())?;
        let mut lab = Self { dir: dir.keep(), keeper, _journal: journal };
        let (private, log) = (lab.run_dir().join("systemd/private"), lab.log_dir().join(MANAGER));
        let listens = || UnixStream::connect(&private).is_ok();
        lab.keeper.wait_until("the manager's socket", &log, listens)?;
        lab.open_to_other_users()?;
        lab.systemctl(["start", "lab.target", "dbus.service"])?;
        // Newer managers take their name on the bus some time after the bus has started.
        let mut asked = lab.command("busctl");
        asked.args(["--user", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus"]);
        asked.args(["org.freedesktop.DBus", "NameHasOwner", "s", "org.freedesktop.systemd1"]);
        let owned = || run(&mut asked).is_ok_and(|answer| answer.trim() == "b true");
        lab.keeper.wait_until("the manager on the bus", &log, owned)?;
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

    /// The journal's entries of which a field has this value, each as lines `NAME=value`.
    pub fn journal(&self, field: &str, value: &str) -> Vec<String> {
        let kept = fs::read_to_string(self.dir.join(ENTRIES)).unwrap_or_default();
        let wanted = format!("{field}={value}");
        // Beneath another manager what is in it says it to the machine's own journal.
        let kept = if kept.is_empty() { machine_journal_of(&wanted) } else { kept };
        let entries = kept.split("\n\n").filter(|entry| entry.lines().any(|line| line == wanted));
        entries.map(str::to_owned).collect()
    }

    /// All logs, one after another: what a failed test should show.
    fn everything_said(&self) -> String {
        let logs = fs::read_dir(self.log_dir()).into_iter().flatten().flatten();
        let units = logs.filter(|log| log.file_name() != MANAGER).map(|log| {
            let text = fs::read_to_string(log.path()).unwrap_or_default();
            format!("--- {}\n{text}", log.path().display())
        });
        let manager = format!("--- the manager\n{}", self.manager_log());
        units.chain([manager]).collect()
    }

    fn machine_journal(&self) -> Option<String> {
        let manager = format!("_PID={}", self.manager_pid()?);
        run(Command::new("journalctl").args(["-q", "-b", "-o", "cat", &manager])).ok()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprint!("{}", self.everything_said());
        }
        if !self.keeper.stop() {
            eprintln!("the keeper of {} did not end, and was left alone", self.dir.display());
        }
        // Only where the keeper could not begin, or was killed, something is left.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

const MANAGER: &str = "manager.log";
const ENTRIES: &str = "journal.entries";

fn begin(dir: &Path) -> Result<(Journal, Keeper), LabError> {
    let (socket, log) = (dir.join("journal"), dir.join("log").join(MANAGER));
    let journal = Journal::keep(&socket, &log, &dir.join(ENTRIES));
    let journal = journal.map_err(LabError::io("listen at", &socket))?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    Ok((journal, Keeper::start(dir, &name)?))
}

fn machine_journal_of(wanted: &str) -> String {
    run(Command::new("journalctl").args(["-q", "-b", "-o", "export", wanted])).unwrap_or_default()
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
