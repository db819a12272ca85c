//! The worker as a program: takes its listening socket from systemd, serves the built-in app, and
//! leaves without dropping a request.

use std::process::ExitCode;

use clap::Parser;
use rollctl::span::Span;
use rollctl::worker::{self, Address, Config, Error, Outcome, Worker, app};

/// Serve on a socket from systemd, and leave without dropping a request
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
struct Options {
    /// Serve idle connections for so long after SIGTERM [default: 10s]
    #[arg(long, value_name = "SPAN")]
    linger: Option<Span>,
    /// Cut what is still in flight so long after SIGTERM [default: 30s]
    #[arg(long, value_name = "SPAN")]
    drain_timeout: Option<Span>,
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
    /// Serve with so many threads [default: 1]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

const AFTER_HELP: &str = "\
Each option can also be set in the environment: --drain-timeout is WORKER_DRAIN_TIMEOUT, and so on.
Times are written as systemd writes them: 500ms, 2s, 1min 30s. RUST_LOG chooses what is logged.

Exit status: 0 everything accepted was answered; 1 could not start; 2 bad flag or environment value;
3 requests were cut at the drain timeout or by a second SIGTERM.";

fn main() -> ExitCode {
    match Options::try_parse() {
        Ok(options) => worker::finish(run(options)),
        Err(shown) => show(&shown),
    }
}

fn run(options: Options) -> Result<Outcome, Error> {
    let config = options.over(Config::from_env()?)?;
    worker::log::start()?;
    let worker = Worker::new(config)?;
    let app = app::BuiltIn::new(worker.about());
    worker.run(app)
}

impl Options {
    /// What the command line says goes before what the environment says.
    fn over(self, mut config: Config) -> Result<Config, Error> {
        let set = |target: &mut std::time::Duration, span: Option<Span>| {
            *target = span.map_or(*target, |Span(span)| span);
        };
        set(&mut config.linger, self.linger);
        set(&mut config.drain_timeout, self.drain_timeout);
        set(&mut config.idle_timeout, self.idle_timeout);
        set(&mut config.header_timeout, self.header_timeout);
        config.max_connections = self.max_connections.unwrap_or(config.max_connections);
        config.threads = self.threads.unwrap_or(config.threads);
        config.admin = self.admin.or(config.admin);
        config.listen = self.listen.or(config.listen);
        config.check("--max-connections", "--threads")?;
        Ok(config)
    }
}

/// Help and version as they are; a mistake in one line.
fn show(shown: &clap::Error) -> ExitCode {
    if !shown.use_stderr() {
        print!("{shown}");
        return ExitCode::SUCCESS;
    }
    let text = shown.to_string();
    let line = text.lines().next().unwrap_or_default();
    eprintln!("worker: {} (see worker --help)", line.strip_prefix("error: ").unwrap_or(line));
    ExitCode::from(2)
}
