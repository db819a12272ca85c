//! What can be set of the app that the worker fronts, and its defaults.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::trust::Trust;
use crate::worker::{Error, env};

/// How the app is started, reached and stopped. Start from [`FrontConfig::from_env`] or
/// [`FrontConfig::default`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FrontConfig {
    /// The loopback port the app listens on, given to it as `PORT` (`WORKER_APP_PORT`, default a
    /// free one).
    pub port: Option<u16>,
    /// The unix socket the app listens on, given to it as `SOCKET_PATH` (`WORKER_APP_SOCKET`).
    pub socket: Option<PathBuf>,
    /// Whether the app finds that path in `PORT`, too: many listen on whatever stands there
    /// (`WORKER_SOCKET_IN_PORT`, default false).
    pub socket_in_port: bool,
    /// How the app shows that it is ready (`WORKER_APP_READY`, default `connect`).
    pub ready: Readiness,
    /// How long the head of a response may take from the last byte of its request; then 504
    /// (`WORKER_APP_TIMEOUT`, default 60 s).
    pub timeout: Duration,
    /// How long the app has from SIGTERM to SIGKILL (`WORKER_APP_GRACE`, default 10 s).
    pub grace: Duration,
    /// Whether the worker starts an app that has died again, rather than to end itself and leave
    /// that to systemd (`WORKER_APP_RESTART`, default false).
    pub restart: bool,
    /// How long requests wait for an app that is being started again; then 503 (`WORKER_HOLD`,
    /// default 10 s).
    pub hold: Duration,
    /// Whether the app takes the inherited sockets itself, and the worker only supervises
    /// (`WORKER_PASS_SOCKETS`, default false).
    pub pass_sockets: bool,
    /// How long WebSockets are kept after SIGTERM (`WORKER_TUNNEL_GRACE`, default 5 s).
    pub tunnel_grace: Duration,
    /// Whose `Forwarded`, `X-Forwarded-*` and `X-Request-Id` are believed (`WORKER_TRUST`, default
    /// `loopback`, which is unix sockets, too).
    pub trust: Trust,
}

impl Default for FrontConfig {
    fn default() -> Self {
        Self {
            port: None,
            socket: None,
            socket_in_port: false,
            ready: Readiness::Connect,
            timeout: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            restart: false,
            hold: Duration::from_secs(10),
            pass_sockets: false,
            tunnel_grace: Duration::from_secs(5),
            trust: Trust::loopback(),
        }
    }
}

impl FrontConfig {
    /// The defaults, with what the environment sets.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] names the first variable whose value cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        let mut config = Self {
            port: env::read("WORKER_APP_PORT")?,
            socket: env::read("WORKER_APP_SOCKET")?,
            ..Self::default()
        };
        env::set_switch(&mut config.socket_in_port, "WORKER_SOCKET_IN_PORT")?;
        env::set(&mut config.ready, "WORKER_APP_READY")?;
        env::set_span(&mut config.timeout, "WORKER_APP_TIMEOUT")?;
        env::set_span(&mut config.grace, "WORKER_APP_GRACE")?;
        env::set_switch(&mut config.restart, "WORKER_APP_RESTART")?;
        env::set_span(&mut config.hold, "WORKER_HOLD")?;
        env::set_switch(&mut config.pass_sockets, "WORKER_PASS_SOCKETS")?;
        env::set_span(&mut config.tunnel_grace, "WORKER_TUNNEL_GRACE")?;
        env::set(&mut config.trust, "WORKER_TRUST")?;
        Ok(config)
    }
}

/// How an app shows that it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It accepts connections.
    Connect,
    /// It answers a GET of this path with 2xx or 3xx.
    Path(String),
    /// It says `READY=1`, as sd_notify(3) does, on a socket of the worker's.
    Notify,
}

/// Why a text is not a [`Readiness`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a way to be ready (write connect, notify or /path)")]
pub struct BadReadiness(String);

impl FromStr for Readiness {
    type Err = BadReadiness;

    fn from_str(text: &str) -> Result<Self, BadReadiness> {
        match text {
            "connect" => Ok(Self::Connect),
            "notify" => Ok(Self::Notify),
            path if path.starts_with('/') && path.parse::<hyper::Uri>().is_ok() => {
                Ok(Self::Path(path.to_owned()))
            }
            _ => Err(BadReadiness(text.to_owned())),
        }
    }
}
