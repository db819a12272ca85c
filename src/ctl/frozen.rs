//! A group that must not be rolled for now: who wants that, since when, and why.
//!
//! It is a file beside the group's event logs, so it outlives reboots; what is under way goes on.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::log::Shelf;
use super::scope::Scope;
use super::user::name_of;

/// That a group is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Who wants it.
    pub by: String,
    /// The wall clock, RFC 3339.
    pub since: String,
    /// The reason, as that one gave it.
    pub why: String,
}

impl Frozen {
    /// By the calling user, from now on.
    pub fn now(why: &str) -> Self {
        let user = name_of(rustix::process::getuid().as_raw());
        let by = match std::env::var("SUDO_USER") {
            Ok(name) if user == "root" && !name.is_empty() => name,
            _ => user,
        };
        let since = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self { by, since, why: why.to_owned() }
    }

    /// What is said of the group.
    pub fn sentence(&self, group: &str) -> String {
        format!("{group} is frozen by {} since {}: {}", self.by, self.since, self.why)
    }
}

/// Freezes the group, whatever was before.
///
/// # Errors
///
/// When it cannot be written down.
pub fn freeze(scope: Scope, group: &str, frozen: &Frozen) -> io::Result<()> {
    let shelf = Shelf::of(scope, group);
    shelf.make()?;
    let (path, new) = (path(scope, group), shelf.dir().join("frozen.new"));
    fs::write(&new, serde_json::to_vec(frozen)?)?;
    File::open(&new)?.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(shelf.dir())?.sync_all()
}

/// Lets the group be rolled again; what it was, if it was frozen.
///
/// # Errors
///
/// When that cannot be read or removed.
pub fn thaw(scope: Scope, group: &str) -> io::Result<Option<Frozen>> {
    let was = frozen(scope, group)?;
    if was.is_some() {
        fs::remove_file(path(scope, group))?;
    }
    Ok(was)
}

/// Whether the group is frozen.
///
/// # Errors
///
/// When that cannot be read.
pub fn frozen(scope: Scope, group: &str) -> io::Result<Option<Frozen>> {
    match fs::read(path(scope, group)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        // One that is there and says nothing is a refusal all the same.
        text => Ok(Some(serde_json::from_slice(&text?).unwrap_or_else(|_| unknown()))),
    }
}

/// Nothing frozen may be rolled.
pub(super) fn check(scope: Scope, group: &str) -> Result<(), Error> {
    let found = frozen(scope, group).map_err(|error| {
        let path = path(scope, group);
        Error::Refused(format!(
            "whether {group} is frozen cannot be read in {}: {error}; nothing was touched",
            path.display()
        ))
    })?;
    let Some(frozen) = found else { return Ok(()) };
    let (said, flag) = (frozen.sentence(group), scope.flag());
    Err(Error::Refused(format!(
        "{said}\n  nothing was touched\n  next: rollctl thaw {flag}{group}"
    )))
}

fn unknown() -> Frozen {
    let word = || "unknown".to_owned();
    Frozen { by: word(), since: word(), why: word() }
}

fn path(scope: Scope, group: &str) -> PathBuf {
    Shelf::of(scope, group).dir().join("frozen")
}
