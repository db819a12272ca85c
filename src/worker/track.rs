//! What is known of one connection.
//!
//! ```text
//! fresh ─► head ─► busy ─┬─► idle ─► head …   ─► closing
//!                        └─► tunnel
//! ```
//!
//! hyper does not say whether a connection is idle, so its bytes ([`super::io`]) and its requests
//! ([`super::in_flight`]) are noted here.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::connections::Connections;
use super::handoff::Parcel;
use super::tunnel::Tunnel;

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
    /// Upgraded: what it carries is no HTTP any more.
    Tunnel,
    /// Our side is closed, waiting for the client's.
    Closing,
}

impl State {
    pub(crate) const ALL: [Self; 6] =
        [Self::Fresh, Self::Head, Self::Busy, Self::Idle, Self::Tunnel, Self::Closing];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Head => "head",
            Self::Busy => "busy",
            Self::Idle => "idle",
            Self::Tunnel => "tunnel",
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
    /// How many requests have begun, and the number of the one whose content is malformed.
    begun: AtomicU64,
    malformed: AtomicU64,
    is_fresh: AtomicBool,
    has_part_of_head: AtomicBool,
    is_unflushed: AtomicBool,
    is_closing: AtomicBool,
    /// hyper waits for a request, and has nothing of one but part of a head.
    is_at_rest: AtomicBool,
    /// It stays here, whoever would take it.
    is_unmovable: AtomicBool,
    /// A newcomer has called for it, and this is where it goes; it is looked at only when the flag is
    /// set.
    is_called: AtomicBool,
    call: Mutex<Option<UnboundedSender<Parcel>>>,
    /// Bytes were written since somebody last asked.
    is_moving: AtomicBool,
    /// A response waits for its client to read.
    is_stalled: AtomicBool,
    /// When the last request ended (or the accept), by [`Connections::clock`]; what was taken over can
    /// have been quiet for longer than the worker lives.
    quiet_since: AtomicI64,
    /// Only of a connection that was answered with an upgrade.
    tunnel: OnceLock<Box<Tunnel>>,
    waker: OnceLock<Waker>,
}

