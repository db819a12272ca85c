//! `rollctl attach`: a roll under way, told here as where it was begun, and paced by the same keys.
//! Ctrl-C only looks away.

use std::future::pending;
use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::group::{GroupArgs, unreadable};
use super::order::order;
use super::status::sentence;
use crate::ctl::control::owner;
use crate::ctl::keys::{Keys, is_attended};
use crate::ctl::log::{Shelf, Tail};
use crate::ctl::look::{Fate, Look};
use crate::ctl::report::{Ending, Output, Report};
use crate::ctl::signals::Signals;
use crate::ctl::{Error, ExitStatus, Scope};

const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    #[command(flatten)]
    of: GroupArgs,
    /// Tell what happens as JSON, an event a line
    #[arg(long)]
    json: bool,
}

/// Follows the log from its beginning to its end; its exit status is the roll's own.
pub(super) async fn run(args: &AttachArgs) -> Result<ExitStatus, Error> {
    let mut signals = Signals::take().map_err(no_terminal)?;
    let has_keys = !args.json && is_attended() && may_order(args);
    let mut keys = if has_keys { Some(Keys::take().map_err(no_terminal)?) } else { None };
    tokio::select! {
        status = follow(&args.of, Output::of(args.json, false), has_keys) => status,
        status = pace(args, &mut keys) => status,
        // The terminal is given back on this way out, too.
        () = signals.interrupted() => Ok(ExitStatus::Interrupted),
    }
}

/// Gives the orders of the keys, until one cannot be given.
async fn pace(args: &AttachArgs, keys: &mut Option<Keys>) -> Result<ExitStatus, Error> {
    let Some(keys) = keys else { return pending().await };
    loop {
        let command = keys.next().await;
        let look = args.of.last_roll().await?;
        // One that is over takes none, and its end is told.
        if matches!(look.fate, Fate::UnderWay | Fate::Paused) {
            order(&args.of, &look, command)?;
        }
    }
}

/// Of the system's rolls only root may; members of the group `rollctl` look on.
fn may_order(args: &AttachArgs) -> bool {
    args.of.manager.scope() == Scope::User || rustix::process::geteuid().is_root()
}

/// Tells the last roll of the group, as far as it is and as it goes on.
pub(super) async fn follow(
    of: &GroupArgs,
    output: Output,
    has_keys: bool,
) -> Result<ExitStatus, Error> {
    let scope = of.manager.scope();
    let header = of.last_roll().await?.told.header;
    let shelf = Shelf::of(scope, &header.group);
    let failed = |error: std::io::Error| unreadable(&shelf, &error);
    let mut report = output.to_people(&header.group, &[], has_keys);
    let mut tail = Tail::of(&shelf.path(header.number)).map_err(failed)?;
    loop {
        // In this order: what it writes last is read when it is gone.
        let is_there = owner(scope, &header.group).map_err(failed)? == Some(header.pid);
        tail.read_on().map_err(failed)?.iter().for_each(|line| report.record(line));
        if !is_there {
            break;
        }
        sleep(LOOK_AGAIN).await;
    }
    end(&mut *report, &of.roll(header.number).await?)
}

fn no_terminal(error: std::io::Error) -> Error {
    Error::Refused(format!("cannot listen for signals and keys: {error}; the roll goes on"))
}

fn end(report: &mut dyn Report, look: &Look) -> Result<ExitStatus, Error> {
    let Some(outcome) = &look.story.outcome else {
        return Err(Error::Refused(sentence(look)));
    };
    let last_word = look.story.last_word.as_ref();
    report.end(&Ending { group: &look.told.header.group, outcome, last_word });
    Ok(ExitStatus::from(outcome))
}
