//! Where a private manager can run on this machine, and what it lacks if nowhere.
//!
//! ```text
//! PID 1 is systemd ──► root: a scope of the system manager
//!        │        └──► user: a scope of the running `systemd --user`
//!        └─ is not ──► root: a mount namespace that looks booted with systemd
//!                 └──► user: nowhere
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use super::LabError;

/// The way a private manager is started here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a mount namespace of its own, in a control group of its own.
    Namespace,
    /// In a delegated scope of the system's manager.
    SystemScope,
    /// In a delegated scope of the user's manager.
    UserScope,
}

impl Place {
    /// The place for this user on this machine; an error says what is missing.
    pub fn find() -> Result<Self, LabError> {
        let root = rustix::process::geteuid().is_root();
        match (systemd_is_pid_1(), root) {
            (true, true) => Ok(Self::SystemScope),
            (true, false) => user_manager().map(|_| Self::UserScope),
            (false, true) => Ok(Self::Namespace),
            (false, false) => Err(LabError::missing(
                "PID 1 is not systemd, and only root may make a mount namespace",
                "run this as root, or on a machine that was booted with systemd",
            )),
        }
    }

    /// The command that runs a shell in this place; the script's path is still to be added.
    pub(super) fn shell(self, name: &str) -> Command {
        let (program, arguments): (_, &[&str]) = match self {
            Self::Namespace => ("unshare", &["--mount", "--propagation", "private", "--"]),
            Self::SystemScope => ("systemd-run", &["--system"]),
            Self::UserScope => ("systemd-run", &["--user"]),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        if self.is_scope() {
            command.args(["--scope", "--quiet", "--collect", "-p", "Delegate=yes"]);
            command.arg(format!("--unit={name}.scope")).arg("--");
        }
        if let (Self::UserScope, Ok(run)) = (self, user_manager()) {
            command.env("XDG_RUNTIME_DIR", run);
        }
        command.arg("sh");
        command
    }

    /// What helps where a manager does not come up.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Namespace => {
                "in a container, let it mount: docker run --privileged --cgroupns=private …"
            }
            Self::SystemScope => "systemd-run --scope -p Delegate=yes true (what does it say?)",
            Self::UserScope => {
                "systemd-run --user --scope -p Delegate=yes true (what does it say?)"
            }
        }
    }

    /// Whether a manager above ours owns the control group.
    pub(super) fn is_scope(self) -> bool {
        self != Self::Namespace
    }
}

/// The programs that every lab needs, each with the packages that bring it.
const PROGRAMS: &[(&str, &str)] = &[
    ("systemctl", "systemd"),
    ("systemd-run", "systemd"),
    ("busctl", "systemd"),
    ("dbus-daemon", "dbus-daemon (Debian 11: dbus)"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
];

/// The manager's own program, once everything a lab needs was found beside it.
pub(super) fn check_programs() -> Result<PathBuf, LabError> {
    for (program, package) in PROGRAMS {
        if find_program(program).is_none() {
            return Err(lacks(program, package));
        }
    }
    ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| lacks("/usr/lib/systemd/systemd", "systemd"))
}

/// Where a program is on the PATH.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

fn lacks(program: &str, package: &str) -> LabError {
    LabError::missing(
        format!("{program} is not installed"),
        format!("install the package {package} with apt-get or dnf"),
    )
}

fn systemd_is_pid_1() -> bool {
    Path::new("/run/systemd/system").is_dir()
        && std::fs::read_to_string("/proc/1/comm").is_ok_and(|name| name.trim() == "systemd")
}

/// The runtime directory of the caller's own user manager.
fn user_manager() -> Result<PathBuf, LabError> {
    let run = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(
        || PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw())),
        PathBuf::from,
    );
    if run.join("systemd/private").exists() {
        return Ok(run);
    }
    Err(LabError::missing(
        format!("no `systemd --user` runs for you (looked in {})", run.display()),
        "log in through ssh or a console (not su or sudo), or: loginctl enable-linger",
    ))
}
