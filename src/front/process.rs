//! The app's process: started in a group of its own, with nothing of systemd's but its log.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use command_fds::{CommandFdExt, FdMapping, FdMappingCollision};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::worker::Socket;

/// What systemd told the worker and the worker alone: an app that took one of these for its own
/// would wait for sockets it does not have, or speak to systemd in the worker's name.
const WORKERS_OWN: &[&str] = &[
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "FDSTORE",
];

/// A running app. Dropped, its whole group is killed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
}

/// A command that will run the app: output and log go where the worker's go.
pub(crate) fn command(words: &[OsString]) -> Command {
    let (program, arguments) = words.split_first().map_or((None, words), |(p, a)| (Some(p), a));
    let mut command = Command::new(program.map(OsString::as_os_str).unwrap_or_default());
    command.args(arguments).stdin(Stdio::null()).process_group(0);
    for name in WORKERS_OWN {
        command.env_remove(name);
    }
    command
}

/// As [`command`], but the app gets `sockets` as systemd passes them (sd_listen_fds(3)).
pub(crate) fn command_with_sockets(
    words: &[OsString],
    sockets: Vec<Socket>,
) -> Result<Command, FdMappingCollision> {
    let mut all = AS_SYSTEMD_DOES.map(OsString::from).to_vec();
    all.extend_from_slice(words);
    let names: Vec<&str> = sockets.iter().map(|socket| socket.name.as_str()).collect();
    let mut command = command(&all);
    command.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
    let mappings = (3..).zip(sockets);
    let mappings =
        mappings.map(|(child_fd, Socket { fd: parent_fd, .. })| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings.collect())?;
    Ok(command)
}

/// Only the app's own process knows its id before the app runs.
const AS_SYSTEMD_DOES: [&str; 3] = ["sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""];

impl Process {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { child, group })
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the process ends by itself or by a signal, and ends what is left of its group:
    /// children of the app may hold its port.
    pub(crate) async fn ended(&mut self) -> String {
        let status = self.child.wait().await;
        self.signal(Signal::KILL);
        self.group = None;
        status.map_or_else(|error| format!("cannot be waited for: {error}"), describe)
    }

    /// Sends a signal to the app and everything it has started.
    pub(crate) fn signal(&self, signal: Signal) {
        let Some(group) = self.group else { return };
        match kill_process_group(group, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => tracing::warn!("cannot send {signal:?} to the app: {error}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// `exited with status 1`, `was killed by SIGSEGV and dumped core`
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (_, Some(signal)) => {
            let core = if status.core_dumped() { " and dumped core" } else { "" };
            let name = Signal::from_named_raw(signal).map(|name| format!("{name:?}"));
            let name = name.map(|name| name.replace("Signal::", "SIG").replace('"', ""));
            let name = name.unwrap_or_else(|| format!("signal {signal}"));
            format!("was killed by {name}{core}")
        }
        _ => status.to_string(),
    }
}
