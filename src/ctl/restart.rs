//! `rollctl restart`: the whole story of a roll.

use std::time::Duration;

use super::driver::drive;
use super::error::Error;
use super::exit::ExitStatus;
use super::gates::Gates;
use super::hooks::Hooks;
use super::journal;
use super::lock::Lock;
use super::pattern::InstancePattern;
use super::policy::Settings;
use super::reload;
use super::report::{Ending, Output, roll_id};
use super::scope::Scope;
use super::select::{Group, select};
use super::signals::Signals;
use super::systemd::Systemd;
use crate::roll::{Moment, Plan, Record};

/// What is wanted of a roll.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which manager.
    pub scope: Scope,
    /// Which instances.
    pub patterns: Vec<InstancePattern>,
    /// What the command line says of how it walks.
    pub settings: Settings,
    /// Whether somebody is there to be asked.
    pub is_attended: bool,
    /// How long to wait for a roll of the same group to end.
    pub lock_wait: Duration,
    /// Who is told.
    pub output: Output,
}

/// Rolls the groups one after the other, until all serve or one does not come back.
///
/// # Errors
///
/// When there is nothing to roll, or it may not be rolled; nothing was touched then.
pub async fn restart(request: &Request) -> Result<ExitStatus, Error> {
    let systemd = connect(request.scope).await?;
    let groups = select(&systemd, &request.patterns).await?;
    if !groups.iter().any(Group::needs_reload) {
        rolls(&groups, request)?;
    }
    let (_locks, groups) = lock(&systemd, groups, request).await?;
    let groups = reload::if_needed(&systemd, groups, &request.patterns).await?;
    let rolls = rolls(&groups, request)?;
    let mut signals = Signals::take().map_err(no_signals)?;
    for (at, roll) in rolls.into_iter().enumerate() {
        let (group, not_begun) = (&groups[at], &groups[at + 1..]);
        let mut report = request.output.begin(group);
        for text in roll.warnings {
            report.record(Moment::default(), &Record::Note { instance: None, text });
        }
        let Roll { plan, gates, hooks, .. } = roll;
        let outcome = drive(systemd.clone(), plan, gates, hooks, &mut signals, &mut *report).await;
        let last_words = journal::last_words(request.scope, &outcome).await;
        report.end(&Ending { group, outcome: &outcome, last_words, not_begun });
        let status = ExitStatus::from(&outcome);
        if status != ExitStatus::Serving {
            return Ok(status);
        }
    }
    Ok(ExitStatus::Serving)
}

/// Connects, or says what to type.
pub(super) async fn connect(scope: Scope) -> Result<Systemd, Error> {
    let connected = Systemd::connect(scope).await;
    connected.map_err(|source| Error::Systemd {
        doing: "cannot reach systemd".to_owned(),
        source,
        next: match scope {
            Scope::System => "systemctl is-system-running; for your own units: rollctl --user …",
            Scope::User => "systemctl --user status; after su or sudo: loginctl enable-linger USER",
        }
        .to_owned(),
    })
}

/// Takes the lock of every group before the first step of any, in an order that all rolls share.
async fn lock(
    systemd: &Systemd,
    groups: Vec<Group>,
    request: &Request,
) -> Result<(Vec<Lock>, Vec<Group>), Error> {
    let mut names: Vec<&str> = groups.iter().flat_map(Group::lock_names).collect();
    names.sort_unstable();
    names.dedup();
    let mut locks = Vec::new();
    for name in names {
        locks.push(Lock::take(request.scope, name, request.lock_wait).await?);
    }
    // Another roll may have changed what was read before.
    match locks.iter().any(|lock| lock.had_to_wait) {
        true => Ok((locks, select(systemd, &request.patterns).await?)),
        false => Ok((locks, groups)),
    }
}

/// All that is needed to roll one group.
struct Roll {
    plan: Plan,
    gates: Gates,
    hooks: Hooks,
    warnings: Vec<String>,
}

fn rolls(groups: &[Group], request: &Request) -> Result<Vec<Roll>, Error> {
    let roll = |group: &Group| {
        let mut policies = group.policies(&request.settings)?;
        let gates = Gates::of(group, &policies)?;
        let plan = group.plan(&policies, request.is_attended)?;
        let warnings = std::mem::take(&mut policies.warnings);
        Ok(Roll { plan, gates, hooks: Hooks::of(group, policies, roll_id()), warnings })
    };
    groups.iter().map(roll).collect()
}

fn no_signals(error: std::io::Error) -> Error {
    Error::Refused(format!("cannot listen for signals: {error}; nothing was touched"))
}
