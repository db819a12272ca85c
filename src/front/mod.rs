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
mod clock;
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
use std::sync::Arc;

pub use config::{BadReadiness, FrontConfig, Readiness};
pub use trust::{BadTrust, Trust};

use crate::worker::{Error, Outcome, Serving, Signals, Worker};
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
    worker.block_on(|worker| async {
        match config.pass_sockets {
            true => supervise(worker, config, command).await,
            false => serve(worker, config, command).await,
        }
    })
}

async fn serve(
    worker: Worker,
    config: FrontConfig,
    command: &[OsString],
) -> Result<Outcome, Error> {
    let mut opened = worker.open()?;
    let (mut app, pool) = App::start(config.clone(), command, &opened.connections).await?;
    if !is_ready(&mut app, &mut opened.signals).await? {
        app.stop(config.grace, &mut opened.signals).await;
        return Ok(Outcome::default());
    }
    tokio::spawn(pool.clone().sweep());
    let tunnels = Tunnels::new(opened.connections.clone(), config.tunnel_grace);
    let trust = Arc::new(config.trust.clone());
    let proxies = Shared { pool, limits: Limits::of(&config), trust, tunnels };
    let mut serving = opened.serve(move |peer| proxies.for_peer(peer));

    if let Some(how) = died(&mut app, &mut serving.signals).await {
        // Its connections are answered 502 by now; siblings serve what comes next.
        serving.drain().await;
        return Err(Error::AppEnded(how));
    }
    let (outcome, died) = drain(&mut serving, &mut app).await;
    app.stop(config.grace, &mut serving.signals).await;
    died.map_or(Ok(outcome), |how| Err(Error::AppEnded(how)))
}

/// Leaves the inherited sockets, and with them the drain, to the app.
async fn supervise(
    worker: Worker,
    config: FrontConfig,
    command: &[OsString],
) -> Result<Outcome, Error> {
    let (mut opened, sockets) = worker.open_without_sockets()?;
    let grace = opened.config.drain_timeout;
    let mut app = App::start_on(sockets, config, command, &opened.connections)?;
    if !is_ready(&mut app, &mut opened.signals).await? {
        app.stop(grace, &mut opened.signals).await;
        return Ok(Outcome::default());
    }
    let mut serving = opened.stand_by();
    if let Some(how) = died(&mut app, &mut serving.signals).await {
        return Err(Error::AppEnded(how));
    }
    let outcome = serving.drain().await;
    app.stop(grace, &mut serving.signals).await;
    Ok(outcome)
}

/// `false`: the worker was told to go first.
async fn is_ready(app: &mut App, signals: &mut Signals) -> Result<bool, Error> {
    tokio::select! {
        ready = app.ready() => ready.map(|()| true),
        () = signals.terminate() => Ok(false),
    }
}

/// How the app ended for good; `None`: the worker was told to go first.
async fn died(app: &mut App, signals: &mut Signals) -> Option<String> {
    tokio::select! {
        () = signals.terminate() => None,
        how = app.keep() => {
            tracing::error!("the app {how}");
            Some(how)
        }
    }
}

/// Drains, and tells how the app died if it did so before the end of that.
async fn drain(serving: &mut Serving, app: &mut App) -> (Outcome, Option<String>) {
    let mut drain = pin!(serving.drain());
    let (outcome, died) = tokio::select! {
        // Its death may have ended the last requests, and so the drain, before we hear of it.
        outcome = &mut drain => (Some(outcome), app.has_died().await),
        how = app.keep() => (None, Some(how)),
    };
    if let Some(how) = &died {
        tracing::error!("the app {how} before its last request was answered");
    }
    match outcome {
        Some(outcome) => (outcome, died),
        None => (drain.await, died),
    }
}
