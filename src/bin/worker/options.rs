//! The worker's command line: what it says goes before what the environment says.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use rollctl::front::{FrontConfig, Readiness, Trust};
use rollctl::span::Span;
use rollctl::worker::{Address, Config, DrainMode, DrainStatus, Error};

/// Serve on a socket from systemd, and leave without dropping a request
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) serve: Serve,
    #[command(flatten)]
    pub(crate) front: Front,
    /// Run this app and serve it; without one, serve a built-in page
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// How clients are served, whatever the app.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Serve idle connections for so long after SIGTERM [default: 10s]
    #[arg(long, value_name = "SPAN")]
    linger: Option<Span>,
    /// Cut what is still in flight so long after SIGTERM [default: 30s]
    #[arg(long, value_name = "SPAN")]
    drain_timeout: Option<Span>,
    /// Serve or refuse requests on old connections after SIGTERM [default: serve]
    #[arg(long, value_name = "serve|refuse")]
    drain_mode: Option<DrainMode>,
    /// Refuse them with this status [default: 503]
    #[arg(long, value_name = "502|503")]
    drain_status: Option<DrainStatus>,
    /// Close connections that were idle for so long [default: 75s]
    #[arg(long, value_name = "SPAN")]
    idle_timeout: Option<Span>,
    /// Wait so long for the rest of a request's head [default: 30s]
    #[arg(long, value_name = "SPAN")]
    header_timeout: Option<Span>,
    /// Accept no more than so many connections at a time [default: 10000]
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,
    /// Answer /healthz and /metrics there [default: $RUNTIME_DIRECTORY/admin.sock]
    #[arg(long, value_name = "ADDR")]
    admin: Option<Address>,
    /// Bind a socket, to try it out without systemd (127.0.0.1:8080, unix:/path)
    #[arg(long, value_name = "ADDR")]
    listen: Option<Address>,
    /// Hand connections over to siblings after SIGTERM, and take theirs [default: yes]
    #[arg(long, value_name = "yes|no", value_parser = switch)]
    handoff: Option<bool>,
    /// Have as many connections as siblings: ask them for a share once ready, give them theirs, let
    /// those with fewer accept first [default: yes]
    #[arg(long, value_name = "yes|no", value_parser = switch)]
    balance: Option<bool>,
    /// Serve with so many threads [default: 1]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// How the app behind `--` is run and reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for an app")]
pub(crate) struct Front {
    /// Reach the app at this loopback port, which it finds in PORT [default: one that is kept free for
    /// it, as long as it sets SO_REUSEADDR as servers do]
    #[arg(long, value_name = "PORT", conflicts_with = "app_socket", requires = "command",
          value_parser = clap::value_parser!(u16).range(1..))]
    app_port: Option<u16>,
    /// Reach the app at this unix socket, which it finds in SOCKET_PATH
    #[arg(long, value_name = "PATH", requires = "command")]
    app_socket: Option<PathBuf>,
    /// Tell the app that path in PORT, too
    #[arg(long, requires = "app_socket")]
    socket_in_port: bool,
    /// Take the app for ready when it accepts (connect), answers (/path) or says so (notify)
    /// [default: connect]
    #[arg(long, value_name = "HOW", requires = "command")]
    app_ready: Option<Readiness>,
    /// Answer 504 when the app has not answered for so long [default: 60s]
    #[arg(long, value_name = "SPAN", requires = "command")]
    app_timeout: Option<Span>,
    /// Kill an app that has not ended so long after SIGTERM [default: 10s]
    #[arg(long, value_name = "SPAN", requires = "command")]
    app_grace: Option<Span>,
    /// Start an app that has died again, rather than end and leave that to systemd
    #[arg(long, requires = "command")]
    app_restart: bool,
    /// Let requests wait so long for an app that is started again [default: 10s]
    #[arg(long, value_name = "SPAN", requires = "command")]
    hold: Option<Span>,
    /// Give the app the inherited sockets, and only supervise it
    #[arg(long, requires = "command")]
    pass_sockets: bool,
    /// Keep WebSockets for so long after SIGTERM [default: 5s]
    #[arg(long, value_name = "SPAN", requires = "command")]
    tunnel_grace: Option<Span>,
    /// Believe what these peers say of where a request came from: loopback, private, all, none or
    /// networks [default: loopback]
    #[arg(long, value_name = "PEERS", requires = "command")]
    trust: Option<Trust>,
}

const AFTER_HELP: &str = "\
Each option can also be set in the environment: --drain-timeout is WORKER_DRAIN_TIMEOUT, and so on.
Times are written as systemd writes them: 500ms, 2s, 1min 30s. RUST_LOG chooses what is logged.

Exit status: 0 everything accepted was answered; 1 could not start; 2 bad flag or environment value;
3 requests were cut at the drain timeout or by a second SIGTERM; 4 the app ended by itself.";

impl Serve {
    /// Sets what was given.
    pub(crate) fn over(self, mut config: Config) -> Result<Config, Error> {
        set(&mut config.linger, self.linger);
        set(&mut config.drain_timeout, self.drain_timeout);
        config.drain_mode = self.drain_mode.unwrap_or(config.drain_mode);
        config.drain_status = self.drain_status.unwrap_or(config.drain_status);
        set(&mut config.idle_timeout, self.idle_timeout);
        set(&mut config.header_timeout, self.header_timeout);
        config.max_connections = self.max_connections.unwrap_or(config.max_connections);
        config.handoff = self.handoff.unwrap_or(config.handoff);
        config.balance = self.balance.unwrap_or(config.balance);
        config.threads = self.threads.unwrap_or(config.threads);
        config.admin = self.admin.or(config.admin);
        config.listen = self.listen.or(config.listen);
        config.check("--max-connections", "--threads")?;
        Ok(config)
    }
}

impl Front {
    /// Sets what was given.
    pub(crate) fn over(self, mut config: FrontConfig) -> Result<FrontConfig, Error> {
        config.port = self.app_port.or(config.port);
        config.socket = self.app_socket.or(config.socket);
        config.socket_in_port |= self.socket_in_port;
        config.ready = self.app_ready.unwrap_or(config.ready);
        set(&mut config.timeout, self.app_timeout);
        set(&mut config.grace, self.app_grace);
        config.restart |= self.app_restart;
        set(&mut config.hold, self.hold);
        config.pass_sockets |= self.pass_sockets;
        set(&mut config.tunnel_grace, self.tunnel_grace);
        config.trust = self.trust.unwrap_or(config.trust);
        Ok(config)
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}

fn set(target: &mut Duration, span: Option<Span>) {
    if let Some(Span(span)) = span {
        *target = span;
    }
}
