//! What is known of one connection, and of each request in flight on it.
//!
//! ```text
//! fresh ─► head ─► busy ─► idle ─► head …   ─► closing
//! ```
//!
//! hyper does not say whether a connection is idle, so its bytes ([`super::io`]) and its requests
//! ([`super::service`]) are noted here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use hyper::Method;
use hyper::http::uri::PathAndQuery;

use super::connections::{Connections, Phase};

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not a byte has arrived.
    Fresh,
    /// Part of a request's head has arrived.
    Head,
    /// A request is being answered, or its answer is still on its way out.
    Busy,
    /// Between two requests.
    Idle,
    /// Our side is closed, waiting for the client's.
    Closing,
}

impl State {
    pub(crate) const ALL: [Self; 5] =
        [Self::Fresh, Self::Head, Self::Busy, Self::Idle, Self::Closing];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Head => "head",
            Self::Busy => "busy",
            Self::Idle => "idle",
            Self::Closing => "closing",
        }
    }
}

/// One request in flight, and one of them without an answer, in [`Track::requests`].
const IN_FLIGHT: u64 = 1;
const UNANSWERED: u64 = 1 << 32;

/// One connection. Every field is written by few and read by anyone, so all are atomic.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) id: u64,
    pub(crate) all: Arc<Connections>,
    /// Requests without an answer in the high half, requests in flight in the low one: both
    /// change together, and this is the hot path.
    requests: AtomicU64,
    is_fresh: AtomicBool,
    has_part_of_head: AtomicBool,
    is_unflushed: AtomicBool,
    is_closing: AtomicBool,
    /// Bytes were written since somebody last asked.
    is_moving: AtomicBool,
    /// Milliseconds from the worker's epoch to the end of the last request (or the accept).
    quiet_since: AtomicU64,
    waker: OnceLock<Waker>,
}

impl Track {
    pub(crate) fn new(id: u64, all: Arc<Connections>) -> Self {
        let quiet_since = AtomicU64::new(all.epoch.elapsed().as_millis() as u64);
        Self {
            id,
            all,
            requests: AtomicU64::new(0),
            is_fresh: AtomicBool::new(true),
            has_part_of_head: AtomicBool::new(false),
            is_unflushed: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            is_moving: AtomicBool::new(false),
            quiet_since,
            waker: OnceLock::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        match () {
            () if self.is_closing.load(Relaxed) => State::Closing,
            () if self.in_flight() > 0 || self.is_unflushed.load(Relaxed) => State::Busy,
            () if self.has_part_of_head.load(Relaxed) => State::Head,
            () if self.is_fresh.load(Relaxed) => State::Fresh,
            () => State::Idle,
        }
    }

    /// Requests whose response has not been written to its end.
    pub(crate) fn in_flight(&self) -> u32 {
        self.requests.load(Relaxed) as u32
    }

    /// Requests in flight whose response has not begun.
    pub(crate) fn unanswered(&self) -> u32 {
        (self.requests.load(Relaxed) / UNANSWERED) as u32
    }

    pub(crate) fn quiet_since(&self) -> Instant {
        self.all.epoch + Duration::from_millis(self.quiet_since.load(Relaxed))
    }

    /// Bytes arrived: those of a head, unless a request comes of them or they are its body.
    pub(crate) fn note_read(&self, bytes: usize) {
        self.has_part_of_head.store(true, Relaxed);
        self.is_fresh.store(false, Relaxed);
        self.all.note_moved(bytes);
    }

    pub(crate) fn note_written(&self, bytes: usize) {
        self.is_moving.store(true, Relaxed);
        self.all.note_moved(bytes);
    }

    /// Whether anything was written since this was last asked.
    pub(crate) fn take_moving(&self) -> bool {
        self.is_moving.swap(false, Relaxed)
    }

    pub(crate) fn note_flushed(&self) {
        self.is_unflushed.store(false, Relaxed);
    }

    /// What arrived was no part of a head: HTTP/2 has other frames too.
    pub(crate) fn note_no_head(&self) {
        self.has_part_of_head.store(false, Relaxed);
    }

    pub(crate) fn note_closing(&self) {
        self.is_closing.store(true, Relaxed);
    }

    /// Notes whom to wake; a connection is one task, and its waker stays the same.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.waker.get_or_init(|| cx.waker().clone());
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

/// One request, from its head to the end of its response, whatever ends it.
#[derive(Debug)]
pub(crate) struct InFlight {
    track: Arc<Track>,
    started: Instant,
    method: Method,
    path: Option<PathAndQuery>,
    /// 0 until the response's head is there.
    status: u16,
    is_complete: bool,
}

impl InFlight {
    pub(crate) fn begin<B>(track: &Arc<Track>, request: &hyper::Request<B>) -> Self {
        track.requests.fetch_add(UNANSWERED + IN_FLIGHT, Relaxed);
        track.has_part_of_head.store(false, Relaxed);
        Self {
            track: track.clone(),
            started: Instant::now(),
            method: request.method().clone(),
            path: request.uri().path_and_query().cloned(),
            status: 0,
            is_complete: false,
        }
    }

    pub(crate) fn track(&self) -> &Track {
        &self.track
    }

    /// Notes the response's head.
    pub(crate) fn answered(&mut self, status: hyper::StatusCode) {
        if self.status == 0 {
            self.track.requests.fetch_sub(UNANSWERED, Relaxed);
        }
        self.status = status.as_u16();
    }

    /// Notes that the whole response was handed to the connection.
    pub(crate) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// `GET /path`, for the log.
    pub(crate) fn describe(&self) -> String {
        let path = self.path.as_ref().map_or("*", PathAndQuery::as_str);
        format!("{} {path}", self.method)
    }

    /// Counts and logs a request that the deadline cut; `how` says what its client got.
    pub(crate) fn cut(&self, how: &str) {
        self.track.all.metrics.cut.inc();
        let (id, request, age) = (self.track.id, self.describe(), self.started.elapsed());
        tracing::warn!(connection = id, "cut at the deadline: {request} after {age:.1?}, {how}");
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let (track, now) = (&self.track, Instant::now());
        let all = &track.all;
        if !self.is_complete && all.phase() == Phase::Deadline {
            self.cut("connection aborted");
        }
        let since_epoch = now.duration_since(all.epoch).as_millis() as u64;
        track.quiet_since.store(since_epoch, Relaxed);
        track.has_part_of_head.store(false, Relaxed);
        track.is_unflushed.store(true, Relaxed);
        let unanswered = if self.status == 0 { UNANSWERED } else { 0 };
        track.requests.fetch_sub(unanswered + IN_FLIGHT, Relaxed);
        all.metrics.request_finished(self.status, now.duration_since(self.started));
        if all.phase() != Phase::Serving {
            track.wake();
        }
    }
}
