//! `rollctl attach`: a roll under way, told here as where it was begun. Ctrl-C only looks away.

use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::group::GroupArgs;
use crate::ctl::log::Shelf;
use crate::ctl::look::{Fate, look};
use crate::ctl::report::{Ending, Output, Report};
use crate::ctl::{Error, ExitStatus};

use super::status::sentence;

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
    let first = args.of.last_roll().await?;
    let header = &first.told.header;
    let shelf = Shelf::of(scope, &header.group);
    let mut report = Output::of(args.json, false).to_people(&header.group, &[], false);
    let mut told = 0;
    loop {
        let now = look(scope, &shelf, header.number, Some(header.life));
        let now = now.map_err(|error| super::group::unreadable(&shelf, &error))?;
        now.told.lines[told..].iter().for_each(|line| report.record(line));
        told = now.told.lines.len();
        match now.fate {
            Fate::UnderWay | Fate::Paused => sleep(LOOK_AGAIN).await,
            _ => return end(&mut *report, &now),
        }
    }
}

fn end(report: &mut dyn Report, look: &crate::ctl::Look) -> Result<ExitStatus, Error> {
    let Some(outcome) = &look.story.outcome else {
        return Err(Error::Refused(sentence(look)));
    };
    let last_word = look.story.last_word.as_ref();
    report.end(&Ending { group: &look.told.header.group, outcome, last_word });
    Ok(ExitStatus::from(outcome))
}
