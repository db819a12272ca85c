//! `rollctl status`: the last roll of a group, under way or over, and what to type next.

use std::io::stdout;

use futures_util::future::join_all;
use serde::Serialize;

use super::group::{OnRecordArgs, last, shelves};
use super::table;
use crate::ctl::frozen::frozen;
use crate::ctl::log::Header;
use crate::ctl::look::{Fate, Look};
use crate::ctl::report::{listed, say, short};
use crate::ctl::systemd::Systemd;
use crate::ctl::{Error, ExitStatus, InstancePattern, Scope};
use crate::roll::{Chapter, Failure, Outcome, Phase};
use crate::span::Span;

pub(super) async fn run(args: &OnRecordArgs) -> Result<ExitStatus, Error> {
    let scope = args.manager.scope();
    let systemd = Systemd::connect(scope).await.ok();
    let mut told = usize::from(tell_frozen(args, scope));
    let mut hidden = None;
    for shelf in shelves(args.group.as_ref(), scope)? {
        match last(scope, &shelf).await {
            // Of all groups, those are told that may be read.
            Err(error) if args.group.is_none() => hidden = Some(error),
            look => {
                if let Some(look) = look? {
                    told += 1;
                    tell(&look, systemd.as_ref(), scope, args.json).await;
                }
            }
        }
    }
    match (told, &args.group) {
        (0, None) if let Some(error) = hidden => Err(error),
        (0, Some(group)) => Err(Error::NoRoll { group: group.to_string(), scope }),
        (0, None) => {
            say(stdout(), "no roll is on record");
            Ok(ExitStatus::Serving)
        }
        _ => Ok(ExitStatus::Serving),
    }
}

async fn tell(look: &Look, systemd: Option<&Systemd>, scope: Scope, json: bool) {
    if json {
        return tell_json(look, scope);
    }
    say(stdout(), &sentence(look));
    let rows = join_all(look.story.instances.iter().map(|it| row(systemd, it))).await;
    for line in table::lines(["INSTANCE", "PHASE", "NOW", ""], &rows) {
        say(stdout(), &format!("  {line}"));
    }
    // What was said at its end, without what the rows above say.
    let word = look.story.last_word.iter().filter(|_| look.fate == Fate::EndedEarly);
    for line in word.flat_map(|word| word.text.iter().skip(1)) {
        say(stdout(), &format!("  {line}"));
    }
    for next in next(look, scope) {
        say(stdout(), &format!("  next: {next}"));
    }
}

/// An instance as the log leaves it, and as systemd has it now.
async fn row(systemd: Option<&Systemd>, it: &Chapter) -> [String; 4] {
    let now = match systemd {
        Some(systemd) => systemd.properties(&it.instance).await.ok(),
        None => None,
    };
    let now = now.map_or_else(|| "-".to_owned(), |unit| unit.state().active.to_string());
    let why = it.failure.as_ref().map(Failure::to_string).or_else(|| it.note.clone());
    [short(&it.instance).to_owned(), it.phase.to_string(), now, why.unwrap_or_default()]
}

/// Whether the group that was named is frozen, which needs no roll; it is said, if so.
fn tell_frozen(args: &OnRecordArgs, scope: Scope) -> bool {
    let Some(group) = args.group.as_ref().map(InstancePattern::prefix) else { return false };
    let frozen = frozen(scope, group).ok().flatten().filter(|_| !args.json);
    frozen.iter().for_each(|it| say(stdout(), &it.sentence(group)));
    frozen.is_some()
}

/// A roll, for machines.
pub(super) fn tell_json(look: &Look, scope: Scope) {
    if let Ok(text) = serde_json::to_string(&View::of(look, scope)) {
        say(stdout(), &text);
    }
}

/// What has become of it, in one line.
pub(super) fn sentence(look: &Look) -> String {
    let Header { group, number, pid, time, .. } = &look.told.header;
    let roll = format!("{group}: roll {number}");
    let serving = look.story.instances.len() - look.story.not_done().count();
    let done = format!("{serving} of {} are new and serving", look.story.instances.len());
    let since = format!("since {}", time.split('.').next().unwrap_or(time).replace('T', " "));
    let in_hand: Vec<String> = look
        .story
        .in_hand()
        .map(|it| format!("{} was {}", short(&it.instance), it.phase))
        .collect();
    match look.fate {
        Fate::UnderWay => format!("{roll} is under way {since} (process {pid}): {done}"),
        Fate::Paused => {
            let by = look.story.paused_by.as_deref().unwrap_or_default();
            format!("{roll} is paused by {by} (process {pid}): {done}")
        }
        Fate::Done => format!("{roll} is done: {done}"),
        Fate::EndedEarly => format!("{roll} ended early: {done}"),
        Fate::Overtaken => format!("{roll} was overtaken by a reboot: all were started anew since"),
        Fate::Died if in_hand.is_empty() => {
            format!("{roll} died (process {pid} is gone): {done}")
        }
        Fate::Died => {
            let names: Vec<&str> = in_hand.iter().map(String::as_str).collect();
            format!("{roll} died (process {pid} is gone) while {}: {done}", listed(&names))
        }
    }
}

fn next(look: &Look, scope: Scope) -> Vec<String> {
    let (flag, group) = (scope.flag(), &look.told.header.group);
    let about = group.split(' ').next().unwrap_or(group);
    let verb = |verb: &str| format!("rollctl {verb} {flag}{about}");
    match look.fate {
        Fate::UnderWay => vec![format!("{}, or pause, or abort", verb("attach"))],
        Fate::Paused => vec![format!("{}, or abort", verb("resume"))],
        Fate::Done => Vec::new(),
        Fate::Overtaken => vec![format!("{} --outdated", verb("restart"))],
        // Something else went wrong, such as the hook at the end: it is told above.
        _ if look.story.all_are_new() => vec![verb("list")],
        Fate::EndedEarly | Fate::Died => vec![verb("resume")],
    }
}

/// The same for machines.
#[derive(Serialize)]
struct View<'a> {
    fate: Fate,
    number: u64,
    roll: &'a str,
    group: &'a str,
    began: &'a str,
    pid: u32,
    instances: Vec<Row<'a>>,
    paused_by: Option<&'a str>,
    outcome: Option<&'a Outcome>,
    next: Vec<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    instance: &'a str,
    phase: Phase,
    since: String,
    failure: Option<&'a Failure>,
}

impl<'a> View<'a> {
    fn of(look: &'a Look, scope: Scope) -> Self {
        let Header { number, roll, group, time, pid, .. } = &look.told.header;
        let row = |it: &'a Chapter| Row {
            instance: &it.instance,
            phase: it.phase,
            since: Span(it.since).to_string(),
            failure: it.failure.as_ref(),
        };
        Self {
            fate: look.fate,
            number: *number,
            roll,
            group,
            began: time,
            pid: *pid,
            instances: look.story.instances.iter().map(row).collect(),
            paused_by: look.story.paused_by.as_deref(),
            outcome: look.story.outcome.as_ref(),
            next: next(look, scope),
        }
    }
}
