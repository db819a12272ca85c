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
    let ordered = order(args, &look, command);
    // It may have ended before it could answer.
    let look = args.last_roll().await?;
    let group = &look.told.header.group;
    match look.fate {
        Fate::UnderWay | Fate::Paused => ordered?,
        _ if command == Command::Abort => {
            say(stdout(), &format!("{group}: the roll has ended"));
            return Ok(ExitStatus::Serving);
        }
        _ => return Err(not_under_way(args, &look)),
    }
    say(stdout(), &what_follows(&look, command));
    Ok(ExitStatus::Serving)
}

/// In hand is what was in hand when the order was taken in.
fn what_follows(look: &Look, command: Command) -> String {
    let in_hand: Vec<&str> = look.story.in_hand().map(|it| short(&it.instance)).collect();
    let group = &look.told.header.group;
    let done = match command {
        Command::Abort => "ends",
        _ => "is paused",
    };
    match in_hand.as_slice() {
        [] => format!("{group}: the roll {done}"),
        names => format!("{group}: the roll {done}; {} will be finished first", listed(names)),
    }
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
