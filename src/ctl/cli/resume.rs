//! `rollctl resume`: a paused roll goes on; of one that died or ended early, those not done.

use std::io::stdout;

use clap::{Args, Parser};

use super::args::{AskedArgs, Cli, Verb};
use super::group::GroupArgs;
use super::order::order;
use crate::ctl::control::Command;
use crate::ctl::look::{Fate, Look};
use crate::ctl::report::say;
use crate::ctl::restart::Resumed;
use crate::ctl::{self, Error, ExitStatus, Output};
use crate::span::Span;

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    pub(super) of: GroupArgs,
    /// Of those not done, only those started before their unit or their program last changed
    #[arg(long)]
    outdated: bool,
    /// Wait so long for another roll of the same group to end
    #[arg(long, value_name = "SPAN", default_value = "0")]
    lock_wait: Span,
    /// Tell what happens as JSON, an event a line
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Tell nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

pub(super) async fn run(args: &ResumeArgs) -> Result<ExitStatus, Error> {
    let look = args.of.last_roll().await?;
    let (group, number) = (&look.told.header.group, look.told.header.number);
    match look.fate {
        Fate::Paused => {
            order(&args.of, &look, Command::Resume)?;
            Ok(args.say(&format!("{group}: the roll goes on")))
        }
        Fate::UnderWay => {
            Ok(args.say(&format!("{group}: roll {number} is under way, and was not paused")))
        }
        Fate::Done => {
            Ok(args.say(&format!("{group}: roll {number} is done, nothing is left of it")))
        }
        Fate::Overtaken => Err(overtaken(args, &look)),
        Fate::Died | Fate::EndedEarly => go_on(args, &look).await,
    }
}

impl ResumeArgs {
    fn output(&self) -> Output {
        Output::of(self.json, self.quiet)
    }

    /// There is nothing to roll; and events are all that is told as JSON.
    fn say(&self, text: &str) -> ExitStatus {
        if self.output() == Output::Told {
            say(stdout(), text);
        }
        ExitStatus::Serving
    }
}

/// The same roll, as it was asked for, of those that are not done and of no others.
async fn go_on(args: &ResumeArgs, look: &Look) -> Result<ExitStatus, Error> {
    let header = &look.told.header;
    if look.story.all_are_new() {
        let (group, number) = (&header.group, header.number);
        return Ok(args.say(&format!("{group}: every instance of roll {number} is new and serves")));
    }
    let left = look.story.not_done().map(|it| it.instance.parse());
    // A roll that died before its first record had not chosen yet.
    let patterns = match look.story.instances.is_empty() {
        true => Ok(asked_for(&header.command).ok_or_else(|| unknown(look))?.patterns),
        false => left.collect::<Result<Vec<_>, _>>(),
    };
    let asked = asked_for(&header.command).ok_or_else(|| unknown(look))?;
    let mut request = asked.request(args.output());
    request.patterns = patterns.map_err(|bad| Error::Usage(format!("{bad}")))?;
    request.scope = args.of.manager.scope();
    request.outdated |= args.outdated;
    request.lock_wait = args.lock_wait.0;
    request.command.clone_from(&header.command);
    request.resumes = Some(Resumed { group: header.group.clone(), number: header.number });
    ctl::restart(&request).await
}

/// The options of the roll, read again from its own command line.
fn asked_for(command: &[String]) -> Option<AskedArgs> {
    match Cli::try_parse_from(command).ok()?.verb {
        Verb::Restart(args) => Some(args.asked),
        #[cfg(feature = "prove")]
        Verb::Prove(args) => Some(args.asked),
        _ => None,
    }
}

fn unknown(look: &Look) -> Error {
    let header = &look.told.header;
    Error::Refused(format!(
        "roll {} of {} was not begun by this rollctl: {}\n  next: rollctl restart …, as it was",
        header.number,
        header.group,
        header.command.join(" ")
    ))
}

fn overtaken(args: &ResumeArgs, look: &Look) -> Error {
    let (header, flag) = (&look.told.header, args.of.manager.scope().flag());
    Error::Refused(format!(
        "roll {} of {} was overtaken by a reboot: all were started anew since; nothing was \
         touched\n  next: rollctl restart {flag}{} --outdated",
        header.number, header.group, header.group
    ))
}
