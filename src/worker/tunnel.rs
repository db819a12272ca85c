//! A connection that has left HTTP: its bytes belong to somebody else from here on (a WebSocket of
//! the app, say), but it stays in the books until that somebody lets go of it.
//!
//! ```text
//! answered 101 ─► the answer is out: open ─► let go
//!                                     └────► severed, at the deadline
//! ```

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use rustix::net::{Shutdown, connect_unspec, shutdown};

use super::connections::Phase;
use super::track::Track;

/// What is known of a tunnel, and the grip on it.
#[derive(Debug)]
pub(crate) struct Tunnel {
    /// The request that asked for it: `GET /chat`.
    request: String,
    since: Instant,
    is_open: AtomicBool,
    is_severed: AtomicBool,
    /// The stream once more: whoever has it now may not look at it when the deadline comes.
    grip: Mutex<Option<OwnedFd>>,
}

impl Tunnel {
    pub(crate) fn new(request: String) -> Self {
        Self {
            request,
            since: Instant::now(),
            is_open: AtomicBool::new(false),
            is_severed: AtomicBool::new(false),
            grip: Mutex::default(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    /// The answer is out: hyper is about to give the stream away, or has done so.
    pub(crate) fn open(&self, stream: BorrowedFd<'_>, track: &Track) {
        if self.is_open.swap(true, Relaxed) {
            return;
        }
        track.all.metrics.tunnels.inc();
        match stream.try_clone_to_owned() {
            Ok(grip) => *self.grip() = Some(grip),
            Err(error) => tracing::warn!(
                connection = track.id,
                "{} cannot be cut at the deadline, only by the end of the worker: {error}",
                self.request
            ),
        }
        // Either the one who moved on to the deadline saw the grip, or we see the deadline.
        if track.all.phase() == Phase::Deadline {
            self.sever(track);
        }
    }

    /// Ends it under the hands of whoever has it: reads and writes fail from now on.
    pub(crate) fn sever(&self, track: &Track) {
        let grip = self.grip().take();
        if !self.is_open() || self.is_severed.swap(true, Relaxed) {
            return;
        }
        if let Some(stream) = grip {
            reset(&stream);
        }
        track.all.metrics.cut.inc();
        track.all.metrics.tunnels_cut.inc();
        let (request, age) = (&self.request, self.since.elapsed());
        tracing::warn!(
            connection = track.id,
            "cut at the deadline: the tunnel of {request} after {age:.1?}"
        );
    }

    /// Whoever had the stream has closed it, so it must not stay open here.
    pub(crate) fn let_go(&self) {
        self.grip().take();
    }

    fn grip(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.grip.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// An end that no client takes for a clean one. Dissolving a TCP connection sends a reset at once;
/// a unix socket knows no such thing.
fn reset(stream: &OwnedFd) {
    if connect_unspec(stream.as_fd()).is_err() {
        let _ = shutdown(stream, Shutdown::Both);
    }
}
