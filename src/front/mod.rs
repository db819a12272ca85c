//! The worker in front of any other app: `worker -- node server.js`.
//!
//! ```text
//! client ─► shared socket ─► worker ─► proxy ─► pool ─► the app, on a port or socket of its own
//!                              │
//!              starts it, waits until it is ready, ends it when the last request is done
//! ```
//!
//! The app needs no graceful code: it is told to go when nothing of a client's is in its hands.

mod answers;
mod app;
mod config;
mod download;
mod exchange;
mod head;
mod origin;
mod place;
mod pool;
mod process;
mod proxy;
mod ready;
mod stream;
mod trust;
mod tunnel;
mod upload;

use std::ffi::OsString;
use std::pin::pin;

pub use config::{BadReadiness, FrontConfig, Readiness};
pub use trust::{BadTrust, Trust};

use crate::worker::{Error, Outcome, Serving, Worker};
use app::App;
use exchange::Limits;
use proxy::Shared;
use tunnel::Tunnels;

/// Starts the app that `command` runs and serves it until a signal ends the worker.
///
/// # Errors
///
/// As [`Worker::run`]; also when the app cannot be started or ends by itself.
pub fn run(worker: Worker, config: FrontConfig, command: &[OsString]) -> Result<Outcome, Error> {
    worker.block_on(|worker| serve(worker, config, command))
}

async fn serve(
    worker: Worker,
    config: FrontConfig,
    command: &[OsString],
) -> Result<Outcome, Error> {
    let mut opened = worker.open()?;
    let mut app = App::start(config.clone(), command, &opened.connections).await?;
    let is_wanted = tokio::select! {
        ready = app.ready() => ready.map(|()| true)?,
        () = opened.signals.terminate() => false,
    };
    if !is_wanted {
        app.stop(&mut opened.signals).await;
        return Ok(Outcome::default());
    }
    let pool = app.pool().clone();
    tokio::spawn(pool.clone().sweep());
    let tunnels = Tunnels::new(opened.connections.clone(), config.tunnel_grace);
    let proxies = Shared { pool, limits: limits(&config), trust: config.trust.into(), tunnels };
    let mut serving = opened.serve(move |peer| proxies.for_peer(peer));

    let died = tokio::select! {
        () = serving.signals.terminate() => None,
        how = app.keep() => Some(how),
    };
    if let Some(how) = died {
        // Its connections are answered 502 by now; siblings serve what comes next.
        tracing::error!("the app {how}");
        serving.leave().await;
        return Err(Error::AppEnded(how));
    }
    let (outcome, died) = drain(&mut serving, &mut app).await;
    app.stop(&mut serving.signals).await;
    died.map_or(Ok(outcome), |how| Err(Error::AppEnded(how)))
}

/// Drains, and tells how the app died if it did so before the end of that.
async fn drain(serving: &mut Serving, app: &mut App) -> (Outcome, Option<String>) {
    let mut drain = pin!(serving.drain());
    tokio::select! {
        outcome = &mut drain => (outcome, None),
        how = app.keep() => {
            tracing::error!("the app {how} before its last request was answered");
            (drain.await, Some(how))
        }
    }
}

fn limits(config: &FrontConfig) -> Limits {
    let hold = if config.restart { config.hold } else { Default::default() };
    Limits { timeout: config.timeout, hold }
}
