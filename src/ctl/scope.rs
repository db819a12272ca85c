//! Which manager is spoken to: the system's or the user's own.

use std::env;
use std::path::PathBuf;

/// The manager whose units are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The system's (PID 1).
    #[default]
    System,
    /// The calling user's.
    User,
}

impl Scope {
    /// Where units of this manager keep what they need at run time: the prefix of
    /// `RuntimeDirectory=` (systemd.exec(5)).
    pub fn runtime_dir(self) -> PathBuf {
        match self {
            Self::System => PathBuf::from("/run"),
            Self::User => user_runtime_dir(),
        }
    }

    /// Where rollctl keeps what outlives a roll: the event logs, what is frozen.
    ///
    /// A unit may name the place with `StateDirectory=rollctl`; that of another service, in whose
    /// `ExecReload=` we run, is not ours, and a terminal would not find it.
    pub fn state_dir(self) -> PathBuf {
        match self {
            Self::System => given_state_dir().unwrap_or_else(|| PathBuf::from("/var/lib/rollctl")),
            Self::User => user_state_home().join("rollctl"),
        }
    }

    /// The address of the bus on which this manager is found.
    pub fn bus_address(self) -> String {
        let (variable, default) = match self {
            Self::System => ("DBUS_SYSTEM_BUS_ADDRESS", "/run/dbus/system_bus_socket".into()),
            Self::User => ("DBUS_SESSION_BUS_ADDRESS", user_runtime_dir().join("bus")),
        };
        let set = env::var(variable).ok().filter(|address| !address.is_empty());
        set.unwrap_or_else(|| format!("unix:path={}", default.display()))
    }

    /// A `systemctl` command for this manager, as a person would type it.
    pub fn systemctl(self, rest: &str) -> String {
        format!("systemctl {}{rest}", self.flag())
    }

    /// A `journalctl` command for a unit of this manager.
    pub fn journal_of(self, unit: &str) -> String {
        match self {
            Self::System => format!("journalctl -xeu {unit}"),
            Self::User => format!("journalctl --user -xeu {unit}"),
        }
    }

    /// `--user ` for the user's manager, nothing for the system's.
    pub fn flag(self) -> &'static str {
        match self {
            Self::System => "",
            Self::User => "--user ",
        }
    }
}

fn given_state_dir() -> Option<PathBuf> {
    let given = env::var_os("STATE_DIRECTORY")?;
    env::split_paths(&given).find(|dir| dir.ends_with("rollctl"))
}

fn user_state_home() -> PathBuf {
    let set = env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty());
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/".into()));
    set.map_or_else(|| home().join(".local/state"), PathBuf::from)
}

fn user_runtime_dir() -> PathBuf {
    let set = env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    set.map_or_else(|| format!("/run/user/{}", rustix::process::getuid()).into(), PathBuf::from)
}