impl Track {
    pub(crate) fn new(id: u64, all: Arc<Connections>) -> Self {
        let quiet_since = AtomicI64::new(all.clock());
        Self {
            id,
            all,
            requests: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
            is_fresh: AtomicBool::new(true),
            has_part_of_head: AtomicBool::new(false),
            is_unflushed: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            is_at_rest: AtomicBool::new(false),
            is_unmovable: AtomicBool::new(false),
            is_called: AtomicBool::new(false),
            call: Mutex::default(),
            is_moving: AtomicBool::new(false),
            is_stalled: AtomicBool::new(false),
            quiet_since,
            tunnel: OnceLock::new(),
            waker: OnceLock::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        match () {
            () if self.is_closing.load(Relaxed) => State::Closing,
            () if self.is_tunnel() => State::Tunnel,
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

    /// Whether it is at something that nobody else could go on with.
    pub(crate) fn is_in_hand(&self) -> bool {
        matches!(self.state(), State::Busy | State::Tunnel)
    }

    pub(crate) fn quiet_since(&self) -> Instant {
        let since_epoch = self.quiet_since.load(Relaxed);
        let distance = Duration::from_nanos(since_epoch.unsigned_abs());
        match since_epoch < 0 {
            true => self.all.epoch.checked_sub(distance).unwrap_or(self.all.epoch),
            false => self.all.epoch + distance,
        }
    }

    /// How many requests have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// A sibling had it before: it has been as it is for `age`.
    pub(crate) fn note_adopted(&self, is_fresh: bool, age: Duration) {
        self.is_fresh.store(is_fresh, Relaxed);
        let age = age.as_nanos().try_into().unwrap_or(u64::MAX);
        self.quiet_since.store(self.all.clock().saturating_sub_unsigned(age), Relaxed);
    }

    /// hyper asks for bytes: whether it has all of the requests that came so far.
    pub(crate) fn note_asked(&self, is_at_rest: bool) {
        self.is_at_rest.store(is_at_rest, Relaxed);
    }

    /// Whether hyper has answered all that it read, and waits for a request: only then may it be
    /// taken from under the connection. (A service may answer before it has read the content.)
    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_at_rest.load(Relaxed)
    }

    pub(crate) fn note_unmovable(&self) {
        self.is_unmovable.store(true, Relaxed);
        // As in [`Track::register`].
        fence(SeqCst);
    }

    pub(crate) fn is_unmovable(&self) -> bool {
        self.is_unmovable.load(Relaxed)
    }

    /// Whether a sibling shall have it, now.
    pub(crate) fn is_to_move(&self) -> bool {
        let is_to_go = self.all.is_moving() || self.is_called.load(Relaxed);
        is_to_go && self.is_at_rest() && !self.is_unmovable()
    }

    /// Whether it could go to a sibling, now or soon.
    pub(crate) fn is_movable(&self) -> bool {
        let is_called = self.is_called.load(Relaxed);
        let is_http1 = !matches!(self.state(), State::Tunnel | State::Closing);
        is_http1 && !is_called && !self.is_unmovable()
    }

    /// When it is next at rest, it goes into `outbox`.
    pub(crate) fn call(&self, outbox: UnboundedSender<Parcel>) {
        *self.lock_call() = Some(outbox);
        self.is_called.store(true, Relaxed);
        // As in `Connections::advance`.
        fence(SeqCst);
        self.wake();
    }

    /// Where it goes that was called, unless that was too long ago.
    pub(crate) fn answer_call(&self) -> Option<UnboundedSender<Parcel>> {
        let call = self.lock_call().take();
        self.is_called.store(false, Relaxed);
        call.filter(|outbox| !outbox.is_closed())
    }

    /// A poisoned lock only says that some other thread panicked.
    fn lock_call(&self) -> MutexGuard<'_, Option<UnboundedSender<Parcel>>> {
        self.call.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn note_request(&self) {
        self.requests.fetch_add(UNANSWERED + IN_FLIGHT, Relaxed);
        // Nobody else adds to it: a connection's requests begin one after the other.
        self.begun.store(self.begun.load(Relaxed) + 1, Relaxed);
        self.has_part_of_head.store(false, Relaxed);
    }

    /// The content of this request (they are counted from 1) is malformed.
    pub(crate) fn note_malformed(&self, request: u64) {
        self.malformed.store(request, Relaxed);
    }

    /// Whether the content of the request that began last is malformed, as far as it arrived.
    pub(crate) fn is_malformed(&self) -> bool {
        self.malformed.load(Relaxed) == self.begun.load(Relaxed)
    }

    pub(crate) fn note_answered(&self) {
        self.requests.fetch_sub(UNANSWERED, Relaxed);
    }

    /// A request has ended; its last bytes may still be on their way out.
    pub(crate) fn note_finished(&self, was_answered: bool, now: i64) {
        self.quiet_since.store(now, Relaxed);
        self.has_part_of_head.store(false, Relaxed);
        self.is_unflushed.store(true, Relaxed);
        let unanswered = if was_answered { 0 } else { UNANSWERED };
        self.requests.fetch_sub(unanswered + IN_FLIGHT, Relaxed);
    }

    /// Bytes arrived: those of a head, unless a request comes of them or they are its body.
    pub(crate) fn note_read(&self, bytes: usize) {
        self.has_part_of_head.store(true, Relaxed);
        self.is_fresh.store(false, Relaxed);
        self.is_at_rest.store(false, Relaxed);
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

    /// The kernel takes no more of a response for now.
    pub(crate) fn note_stalled(&self) {
        self.is_stalled.store(true, Relaxed);
    }

    /// Whether the kernel took no more of a response, and has not taken all of it since.
    pub(crate) fn is_stalled(&self) -> bool {
        self.is_stalled.load(Relaxed)
    }

    pub(crate) fn note_flushed(&self) {
        self.is_unflushed.store(false, Relaxed);
        // The request ended when hyper had all of its response, which can be long ago.
        if self.is_stalled.load(Relaxed) {
            self.is_stalled.store(false, Relaxed);
            self.quiet_since.store(self.all.clock(), Relaxed);
        }
    }

    /// What arrived was no part of a head: HTTP/2 has other frames too.
    pub(crate) fn note_no_head(&self) {
        self.has_part_of_head.store(false, Relaxed);
    }

    /// A response that ends HTTP on this connection was given; `request` names it in the log.
    pub(crate) fn note_upgrade(&self, request: String) {
        let _ = self.tunnel.set(Box::new(Tunnel::new(request)));
    }

    pub(crate) fn tunnel(&self) -> Option<&Tunnel> {
        self.tunnel.get().map(Box::as_ref)
    }

    pub(crate) fn is_tunnel(&self) -> bool {
        self.tunnel().is_some_and(Tunnel::is_open)
    }

    pub(crate) fn note_closing(&self) {
        self.is_closing.store(true, Relaxed);
    }

    /// Notes whom to wake; a connection is one task, and its waker stays the same.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        if self.waker.get().is_none() && self.waker.set(cx.waker().clone()).is_ok() {
            // Pairs with the one in `Connections::advance`: either that sees this waker, or the
            // caller, who looks at the phase next, sees the new phase.
            fence(SeqCst);
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}
