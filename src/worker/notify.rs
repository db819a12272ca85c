//! What systemd is told: ready, what we are doing, stopping, alive, and that we need more time.
//!
//! The watchdog is fed by the runtime that serves, so that a stuck runtime is noticed; but it never
//! waits for systemd, whose queue is full while it reloads: one of its tasks does. A thread that did
//! would make libc prepare each system call of the worker for being cancelled (pthreads(7)).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Outcome;
use super::connections::{AppState, Connections, Phase};
use super::handoff;

/// Where systemd listens; not set where nobody does.
const SOCKET: &str = "NOTIFY_SOCKET";

/// How often the status is looked at, and sent when it has changed.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// What is asked for while bytes move; asked for again every second.
const EXTENSION: Duration = Duration::from_secs(5);

/// How long the end waits for systemd to take the last word.
const LAST_WORD_LIMIT: Duration = Duration::from_secs(1);

/// Says READY, and goes on telling until it is dropped.
pub(crate) fn ready(connections: &Arc<Connections>) -> JoinSet<()> {
    send_now(&[NotifyState::Ready, NotifyState::Status(&status(connections))]);
    tracing::info!(
        instance = connections.identity.instance,
        version = connections.identity.version,
        "serving"
    );
    let mut tasks = JoinSet::new();
    tasks.spawn(keep_status(connections.clone()));
    if let Some(limit) = sd_notify::watchdog_enabled() {
        tasks.spawn(feed_watchdog(limit / 2));
    }
    tasks
}

/// Says STOPPING: only after SIGTERM, for it starts the stop timeout of the unit. To be waited for
/// at the end, so that a quick end does not overtake it.
pub(crate) fn stopping(connections: &Connections) -> impl Future<Output = ()> + use<> {
    let text = status(connections);
    tracing::info!("{text}");
    let told = tokio::spawn(send(format!("STOPPING=1\nSTATUS={text}")));
    async move {
        let _ = timeout(LAST_WORD_LIMIT, told).await;
    }
}

/// What became of the connections, as the last word.
pub(crate) async fn gone(outcome: &Outcome) {
    let Outcome { moved, parked, lingered, going_away, lost, .. } = outcome;
    let mut text = format!("STATUS=moved {moved}, ");
    if *parked > 0 {
        text.push_str(&format!("parked {parked}, "));
    }
    if *lingered > 0 {
        text.push_str(&format!("closed {lingered} idle, "));
    }
    if *going_away > 0 {
        text.push_str(&format!("closed {going_away} WebSockets, "));
    }
    text.push_str(&format!("lost {lost}"));
    let _ = timeout(LAST_WORD_LIMIT, send(text)).await;
}

/// Tells systemd something before there is anybody to serve.
pub(crate) fn say(text: &str) {
    send_now(&[NotifyState::Custom(text)]);
}

/// Gives systemd a descriptor to keep, under this name, for the next run of the unit. It may not
/// take it, and says nothing.
pub(crate) fn store(name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
    let path = env::var_os(SOCKET).ok_or(io::ErrorKind::NotFound)?;
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(handoff::send(&socket, format!("FDSTORE=1\nFDNAME={name}").as_bytes(), &[fd])?)
}

/// Has systemd drop all that it keeps under this name; what is said later is heard later.
pub(crate) fn forget(name: &str) -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Custom(&format!("FDSTOREREMOVE=1\nFDNAME={name}"))])
}

async fn keep_status(connections: Arc<Connections>) {
    let mut told = status(&connections);
    let mut bytes_moved = 0;
    let mut ticks = interval(STATUS_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let text = status(&connections);
        if text != told {
            send(format!("STATUS={text}")).await;
            told = text;
        }
        let moved = connections.bytes_moved();
        if moved > bytes_moved && connections.phase() < Phase::Deadline {
            // systemd stops extending when we stop asking, and never shortens its own timeout.
            send(format!("EXTEND_TIMEOUT_USEC={}", EXTENSION.as_micros())).await;
            bytes_moved = moved;
        }
    }
}

async fn feed_watchdog(every: Duration) {
    let mut ticks = interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        send("WATCHDOG=1".to_owned()).await;
    }
}

/// `serving: 12 requests in flight, 41 connections`
fn status(connections: &Connections) -> String {
    let census = connections.census();
    let (requests, open) = (census.in_flight, census.connections());
    match (connections.phase(), connections.app()) {
        (_, AppState::Stopping) => "stopping: waiting for the app to end".to_owned(),
        (Phase::Serving, AppState::Down) => {
            format!("the app is down: {requests} requests are held, {open} connections")
        }
        (Phase::Serving, _) => {
            format!("serving: {requests} requests in flight, {open} connections")
        }
        _ => match census.tunnels() {
            0 => format!("draining: {requests} requests, {open} connections"),
            some => {
                format!("draining: {requests} requests, {open} connections, {some} of them tunnels")
            }
        },
    }
}

/// Sends `text` as soon as systemd has room for it.
async fn send(text: String) {
    if let Some(path) = env::var_os(SOCKET) {
        note(send_to(&path, &text).await);
    }
}

async fn send_to(path: &OsStr, text: &str) -> io::Result<()> {
    let socket = tokio::net::UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.send(text.as_bytes()).await.map(drop)
}

/// Waits for systemd, and nobody else goes on meanwhile. Without systemd nothing is sent.
fn send_now(states: &[NotifyState<'_>]) {
    loop {
        match sd_notify::notify(states) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            sent => return note(sent),
        }
    }
}

/// An error means that systemd is not there right now, and is worth no more than a line.
fn note(sent: io::Result<()>) {
    if let Err(error) = sent {
        tracing::debug!("systemd was not told: {error}");
    }
}
