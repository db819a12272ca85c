//! What client and app say to each other once they have left HTTP: a WebSocket, or whatever else
//! they have agreed on.
//!
//! ```text
//! client ◄─► [ up: frames counted ─► buffer ] ◄─► app
//!            [ buffer ◄─ frames counted :down ]
//!
//! drain: a WebSocket is closed by 1001 after the grace; all else lives until the deadline
//! ```
//!
//! The client's stream keeps its place in the worker's books until it is dropped here, and the
//! worker cuts it at the deadline.

mod frames;
mod goodbye;
mod lane;
mod pump;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::header::{HeaderMap, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::sleep;

use crate::worker::Connections;
use pump::Pump;

/// What the two ends of a tunnel speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    WebSocket,
    Other,
}

impl Kind {
    /// As the response says that accepts the upgrade.
    fn of(headers: &HeaderMap) -> Self {
        match headers.get(UPGRADE) {
            Some(name) if name.as_bytes().eq_ignore_ascii_case(b"websocket") => Self::WebSocket,
            _ => Self::Other,
        }
    }
}

/// All tunnels of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Tunnels {
    connections: Arc<Connections>,
    grace: Duration,
}

impl Tunnels {
    /// Tunnels that are kept for `grace` in the drain.
    pub(crate) fn new(connections: Arc<Connections>, grace: Duration) -> Self {
        Self { connections, grace }
    }

    /// Opens a tunnel between the client whose upgrade is `client` and the app whose response with
    /// status 101 is `response`, as soon as that has reached the client.
    pub(crate) fn open<B>(&self, client: OnUpgrade, response: &mut Response<B>) {
        let kind = Kind::of(response.headers());
        let app = hyper::upgrade::on(response);
        tokio::spawn(self.clone().carry(client, app, kind));
    }

    async fn carry(self, client: OnUpgrade, app: OnUpgrade, kind: Kind) {
        let (client, app) = match tokio::try_join!(client, app) {
            Ok((client, app)) => (TokioIo::new(client), TokioIo::new(app)),
            Err(error) => return tracing::debug!("no tunnel: {error}"),
        };
        let mut pump = Pump::new(client, app, kind);
        let carried = pump.run(self.farewell());
        // The client's stream is cut by then; this is for an app that neither reads nor writes.
        if self.connections.deadline.run_until_cancelled(carried).await == Some(true) {
            self.connections.metrics.going_away.inc();
        }
    }

    /// Returns when it is time for one WebSocket to be told.
    async fn farewell(&self) {
        self.connections.draining.cancelled().await;
        sleep(goodbye::wait(self.grace, self.connections.time_left(), fastrand::f64())).await;
    }
}
