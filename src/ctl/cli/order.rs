//! `rollctl pause` and `rollctl abort`: orders to the roll under way.

use std::io::stdout;

use super::group::GroupArgs;
use crate::ctl::control::{Command, give};
use crate::ctl::look::{Fate, Look};
use crate::ctl::report::{listed, say, short};
use crate::ctl::{Error, ExitStatus};

pub(super) async fn run(args: &GroupArgs, command: Command) -> Result<ExitStatus, Error> {
    let look = args.last_roll().await?;
    if !matches!(look.fate, Fate::UnderWay | Fate::Paused) {
        return Err(not_under_way(args, &look));
    }
    order(args, &look, command)?;
    // In hand is what was in hand when the order was taken in.
    let story = args.last_roll().await?.story;
    let in_hand: Vec<&str> = story.in_hand().map(|it| short(&it.instance)).collect();
    let done = match command {
        Command::Abort => "ends",
        _ => "is paused",
    };
    let group = &look.told.header.group;
    say(
        stdout(),
        &match in_hand.as_slice() {
            [] => format!("{group}: the roll {done}"),
            names => format!("{group}: the roll {done}; {} will be finished first", listed(names)),
        },
    );
    Ok(ExitStatus::Serving)
}

/// Gives the order to the roll; from here on it holds.
pub(super) fn order(args: &GroupArgs, look: &Look, command: Command) -> Result<(), Error> {
    let group = &look.told.header.group;
    match give(args.manager.scope(), group, command) {
        Ok(true) => Ok(()),
        Ok(false) => Err(not_under_way(args, look)),
        Err(error) => Err(Error::Refused(format!(
            "the roll of {group} cannot be spoken to: {error}\n  next: sudo rollctl …"
        ))),
    }
}

fn not_under_way(args: &GroupArgs, look: &Look) -> Error {
    let (group, flag) = (&look.told.header.group, args.manager.scope().flag());
    Error::Refused(format!(
        "no roll of {group} is under way\n  next: rollctl status {flag}{}",
        args.group
    ))
}
