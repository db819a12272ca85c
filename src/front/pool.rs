//! Connections to the app, kept for a moment between two requests.
//!
//! ```text
//! connect ─► in use ─► kept (a second at most) ─► in use …
//!               └► closed by the app, by an error, or by a request that was given up
//! ```

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::interval;

use super::clock::Clock;
use super::place::Place;
use super::stream::{AppStream, Watched};
use super::upload::Upload;

/// How long a connection is kept. Apps close idle ones themselves, Node after 5 s and gunicorn
/// after 2: a request that is then under way is lost, so ours go first.
const KEEP_LIMIT: Duration = Duration::from_secs(1);

/// How much of a response is buffered, and the largest head of one.
const BUFFER_LIMIT: usize = 64 * 1024;

/// A connection that one request has for itself.
#[derive(Debug)]
pub(crate) struct AppConnection {
    pub(crate) sender: SendRequest<Upload>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) clock: Clock,
    /// It has served a request before.
    pub(crate) is_reused: bool,
    kept_since: Instant,
}

/// The connections that are in no request's hands.
#[derive(Debug)]
pub(crate) struct Pool {
    place: Place,
    kept: Mutex<Vec<AppConnection>>,
}

impl Pool {
    pub(crate) fn new(place: Place) -> Arc<Self> {
        Arc::new(Self { place, kept: Mutex::default() })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The connection that was used last, if it can be used once more.
    pub(crate) fn take(&self) -> Option<AppConnection> {
        let mut kept = self.lock();
        // One that is not ready yet has a moment ago had its response read to the end.
        while let Some(at) = kept.iter().rposition(|connection| connection.is_ready_or_over()) {
            let connection = kept.swap_remove(at);
            if connection.is_usable() {
                return Some(connection);
            }
        }
        None
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> io::Result<AppConnection> {
        let stream = AppStream::new(self.place.connect().await?);
        let watched = stream.watch();
        let mut builder = Builder::new();
        builder.max_buf_size(BUFFER_LIMIT);
        let (sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(async move {
            // The request on it, if there is one, hears of an error itself.
            let _ = connection.with_upgrades().await;
        });
        let (clock, kept_since) = (Clock::new(), Instant::now());
        Ok(AppConnection { sender, watched, clock, is_reused: false, kept_since })
    }

    /// Keeps a connection whose response was read to its end.
    pub(crate) fn keep(&self, mut connection: AppConnection) {
        if !connection.sender.is_closed() {
            connection.is_reused = true;
            connection.kept_since = Instant::now();
            self.lock().push(connection);
        }
    }

    /// Closes what nobody has taken for a while, as long as the pool is there.
    pub(crate) async fn sweep(self: Arc<Self>) {
        let mut ticks = interval(KEEP_LIMIT);
        loop {
            ticks.tick().await;
            self.lock().retain(AppConnection::is_usable);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<AppConnection>> {
        self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl AppConnection {
    fn is_ready_or_over(&self) -> bool {
        self.sender.is_ready() || self.sender.is_closed()
    }

    fn is_usable(&self) -> bool {
        !self.sender.is_closed()
            && self.kept_since.elapsed() < KEEP_LIMIT
            && self.watched.is_quiet()
    }
}
