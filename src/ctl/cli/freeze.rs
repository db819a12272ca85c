//! `rollctl freeze` and `rollctl thaw`.

use std::io::{self, stdout};

use clap::Args;

use super::group::GroupArgs;
use crate::ctl::frozen::{Frozen, freeze, thaw};
use crate::ctl::report::say;
use crate::ctl::{Error, ExitStatus};

#[derive(Debug, Args)]
pub(super) struct FreezeArgs {
    #[command(flatten)]
    of: GroupArgs,
    /// Say why: whoever wants to roll it is told
    #[arg(short, long = "message", value_name = "WHY")]
    message: String,
}

pub(super) fn run(args: &FreezeArgs) -> Result<ExitStatus, Error> {
    let (scope, group) = (args.of.manager.scope(), args.of.group.prefix());
    let frozen = Frozen::now(&args.message);
    freeze(scope, group, &frozen).map_err(|error| failed(&args.of, "frozen", &error))?;
    say(stdout(), &frozen.sentence(group));
    Ok(ExitStatus::Serving)
}

pub(super) fn run_thaw(args: &GroupArgs) -> Result<ExitStatus, Error> {
    let (scope, group) = (args.manager.scope(), args.group.prefix());
    let was = thaw(scope, group).map_err(|error| failed(args, "thawed", &error))?;
    let said = match was {
        Some(was) => format!("{group} is thawed; it was frozen by {}: {}", was.by, was.why),
        None => format!("{group} was not frozen"),
    };
    say(stdout(), &said);
    Ok(ExitStatus::Serving)
}

fn failed(args: &GroupArgs, what: &str, error: &io::Error) -> Error {
    let group = args.group.prefix();
    Error::Refused(format!("{group} was not {what}: {error}\n  next: sudo rollctl …"))
}
