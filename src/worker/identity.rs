//! Who this worker is: what the health check, the metrics and the built-in page say of it.

use std::env;
use std::sync::Arc;
use std::time::SystemTime;

use super::Config;
use super::connections::Connections;

/// The names of one run of one instance.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) instance: String,
    pub(crate) invocation: String,
    pub(crate) version: String,
    pub(crate) started: SystemTime,
}

impl Identity {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            instance: config.instance.clone(),
            // systemd gives every start of a unit its own id: how rollctl knows new from old.
            invocation: env::var("INVOCATION_ID").unwrap_or_else(|_| "-".to_owned()),
            version: config.version.clone(),
            started: SystemTime::now(),
        }
    }
}

/// Who a worker is and what it has done so far.
#[derive(Clone, Debug)]
pub struct About {
    connections: Arc<Connections>,
}

impl About {
    pub(crate) fn new(connections: Arc<Connections>) -> Self {
        Self { connections }
    }

    /// The name of the instance: `1` of `worker@1.service`.
    pub fn instance(&self) -> &str {
        &self.connections.identity.instance
    }

    /// systemd's id of this start of the unit; `-` outside systemd.
    pub fn invocation(&self) -> &str {
        &self.connections.identity.invocation
    }

    /// The version that the health check reports.
    pub fn version(&self) -> &str {
        &self.connections.identity.version
    }

    /// When it was started.
    pub fn started(&self) -> SystemTime {
        self.connections.identity.started
    }

    /// Returns once the worker has been told to go: the time for an app to end by itself what
    /// HTTP does not, such as its WebSockets. What it leaves open is cut at the drain deadline.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        self.connections.draining.clone().cancelled_owned()
    }

    /// Requests that were answered or cut so far.
    pub fn requests_served(&self) -> u64 {
        self.connections.metrics.requests_finished()
    }
}
