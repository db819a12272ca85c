//! What can be set, its defaults, and the one place that reads it from the environment.

use std::time::Duration;

use super::env::{self, read, set, set_span};
use super::{Address, DrainMode, DrainStatus, Error};

/// How a worker behaves. Start from [`Config::from_env`] or [`Config::default`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long idle connections that no sibling takes are still served after SIGTERM, each response
    /// saying `Connection: close`; after a response that had begun before, from its end
    /// (`WORKER_LINGER`, default 10 s).
    pub linger: Duration,
    /// When requests still in flight are cut after SIGTERM (`WORKER_DRAIN_TIMEOUT`, default 30 s).
    pub drain_timeout: Duration,
    /// What becomes of requests on old connections after SIGTERM (`WORKER_DRAIN_MODE`, default
    /// `serve`).
    pub drain_mode: DrainMode,
    /// What they get if they are refused (`WORKER_DRAIN_STATUS`, default 503).
    pub drain_status: DrainStatus,
    /// When an idle connection is closed (`WORKER_IDLE_TIMEOUT`, default 75 s: longer than the
    /// 60 s for which nginx and most balancers keep a pooled connection).
    pub idle_timeout: Duration,
    /// How long a request head may take from its first byte (`WORKER_HEADER_TIMEOUT`, default 30 s).
    pub header_timeout: Duration,
    /// At so many connections no more are accepted; they queue for the siblings
    /// (`WORKER_MAX_CONNECTIONS`, default 10,000).
    pub max_connections: usize,
    /// Where health and metrics are answered (`WORKER_ADMIN`, default
    /// `$RUNTIME_DIRECTORY/admin.sock`; nowhere when there is no such directory).
    pub admin: Option<Address>,
    /// What to bind when systemd passed no socket (`WORKER_LISTEN`).
    pub listen: Option<Address>,
    /// Whether connections move to a sibling after SIGTERM or, if there is none, wait in systemd for
    /// the next run of the unit; and whether those of siblings are taken (`WORKER_HANDOFF`, default
    /// true; never without `$RUNTIME_DIRECTORY`).
    pub handoff: bool,
    /// Whether siblings have as many connections each: one that has just started asks for its share,
    /// and is given it, and those with fewer accept first (`WORKER_BALANCE`, default true; never
    /// without [`Config::handoff`]).
    pub balance: bool,
    /// Threads of the runtime that [`super::Worker::run`] builds (`WORKER_THREADS`, default 1).
    pub threads: usize,
    /// The name of this instance (`WORKER_INSTANCE`; units set it to `%i`).
    pub instance: String,
    /// The version that the health check reports (`WORKER_VERSION`, default this package's).
    pub version: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            linger: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            drain_mode: DrainMode::default(),
            drain_status: DrainStatus::default(),
            idle_timeout: Duration::from_secs(75),
            header_timeout: Duration::from_secs(30),
            max_connections: 10_000,
            admin: None,
            listen: None,
            handoff: true,
            balance: true,
            threads: 1,
            instance: "-".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl Config {
    /// The defaults, with what the environment sets.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] names the first variable whose value cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        let mut config = Self { admin: admin_in_runtime_directory(), ..Self::default() };
        set_span(&mut config.linger, "WORKER_LINGER")?;
        set_span(&mut config.drain_timeout, "WORKER_DRAIN_TIMEOUT")?;
        set(&mut config.drain_mode, "WORKER_DRAIN_MODE")?;
        set(&mut config.drain_status, "WORKER_DRAIN_STATUS")?;
        set_span(&mut config.idle_timeout, "WORKER_IDLE_TIMEOUT")?;
        set_span(&mut config.header_timeout, "WORKER_HEADER_TIMEOUT")?;
        set(&mut config.max_connections, "WORKER_MAX_CONNECTIONS")?;
        env::set_switch(&mut config.handoff, "WORKER_HANDOFF")?;
        env::set_switch(&mut config.balance, "WORKER_BALANCE")?;
        set(&mut config.threads, "WORKER_THREADS")?;
        set(&mut config.instance, "WORKER_INSTANCE")?;
        set(&mut config.version, "WORKER_VERSION")?;
        config.admin = read("WORKER_ADMIN")?.or(config.admin);
        config.listen = read("WORKER_LISTEN")?;
        config.check("WORKER_MAX_CONNECTIONS", "WORKER_THREADS")?;
        Ok(config)
    }

    /// Refuses limits that would serve nobody; `max` and `threads` name where they were set.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] when no connection or no thread would be left, or far too many threads.
    pub fn check(&self, max: &str, threads: &str) -> Result<(), Error> {
        if self.max_connections == 0 {
            return Err(Error::value(max, "0 would serve nobody (write at least 1)"));
        }
        if !(1..=1024).contains(&self.threads) {
            return Err(Error::value(threads, format!("{} is not in 1..1024", self.threads)));
        }
        Ok(())
    }
}

fn admin_in_runtime_directory() -> Option<Address> {
    Some(Address::Unix(env::runtime_directory()?.join("admin.sock")))
}
