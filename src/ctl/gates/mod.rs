//! The gates: whether an instance that says it is ready tells the truth.
//!
//! ```text
//! sockets active ─► listening socket held ─► health ─► passed
//!      └ never           └ not yet             └ not yet
//! ```
//!
//! Instances share one port, so a sibling could answer for the one that is asked: the listener is
//! looked up by its inode in the instance's own processes, and health is asked at the instance's
//! own address and must name its run.

mod health;
mod http;
mod listener;
mod url;

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::Error;
use super::policy::Policies;
use super::select::{Group, Instance, Socket};
use super::systemd::Systemd;
use crate::roll::{Invocation, Verdict};

pub use health::{Answer, Check, Health, Probe, ask_health};
pub use listener::Listener;
pub use url::{HealthUrl, Target};

/// What the heart wants to know of one instance.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The instance.
    pub(super) unit: String,
    /// The run that must answer.
    pub(super) invocation: Invocation,
    /// Its main process.
    pub(super) main_pid: Option<u32>,
    /// Nobody waits for the answer any longer.
    pub(super) within: Duration,
    /// What a command is told.
    pub(super) environment: Vec<(&'static str, String)>,
}

/// The gates of every instance of a group.
#[derive(Debug)]
pub struct Gates {
    sockets: Vec<String>,
    instances: BTreeMap<String, InstanceGates>,
}

/// The gates of one instance, as `plan` shows them.
#[derive(Clone, Debug)]
pub struct InstanceGates {
    /// The listeners that it must hold.
    pub listeners: Vec<Listener>,
    /// Where its health is asked.
    pub probe: Option<Probe>,
}

impl Gates {
    /// The gates that fit the group.
    ///
    /// # Errors
    ///
    /// When the health URL does not come out as an address for one of the instances.
    pub fn of(group: &Group, policies: &Policies) -> Result<Self, Error> {
        let everyone = group.instances.iter().chain(&group.bystanders);
        let has_admin_sockets =
            everyone.clone().any(|it| health::has_admin_socket(group.scope, it));
        let gates = |it: &Instance| {
            let health = policies.health_of(it.unit.full());
            let probe = health.probe(group.scope, it, has_admin_sockets)?;
            let own = group.sockets.iter().filter(|socket| it.sockets.contains(&socket.unit));
            let listeners = own.filter(|socket| !socket.accepts).filter_map(Listener::of);
            let listeners = listeners.collect();
            Ok((it.unit.full().to_owned(), InstanceGates { listeners, probe }))
        };
        let instances = group.instances.iter().map(gates).collect::<Result<_, Error>>()?;
        Ok(Self { sockets: group.needed_sockets(), instances })
    }

    /// The sockets that must be active throughout.
    pub fn needed_sockets(&self) -> &[String] {
        &self.sockets
    }

    /// The gates of one instance.
    pub fn of_instance(&self, unit: &str) -> Option<&InstanceGates> {
        self.instances.get(unit)
    }

    /// Asks every gate; `None` when systemd could not be asked.
    pub(super) async fn probe(&self, systemd: &Systemd, question: &Question) -> Option<Verdict> {
        let Some(gates) = self.instances.get(&question.unit) else { return Some(Verdict::Passed) };
        if let Some(down) = self.socket_down(systemd).await? {
            return Some(Verdict::NoSocket(down));
        }
        for listener in &gates.listeners {
            if !listener.is_held(systemd, question).await? {
                let why = format!("it does not hold the listening socket of {}", listener.socket);
                return Some(Verdict::NotYet(why));
            }
        }
        match &gates.probe {
            Some(probe) => Some(probe.ask(question).await),
            None => Some(Verdict::Passed),
        }
    }

    async fn socket_down(&self, systemd: &Systemd) -> Option<Option<String>> {
        for unit in &self.sockets {
            let state = systemd.properties(unit).await.ok()?.state();
            if !state.active.is_up() {
                return Some(Some(format!("{unit} is {} ({})", state.active, state.result)));
            }
        }
        Some(None)
    }
}

impl InstanceGates {
    /// Whether its health is sure to be asked.
    pub fn asks_health(&self) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.is_required)
    }

    /// The gates, in the order in which they are asked.
    pub fn names(&self) -> Vec<String> {
        let listeners = self.listeners.iter().map(|it| format!("listener of {}", it.socket));
        let health = self.probe.iter().map(ToString::to_string);
        ["job".to_owned(), "new run".to_owned()]
            .into_iter()
            .chain(listeners)
            .chain(health)
            .collect()
    }
}

impl Listener {
    fn of(socket: &Socket) -> Option<Self> {
        Self::new(&socket.unit, &socket.listen)
    }
}
