//! `rollctl restart`: the whole story of a roll.

use std::time::Duration;

use super::driver::Edge;
use super::error::Error;
use super::exit::ExitStatus;
use super::frozen;
use super::gates::Gates;
use super::hooks::Hooks;
use super::lock::Lock;
use super::log::{Shelf, roll_id};
use super::one_roll::{self, OneRoll};
use super::orders::Orders;
use super::pattern::InstancePattern;
use super::policy::Settings;
use super::reload;
use super::report::Output;
use super::scope::Scope;
use super::select::{Depth, Group, Instance, select};
use super::systemd::Systemd;
#[cfg(feature = "prove")]
use crate::roll::Event;

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
    /// Whether only those are meant that were started before they last changed.
    pub outdated: bool,
    /// How long to wait for a roll of the same group to end.
    pub lock_wait: Duration,
    /// Who is told.
    pub output: Output,
    /// The command line that asks for it: kept in the event log, to go on after a death.
    pub command: Vec<String>,
    /// The roll that this one goes on with.
    pub resumes: Option<Resumed>,
}

/// A roll that another goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Its group.
    pub group: String,
    /// Its number among those of the group.
    pub number: u64,
}

/// Rolls the groups one after the other, until all serve or one does not come back.
///
/// # Errors
///
/// When there is nothing to roll, or it may not be rolled; nothing was touched then.
pub async fn restart(request: &Request) -> Result<ExitStatus, Error> {
    match Ready::prepare(request).await? {
        Some(mut ready) => ready.roll().await,
        None => Ok(ExitStatus::Serving),
    }
}

/// Rolls that may begin: all that could refuse them was asked, and their locks are held.
pub(super) struct Ready<'a> {
    request: &'a Request,
    systemd: Systemd,
    groups: Vec<Group>,
    rolls: Vec<OneRoll>,
    orders: Orders,
    _locks: Vec<Lock>,
}

impl<'a> Ready<'a> {
    /// Everything that comes before the first step; `None` where there is nothing to roll, and that
    /// is well.
    pub(super) async fn prepare(request: &'a Request) -> Result<Option<Self>, Error> {
        let systemd = connect(request.scope).await?;
        let groups = choose(&systemd, request).await?;
        if groups.is_empty() {
            return Ok(None);
        }
        if !groups.iter().any(Group::needs_reload) {
            rolls(&groups, request)?;
        }
        let (locks, groups) = lock(&systemd, groups, request).await?;
        request.resumes.iter().try_for_each(|resumed| still_to_resume(resumed, request.scope))?;
        let mut groups = reload::if_needed(&systemd, groups, request).await?;
        for group in &mut groups {
            group.read_dependents(&systemd).await?;
        }
        let rolls = rolls(&groups, request)?;
        let orders = Orders::take(request.is_attended).map_err(no_signals)?;
        Ok(Some(Self { request, systemd, groups, rolls, orders, _locks: locks }))
    }

    /// The rolls themselves.
    pub(super) async fn roll(&mut self) -> Result<ExitStatus, Error> {
        for (at, roll) in std::mem::take(&mut self.rolls).into_iter().enumerate() {
            let (group, not_begun) = (&self.groups[at], &self.groups[at + 1..]);
            let (systemd, orders) = (&self.systemd, &mut self.orders);
            let outcome =
                one_roll::walk(systemd, group, not_begun, roll, orders, self.request).await?;
            let status = ExitStatus::from(&outcome);
            if status != ExitStatus::Serving {
                return Ok(status);
            }
            if self.orders.is_to_end() && !not_begun.is_empty() {
                return Err(interrupted(not_begun));
            }
        }
        Ok(ExitStatus::Serving)
    }
}

#[cfg(feature = "prove")]
impl Ready<'_> {
    /// The names of the groups.
    pub(super) fn groups(&self) -> Vec<String> {
        self.groups.iter().map(|group| group.name.clone()).collect()
    }

    /// Waits, while no roll is under way, until somebody wants it to end; other orders are for rolls.
    pub(super) async fn interrupted(&mut self) {
        loop {
            if let Event::Interrupted | Event::Abort { .. } = self.orders.next().await.event {
                return;
            }
        }
    }
}

/// The groups with those instances that are to be rolled; not those of which there are none.
pub(super) async fn choose(systemd: &Systemd, request: &Request) -> Result<Vec<Group>, Error> {
    let depth = if request.outdated { Depth::Whole } else { Depth::Roll };
    let mut groups = select(systemd, depth, &request.patterns).await?;
    if request.outdated {
        groups.iter_mut().for_each(Group::keep_outdated);
        let (some, none): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| !group.instances.is_empty());
        none.iter().for_each(|group| request.output.say_all_is_recent(group));
        groups = some;
    }
    // Plain units are named together: what is left of them is the same group still.
    if let Some(resumed) = &request.resumes {
        groups.iter_mut().for_each(|group| group.name.clone_from(&resumed.group));
    }
    Ok(groups)
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
        frozen::check(request.scope, name)?;
        locks.push(Lock::take(request.scope, name, request.lock_wait).await?);
        // Or it was frozen while we waited.
        frozen::check(request.scope, name)?;
    }
    // Another roll may have changed what was read before.
    match locks.iter().any(|lock| lock.had_to_wait) {
        true => Ok((locks, choose(systemd, request).await?)),
        false => Ok((locks, groups)),
    }
}

/// Whoever waited for the lock to go on with a roll may find that another did.
fn still_to_resume(resumed: &Resumed, scope: Scope) -> Result<(), Error> {
    let Resumed { group, number } = resumed;
    // A log that cannot be read cannot be written either, and that is refused next.
    let numbers = Shelf::of(scope, group).numbers().unwrap_or_default();
    match numbers.last() {
        Some(last) if last > number => Err(Error::Refused(format!(
            "another went on with roll {number} of {group} meanwhile; nothing was touched\n  \
             next: rollctl status {}{group}",
            scope.flag(),
        ))),
        _ => Ok(()),
    }
}

fn rolls(groups: &[Group], request: &Request) -> Result<Vec<OneRoll>, Error> {
    let roll = |group: &Group| {
        let mut policies = group.policies(&request.settings)?;
        let gates = Gates::of(group, &policies)?;
        let plan = group.plan(&policies, request.is_attended)?;
        let warnings = std::mem::take(&mut policies.warnings);
        let id = roll_id();
        let hooks = Hooks::of(group, policies, id.clone());
        let of = |it: &Instance| (it.unit.full().to_owned(), it.dependents.clone());
        let dependents = group.instances.iter().map(of).collect();
        Ok(OneRoll { id, plan, edge: Edge { gates, hooks, dependents }, warnings })
    };
    groups.iter().map(roll).collect()
}

fn interrupted(not_begun: &[Group]) -> Error {
    let names: Vec<&str> = not_begun.iter().map(|group| group.name.as_str()).collect();
    let (all, flag) = (names.join(" "), not_begun[0].scope.flag());
    Error::Interrupted(format!(
        "interrupted: what was begun is new and serves, {all} was not begun\n  \
         next: rollctl restart {flag}{all}"
    ))
}

fn no_signals(error: std::io::Error) -> Error {
    Error::Refused(format!("cannot listen for signals: {error}; nothing was touched"))
}
