//! Leaving without dropping a request.
//!
//! ```text
//! SIGTERM ─► Draining ──linger──► LingerOver ──drain timeout, second SIGTERM──► Deadline
//!               └───────────────────────┴── no connection left ──► Outcome ◄───────┘
//! ```

use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::accept::Accepting;
use super::connections::{Connections, Phase};
use super::{Config, Error};

/// How long all connections together have for their last answers and closes after the deadline.
const FAREWELLS_LIMIT: Duration = Duration::from_secs(5);

/// What became of the connections that were open when the worker was told to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Connections that were open at SIGTERM and have ended since.
    pub drained: u64,
    /// Those of them that a sibling has taken over.
    pub moved: u64,
    /// Those of them that were left with systemd for the next run of the unit.
    pub parked: u64,
    /// Those of them that were closed idle when the linger time was over.
    pub lingered: u64,
    /// Connections on which bytes arrived after we had closed them.
    pub lost: u64,
    /// Requests that were refused or cut at the deadline, and tunnels that were cut then.
    pub cut: u64,
    /// WebSockets of a fronted app that were closed with 1001.
    pub going_away: u64,
}

impl Outcome {
    /// 0, or 3 when requests or tunnels were cut.
    pub fn exit_code(&self) -> ExitCode {
        if self.cut > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS }
    }
}

impl Termination for Outcome {
    fn report(self) -> ExitCode {
        self.exit_code()
    }
}

/// The two signals that ask a worker to go.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(Error::Signals);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for SIGTERM or SIGINT.
    pub(crate) async fn terminate(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Serves what was accepted to its end, or to the deadline. Who comes in the meantime is refused, and
/// holds nothing up.
pub(crate) async fn run(
    config: &Config,
    connections: &Arc<Connections>,
    accepting: &mut Accepting,
    signals: &mut Signals,
) -> Outcome {
    let mut deadline = Instant::now() + config.drain_timeout;
    let linger_end = (Instant::now() + connections.linger()).min(deadline);
    loop {
        let (until, next) = match connections.phase() {
            Phase::Serving | Phase::Draining => (linger_end, Some(Phase::LingerOver)),
            Phase::LingerOver => (deadline, Some(Phase::Deadline)),
            Phase::Deadline => (deadline + FAREWELLS_LIMIT, None),
        };
        tokio::select! {
            () = connections.old_closed(), if !accepting.is_over() => accepting.end().await,
            () = connections.all_closed(), if accepting.is_over() => break,
            () = sleep_until(until) => match next {
                Some(phase) => connections.advance(phase),
                None => break,
            },
            () = signals.terminate(), if next.is_some() => {
                tracing::warn!("told to go a second time: cutting what is in flight");
                deadline = Instant::now();
                connections.advance(Phase::Deadline);
            }
        }
    }
    accepting.end().await;
    outcome(connections)
}

fn outcome(connections: &Connections) -> Outcome {
    let metrics = &connections.metrics;
    let outcome = Outcome {
        drained: metrics.drained.get(),
        moved: metrics.moved.get(),
        parked: metrics.parked.get(),
        lingered: metrics.lingered.get(),
        lost: metrics.lost.get(),
        cut: metrics.cut.get(),
        going_away: metrics.going_away.get(),
    };
    let Outcome { drained, moved, parked, lingered, lost, cut, going_away } = outcome;
    tracing::info!(
        drained,
        moved,
        parked,
        lingered,
        lost,
        cut,
        going_away,
        "drained {drained} connections: {lingered} lingered, {lost} lost, {cut} requests cut, \
         {going_away} WebSockets closed, {moved} moved, {parked} parked"
    );
    outcome
}
