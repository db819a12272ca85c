//! The worker as a program: takes its listening socket from systemd, serves the built-in app or
//! fronts another, and leaves without dropping a request.

mod options;

use std::process::ExitCode;

use clap::Parser;
use options::Options;
use rollctl::front::{self, FrontConfig};
use rollctl::worker::{self, Config, Error, Outcome, Worker, app};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Options::try_parse() {
        Ok(options) => worker::finish(run(options)),
        Err(shown) => show(&shown),
    }
}

fn run(options: Options) -> Result<Outcome, Error> {
    let config = options.serve.over(Config::from_env()?)?;
    let front = options.front.over(FrontConfig::from_env()?)?;
    worker::log::start()?;
    let worker = Worker::new(config)?;
    if !options.command.is_empty() {
        return front::run(worker, front, &options.command);
    }
    let app = app::BuiltIn::new(worker.about());
    worker.run(app)
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
