//! What an administrator should know before a roll: settings that make it say too much or risk it.

use std::time::Duration;

use super::gates::{Gates, Health};
use super::policy::Policies;
use super::report::{listed, short};
use super::select::{Group, Instance};
use crate::roll::Plan;

/// The warnings for a group, one sentence each.
pub fn advice(group: &Group, plan: &Plan, gates: &Gates, policies: &Policies) -> Vec<String> {
    let all = [
        not_ready(group, gates),
        poisoned_socket(group),
        nobody_else(group),
        early_start(group, plan),
        one_for_all(group, policies),
        unseen_listener(group, gates),
        socket_down(group),
        unread_files(group),
    ];
    policies.warnings.iter().cloned().chain(all.into_iter().flatten()).collect()
}

fn not_ready(group: &Group, gates: &Gates) -> Option<String> {
    let is_asked =
        |it: &Instance| gates.of_instance(it.unit.full()).is_some_and(|g| g.asks_health());
    let silent = group.instances.iter().filter(|it| !it.says_ready() && !is_asked(it));
    let names = names(silent)?;
    Some(format!(
        "{names}: started is taken for ready, for the service does not say when it is \
         (Type=notify) and no health is asked (--health URL)"
    ))
}

/// Measured: a crash loop of one instance at its start limit fails the socket that all share.
fn poisoned_socket(group: &Group) -> Option<String> {
    let shared = group.sockets.iter().find(|socket| socket.is_shared)?;
    let limited = group.instances.iter().filter(|it| {
        it.service.start_limit_interval != Some(Duration::ZERO) && it.sockets.contains(&shared.unit)
    });
    let names = names(limited)?;
    Some(format!(
        "{names}: at the start limit of one instance systemd fails {} for all \
         (set StartLimitIntervalSec=0 in [Unit])",
        shared.unit
    ))
}

fn nobody_else(group: &Group) -> Option<String> {
    let [only] = group.instances.as_slice() else { return None };
    if !group.bystanders.is_empty() || !only.state.active.is_up() {
        return None;
    }
    let queue = group.sockets.iter().any(|socket| socket.is_active && !socket.accepts);
    let meanwhile = if queue { "connections wait in the socket" } else { "nobody answers" };
    Some(format!("{} is alone: while it restarts {meanwhile}", short(only.unit.full())))
}

fn early_start(group: &Group, plan: &Plan) -> Option<String> {
    let pauses = |it: &&Instance| {
        let members = plan.members().iter();
        let mut pausing = members.filter(|member| !member.turn.stop_pause.is_zero());
        pausing.any(|member| member.unit == it.unit.full())
    };
    let own = |it: &&Instance| {
        group.sockets.iter().any(|socket| !socket.is_shared && it.sockets.contains(&socket.unit))
    };
    let names = names(group.instances.iter().filter(own).filter(pauses))?;
    Some(format!(
        "{names}: has a socket of its own, so that traffic may start it before the stop-pause ends"
    ))
}

fn one_for_all(group: &Group, policies: &Policies) -> Option<String> {
    let first = group.instances.first()?;
    let Health::Url(url) = policies.health_of(first.unit.full()) else { return None };
    let is_one = group.instances.len() + group.bystanders.len() > 1 && !url.names_the_instance();
    is_one.then(|| format!("--health {url} is the same for all: one could answer for another (%i)"))
}

fn unseen_listener(group: &Group, gates: &Gates) -> Option<String> {
    let unseen = group.instances.iter().filter(|it| {
        let pid = it.state.main_pid.filter(|_| it.state.active.is_up());
        let gates = gates.of_instance(it.unit.full());
        gates.is_some_and(|g| g.listeners.iter().any(|listener| !listener.can_be_checked(pid)))
    });
    let names = names(unseen)?;
    Some(format!("{names}: cannot be looked into for the listening socket, so that gate is open"))
}

fn socket_down(group: &Group) -> Option<String> {
    let down = group.sockets.iter().find(|socket| socket.is_needed && !socket.is_active)?;
    Some(format!("{} is not active: restart would refuse", down.unit))
}

fn unread_files(group: &Group) -> Option<String> {
    let names = names(group.instances.iter().filter(|it| it.needs_reload))?;
    Some(format!("{names}: changed on disk, so that restart would first daemon-reload"))
}

fn names<'a>(instances: impl Iterator<Item = &'a Instance>) -> Option<String> {
    let names: Vec<&str> = instances.map(|it| short(it.unit.full())).collect();
    (!names.is_empty()).then(|| listed(&names))
}
