//! One roll a group: a lock that dies with its owner, and names it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::Error;
use super::log::file_name;
use super::scope::Scope;
use super::typed::command_line;

const TRY_AGAIN: Duration = Duration::from_millis(100);
const OWNER_LIMIT: u64 = 1000;

/// The right to roll a group, until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    /// Whether somebody else held it at first, so that the group may have changed meanwhile.
    pub had_to_wait: bool,
    _file: File,
}

impl Lock {
    /// Takes the lock of a group, and waits for it no longer than `wait`.
    ///
    /// # Errors
    ///
    /// When somebody else holds it, and says who; when there is no place for it.
    pub async fn take(scope: Scope, group: &str, wait: Duration) -> Result<Self, Error> {
        let path = scope.runtime_dir().join("rollctl").join(format!("{}.lock", file_name(group)));
        let mut file = open(&path).map_err(|error| no_place(&path, &error))?;
        let deadline = Instant::now() + wait;
        let mut had_to_wait = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(no_place(&path, &error)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    had_to_wait = true;
                    sleep(TRY_AGAIN).await;
                }
                Err(TryLockError::WouldBlock) => return Err(held(group, &mut file)),
            }
        }
        sign(&mut file).map_err(|error| no_place(&path, &error))?;
        Ok(Self { had_to_wait, _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    // Whoever can open it can hold it.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Writes down who holds it, for whoever finds it held.
fn sign(file: &mut File) -> io::Result<()> {
    let command = command_line();
    let since = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {} since {since}: {}", std::process::id(), command.join(" "))
}

fn held(group: &str, file: &mut File) -> Error {
    let mut owner = String::new();
    // Without its owner's name a lock is held all the same.
    let _ = file.take(OWNER_LIMIT).read_to_string(&mut owner);
    let owner = owner.lines().next().unwrap_or("an unknown process").to_owned();
    Error::Refused(format!(
        "{group} is being rolled by another: {owner}\n  nothing was touched\n  \
         next: wait for it with --lock-wait 10min"
    ))
}

fn no_place(path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    Error::Refused(format!(
        "cannot lock {path}: {error}; nothing was touched\n  next: sudo rollctl …, or --user for \
         your own units"
    ))
}
