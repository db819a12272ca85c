//! `rollctl list`.

use std::io::stdout;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;

use super::args::ListArgs;
use super::table;
use crate::ctl::gates::ask_health;
use crate::ctl::report::{say, short};
use crate::ctl::restart::connect;
use crate::ctl::select::{Depth, Group, Instance, all_groups, select};
use crate::ctl::{Error, ExitStatus, Scope};
use crate::span::Span;

const HEAD: [&str; 8] =
    ["INSTANCE", "STATE", "SINCE", "PID", "RESTARTS", "MEMORY", "VERSION", "HEALTH"];

pub(super) async fn run(args: &ListArgs) -> Result<ExitStatus, Error> {
    let scope = args.manager.scope();
    let systemd = connect(scope).await?;
    let groups = match args.patterns.is_empty() {
        true => all_groups(&systemd).await?,
        false => select(&systemd, Depth::Whole, &args.patterns).await?,
    };
    let rows = groups.iter().flat_map(|group| instances(group, args)).map(|it| row(scope, it));
    let mut rows = join_all(rows).await;
    rows.extend(groups.iter().flat_map(left_out));
    if rows.is_empty() {
        say(stdout(), "no group has an instance");
        return Ok(ExitStatus::Serving);
    }
    for line in table::lines(HEAD, &rows) {
        say(stdout(), &line);
    }
    Ok(ExitStatus::Serving)
}

/// Only what was named; without a name all.
fn instances<'a>(group: &'a Group, args: &ListArgs) -> Vec<&'a Instance> {
    match args.patterns.is_empty() {
        true => group.instances.iter().chain(&group.bystanders).collect(),
        false => group.instances.iter().collect(),
    }
}

async fn row(scope: Scope, instance: &Instance) -> [String; 8] {
    let state = &instance.state;
    let answer = match state.active.is_up() {
        true => ask_health(scope, instance).await,
        false => None,
    };
    let (version, health) = match answer {
        None => (none(), none()),
        Some(Err(why)) => (none(), why),
        Some(Ok(answer)) => {
            (answer.version.unwrap_or_else(none), answer.state.unwrap_or_else(none))
        }
    };
    [
        short(instance.unit.full()).to_owned(),
        format!("{} ({})", state.active, state.sub),
        instance.since.map_or_else(none, ago),
        state.main_pid.map_or_else(none, |pid| pid.to_string()),
        state.restarts.to_string(),
        instance.service.memory.map_or_else(none, bytes),
        version,
        health,
    ]
}

fn left_out(group: &Group) -> Vec<[String; 8]> {
    let rows = group.left_out.iter().map(|left| {
        let mut row = [const { String::new() }; 8];
        row[0] = short(&left.unit).to_owned();
        row[1] = left.why.clone();
        row
    });
    rows.collect()
}

fn none() -> String {
    "-".to_owned()
}

/// How long ago a moment of the wall clock was, in its two largest units.
fn ago(micros: u64) -> String {
    let then = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
    let passed = SystemTime::now().duration_since(then).unwrap_or_default();
    let grain = match passed.as_secs() {
        0..3600 => 1,
        3600..86_400 => 60,
        _ => 3600,
    };
    if passed.as_secs() == 0 {
        return "just now".to_owned();
    }
    format!("{} ago", Span(Duration::from_secs(passed.as_secs() / grain * grain)))
}

fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
