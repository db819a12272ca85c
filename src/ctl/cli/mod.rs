//! The command line of `rollctl`: one file per verb.

mod args;
mod attach;
mod by_reload;
mod far;
mod freeze;
mod group;
mod history;
mod list;
mod order;
mod plan;
#[cfg(feature = "prove")]
mod proof;
#[cfg(feature = "prove")]
mod prove;
mod restart;
mod resume;
mod settings;
mod status;
mod table;

use std::io::stderr;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use super::control::Command;
use super::error::Error;
use super::exit::ExitStatus;
use super::report::say;
use args::{Cli, Verb};

/// The command line, for its manual and its completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help_or_error) => return explain(&help_or_error),
    };
    match run(cli) {
        Ok(status) => status.into(),
        Err(error) => {
            say(stderr(), &format!("rollctl: {error}"));
            error.exit_status().into()
        }
    }
}

fn run(cli: Cli) -> Result<ExitStatus, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Refused(format!("cannot begin: {error}")))?;
    runtime.block_on(async {
        if let Some(way) = cli.far.way() {
            return far::run(way, cli.verb.rolls()).await;
        }
        match cli.verb {
            Verb::Restart(args) => restart::run(&args).await,
            Verb::Plan(args) => plan::run(&args.asked, args.json).await,
            #[cfg(feature = "prove")]
            Verb::Prove(args) => prove::run(&args).await,
            Verb::List(args) => list::run(&args).await,
            Verb::Status(args) => status::run(&args).await,
            Verb::Pause(args) => order::run(&args, Command::Pause).await,
            Verb::Resume(args) => resume::run(&args).await,
            Verb::History(args) => history::run(&args).await,
            Verb::Attach(args) => attach::run(&args).await,
            Verb::Freeze(args) => freeze::run(&args),
            Verb::Thaw(args) => freeze::run_thaw(&args),
            Verb::Abort(args) => order::run(&args, Command::Abort).await,
        }
    })
}

/// Help and version go to standard output and are no error; the rest is one.
fn explain(error: &clap::Error) -> ExitCode {
    // A reader that went away needs no help.
    let _ = error.print();
    match error.use_stderr() {
        true => ExitStatus::Usage.into(),
        false => ExitStatus::Serving.into(),
    }
}
