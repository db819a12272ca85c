//! `rollctl attach`: a roll under way, told here as where it was begun. Ctrl-C only looks away.

use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::group::{GroupArgs, unreadable};
use super::status::sentence;
use crate::ctl::control::owner;
use crate::ctl::log::{Shelf, Tail};
use crate::ctl::look::Look;
use crate::ctl::report::{Ending, Output, Report};
use crate::ctl::{Error, ExitStatus};

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
    let scope = args.of.manager.scope();
    let header = args.of.last_roll().await?.told.header;
    let shelf = Shelf::of(scope, &header.group);
    let failed = |error: std::io::Error| unreadable(&shelf, &error);
    let mut report = Output::of(args.json, false).to_people(&header.group, &[], false);
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
    end(&mut *report, &args.of.roll(header.number).await?)
}

fn end(report: &mut dyn Report, look: &Look) -> Result<ExitStatus, Error> {
    let Some(outcome) = &look.story.outcome else {
        return Err(Error::Refused(sentence(look)));
    };
    let last_word = look.story.last_word.as_ref();
    report.end(&Ending { group: &look.told.header.group, outcome, last_word });
    Ok(ExitStatus::from(outcome))
}
