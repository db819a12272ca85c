//! Another machine: the rollctl there does it all, for all that a roll needs is there: lock, event
//! log, unit files, admin sockets, hooks, journal.
//!
//! ```text
//! rollctl -H web1 restart worker ─► ssh web1 'exec rollctl restart worker' ──────► the roll
//! rollctl -M shop restart worker ─► systemd-run --machine=shop rollctl restart … ─►   │
//!    ▲                                                                                │
//!    └──────────────────── its words, its keys, its exit status ──────────────────────┘
//! ```

mod ended;
mod host;
mod machine;
mod words;

use std::io::{self, ErrorKind, IsTerminal};
use std::process::Stdio;

use clap::{Args, ValueHint};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use self::ended::Ended;
use self::host::Host;
use self::machine::Machine;
use self::words::words_there;
use crate::ctl::signals::Signals;
use crate::ctl::{Error, ExitStatus};

#[derive(Debug, Args)]
pub(super) struct FarArgs {
    /// Do it on another machine, through ssh: [USER@]HOST[:PORT]
    #[arg(short = 'H', long, global = true, value_name = "HOST")]
    #[arg(value_hint = ValueHint::Hostname)]
    host: Option<Host>,
    /// Do it in a container of this machine
    #[arg(short = 'M', long, global = true, value_name = "CONTAINER")]
    machine: Option<Machine>,
}

/// How the other machine is reached.
#[derive(Clone, Debug)]
pub(super) enum Way {
    Ssh(Host),
    Machine(Machine),
}

impl FarArgs {
    /// A container of another machine is that machine's business.
    pub(super) fn way(&self) -> Option<Way> {
        let ssh = self.host.clone().map(Way::Ssh);
        ssh.or_else(|| self.machine.clone().map(Way::Machine))
    }
}

/// Has it done there; the exit status is that of the rollctl there.
pub(super) async fn run(way: Way, rolls: bool) -> Result<ExitStatus, Error> {
    let words = words_there(&way)?;
    way.is_there(&words).await?;
    let mut signals = Signals::take().map_err(|error| way.cannot_begin(&error))?;
    let mut child = way.begin(&words).map_err(|error| way.cannot_begin(&error))?;
    let mut is_interrupted = false;
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended,
            () = signals.interrupted() => {
                is_interrupted = true;
                end(&child);
            }
        }
    };
    let status = ended.map_err(|error| way.cannot_begin(&error))?;
    Ended { way, status, is_interrupted, rolls }.told()
}

impl Way {
    fn program(&self) -> &'static str {
        match self {
            Self::Ssh(_) => "ssh",
            Self::Machine(_) => "systemd-run",
        }
    }

    /// The option that leads there.
    fn option(&self) -> String {
        match self {
            Self::Ssh(host) => format!("-H {host}"),
            Self::Machine(machine) => format!("-M {machine}"),
        }
    }

    /// Known before anything is begun there, where the exit status could not tell.
    async fn is_there(&self, words: &[String]) -> Result<(), Error> {
        match self {
            Self::Ssh(_) => Ok(()),
            Self::Machine(machine) => machine.is_there(words).await,
        }
    }

    fn begin(&self, words: &[String]) -> io::Result<Child> {
        let is_terminal =
            io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
        let arguments = match self {
            Self::Ssh(host) => host.arguments(words, is_terminal),
            Self::Machine(machine) => machine.arguments(words, is_terminal),
        };
        let mut command = Command::new(self.program());
        command.args(arguments);
        if !is_terminal {
            // No verb reads it, and the rest of a script's list of hosts is not ours to swallow.
            command.stdin(Stdio::null());
        }
        command.spawn()
    }

    fn cannot_begin(&self, error: &io::Error) -> Error {
        let program = self.program();
        Error::Refused(match (error.kind(), self) {
            (ErrorKind::NotFound, Self::Ssh(_)) => {
                "there is no ssh on this machine; nothing was touched\n  \
                 next: apt install openssh-client, or dnf install openssh-clients"
                    .to_owned()
            }
            _ => format!(
                "{program} cannot be run: {error}; nothing was touched\n  next: {program} --version"
            ),
        })
    }
}

/// Of a terminal, Ctrl-C has reached it already; what a manager sends has not.
fn end(child: &Child) {
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    if let Some(pid) = pid {
        // It may be over by now.
        let _ = kill_process(pid, Signal::TERM);
    }
}
