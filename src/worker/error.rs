//! Why a worker could not start: one line each, with what to type next where that is known.

use std::io;
use std::process::ExitCode;

use super::Address;

/// Why a worker did not get as far as READY.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value in the environment or on the command line is not what it should be.
    #[error("{name}: {why}")]
    Value {
        /// The variable or flag.
        name: String,
        /// What is wrong with its value.
        why: String,
    },
    /// There is nothing to listen on.
    #[error(
        "no listening socket: start it by systemd with a socket unit, or give --listen ADDR \
             (WORKER_LISTEN=ADDR)"
    )]
    NoSocket,
    /// systemd passed sockets and an address was given too.
    #[error("--listen {0}: systemd passed {1} socket(s) already; leave --listen out")]
    BothSockets(Address, usize),
    /// A descriptor from systemd is not a listening stream socket.
    #[error("descriptor {fd} from systemd ({name}): {why}")]
    Inherited {
        /// Its number.
        fd: usize,
        /// Its name in `LISTEN_FDNAMES`, or `unnamed`.
        name: String,
        /// What it is not.
        why: String,
    },
    /// An address could not be bound.
    #[error("cannot listen on {0}: {1}")]
    Bind(Address, io::Error),
    /// The listening socket could not be put to work.
    #[error("cannot accept from the listening socket: {0}")]
    Listener(io::Error),
    /// The signal handlers could not be installed.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// The runtime could not be built.
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    /// The app's program could not be started.
    #[error("cannot start {0}: {1}")]
    AppStart(String, io::Error),
    /// The app is not there any more; the text says how it ended.
    #[error("the app {0}")]
    AppEnded(String),
    /// Somebody else listens where the app should.
    #[error("somebody listens at {0} already: give the app another --app-port or --app-socket")]
    PlaceTaken(String),
    /// No port could be had for the app.
    #[error("no free port for the app: {0}")]
    FreePort(io::Error),
    /// The socket on which the app says that it is ready could not be made.
    #[error("cannot listen for the app's word that it is ready: {0}")]
    Notices(io::Error),
    /// Logging could not be set up.
    #[error("cannot set up logging: {0}")]
    Log(String),
}

impl Error {
    /// 2 for a bad value, 4 for an app that ended by itself, 1 for everything else.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Value { .. } => ExitCode::from(2),
            Self::AppEnded(_) => ExitCode::from(4),
            _ => ExitCode::FAILURE,
        }
    }

    pub(crate) fn value(name: &str, why: impl ToString) -> Self {
        Self::Value { name: name.to_owned(), why: why.to_string() }
    }
}
