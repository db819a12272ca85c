//! The other terminal's end.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use super::{Answer, Command, path};
use crate::ctl::scope::Scope;

/// A roll that is waiting for its disk may take its time.
const LIMIT: Duration = Duration::from_secs(10);

/// The process that rolls the group now; `None` if nobody does.
///
/// # Errors
///
/// When somebody else's roll may not be asked.
pub fn owner(scope: Scope, group: &str) -> io::Result<Option<u32>> {
    let Some(stream) = connect(scope, group)? else { return Ok(None) };
    Ok(Some(socket_peercred(&stream)?.pid.as_raw_nonzero().get().unsigned_abs()))
}

/// Gives the order, and waits until it holds; false if nobody rolls the group, or no longer.
///
/// # Errors
///
/// When the roll may not be spoken to, or does not answer.
pub fn give(scope: Scope, group: &str, command: Command) -> io::Result<bool> {
    let Some(mut stream) = connect(scope, group)? else { return Ok(false) };
    may_order(&stream)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut line = serde_json::to_string(&command)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    // It ended before it took the order in.
    if answer.is_empty() {
        return Ok(false);
    }
    Ok(serde_json::from_str::<Answer>(&answer)?.taken)
}

/// Who may only look on is not heard over there.
fn may_order(stream: &UnixStream) -> io::Result<()> {
    let me = geteuid();
    match me.is_root() || socket_peercred(stream)?.uid == me {
        true => Ok(()),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

fn connect(scope: Scope, group: &str) -> io::Result<Option<UnixStream>> {
    match UnixStream::connect(path(scope, group)) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
            _ => Err(error),
        },
    }
}
