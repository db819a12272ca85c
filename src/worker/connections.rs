//! All connections of a worker and the phase they are in.
//!
//! ```text
//! Serving ─► Draining ─► LingerOver ─► Deadline
//! ```
//!
//! A change of phase wakes every connection, so that none of them watches a clock or a channel
//! while it serves.

use std::collections::HashMap;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU8, AtomicU64, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::board::OwnSlot;
use super::handoff::Parcel;
use super::identity::Identity;
use super::metrics::Metrics;
use super::track::{State, Track};
use super::{Config, DrainMode};

/// How far the drain has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Everything is served, connections are kept.
    Serving,
    /// Nothing is accepted (in refuse mode: nothing is served that comes now). What was accepted is served
    /// to its end; where no sibling takes it, each response says that it is the last.
    Draining,
    /// Connections that have been idle for the linger time are closed, after one more look.
    LingerOver,
    /// Whatever is left is refused or cut.
    Deadline,
}

/// Whether connections at rest leave for somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Moving {
    /// They are served to their end.
    No,
    /// They are served as ever, for they will leave later.
    Soon,
    Now,
}

/// How the app is that the worker fronts; one inside the worker is always up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum AppState {
    Up,
    Down,
    Stopping,
}

/// The connections that are open, and what they share.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) identity: Identity,
    pub(crate) metrics: Metrics,
    linger: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) header_timeout: Duration,
    /// What requests get that come in the drain; `None`: they are served.
    refusal: Option<StatusCode>,
    /// Tells whoever waits for it that the drain has begun.
    pub(crate) draining: CancellationToken,
    /// Ends the wait of every request at the deadline.
    pub(crate) deadline: CancellationToken,
    /// One permit a connection.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) epoch: Instant,
    phase: AtomicU8,
    moving: AtomicU8,
    /// Where connections are put that move.
    outbox: OnceLock<UnboundedSender<Parcel>>,
    drain_timeout: Duration,
    drain_end: OnceLock<Instant>,
    app: AtomicU8,
    bytes_moved: AtomicU64,
    last_id: AtomicU64,
    /// The last one that came before the drain.
    last_old: OnceLock<u64>,
    open: Mutex<HashMap<u64, Arc<Track>>>,
    /// Where siblings see how many there are.
    slot: Mutex<Option<OwnSlot>>,
    /// One has closed, and somebody may have waited for it.
    closed: Notify,
}

impl Connections {
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            identity: Identity::new(config),
            metrics: Metrics::new(),
            linger: config.linger,
            idle_timeout: config.idle_timeout,
            header_timeout: config.header_timeout,
            refusal: (config.drain_mode == DrainMode::Refuse).then_some(config.drain_status.0),
            draining: CancellationToken::new(),
            deadline: CancellationToken::new(),
            room: Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS))),
            epoch: Instant::now(),
            drain_timeout: config.drain_timeout,
            drain_end: OnceLock::new(),
            moving: AtomicU8::new(Moving::No as u8),
            outbox: OnceLock::new(),
            phase: AtomicU8::new(Phase::Serving as u8),
            app: AtomicU8::new(AppState::Up as u8),
            bytes_moved: AtomicU64::new(0),
            last_id: AtomicU64::new(0),
            last_old: OnceLock::new(),
            open: Mutex::default(),
            slot: Mutex::default(),
            closed: Notify::new(),
        })
    }

    /// What time it is, in nanoseconds from the epoch: to tell two times apart is one subtraction.
    pub(crate) fn clock(&self) -> i64 {
        self.epoch.elapsed().as_nanos() as i64
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            2 => Phase::LingerOver,
            _ => Phase::Deadline,
        }
    }

    /// The status that a new request gets in the place of an answer, in the drain.
    pub(crate) fn refusal(&self) -> Option<StatusCode> {
        self.refusal.filter(|_| self.phase() != Phase::Serving)
    }

    /// How long connections are served after SIGTERM; what comes for an app that is down had better
    /// go to a sibling at once.
    pub(crate) fn linger(&self) -> Duration {
        if self.app() == AppState::Down { Duration::ZERO } else { self.linger }
    }

    pub(crate) fn app(&self) -> AppState {
        match self.app.load(Relaxed) {
            0 => AppState::Up,
            1 => AppState::Down,
            _ => AppState::Stopping,
        }
    }

    pub(crate) fn set_app(&self, state: AppState) {
        self.app.store(state as u8, Relaxed);
    }

    /// Connections will be put into `outbox`, once they start to move.
    pub(crate) fn expect_to_move(&self, outbox: UnboundedSender<Parcel>) {
        if self.outbox.set(outbox).is_ok() {
            self.wait_to_move();
        }
    }

    /// They are served as ever until they move on.
    pub(crate) fn wait_to_move(&self) {
        self.moving.store(Moving::Soon as u8, SeqCst);
    }

    /// From here on connections at rest are put into the outbox.
    pub(crate) fn start_moving(&self) {
        self.moving.store(Moving::Now as u8, SeqCst);
        self.lock().values().for_each(|track| track.wake());
    }

    /// Nobody takes them any more: they are served here, to their end.
    pub(crate) fn stop_moving(&self) {
        if self.moving.swap(Moving::No as u8, SeqCst) != Moving::No as u8 {
            self.lock().values().for_each(|track| track.wake());
        }
    }

    /// Has up to `most` connections go into `outbox`: those first that are at rest.
    pub(crate) fn call(&self, most: usize, outbox: &UnboundedSender<Parcel>) {
        let open = self.lock();
        let movable = open.values().filter(|track| track.is_movable());
        let (first, then): (Vec<_>, Vec<_>) = movable.partition(|track| track.is_at_rest());
        let called = first.into_iter().chain(then).take(most);
        called.for_each(|track| track.call(outbox.clone()));
    }

    pub(crate) fn is_moving(&self) -> bool {
        self.moving.load(Relaxed) == Moving::Now as u8
    }

    /// Whether clients may go on using their connections, whoever serves them.
    pub(crate) fn are_kept(&self) -> bool {
        self.phase() == Phase::Serving || self.moving.load(Relaxed) != Moving::No as u8
    }

    /// The connections that could not move just now, with the number of the request they are at.
    pub(crate) fn in_hand(&self) -> Vec<(u64, u64)> {
        let open = self.lock();
        let in_hand = open.values().filter(|track| track.is_in_hand());
        in_hand.map(|track| (track.id, track.begun())).collect()
    }

    /// Whether one of these is still open, and at the same request.
    pub(crate) fn has_still_in_hand(&self, in_hand: &[(u64, u64)]) -> bool {
        let open = self.lock();
        in_hand.iter().any(|(id, begun)| {
            open.get(id).is_some_and(|track| track.is_in_hand() && track.begun() == *begun)
        })
    }

    pub(crate) fn outbox(&self) -> Option<&UnboundedSender<Parcel>> {
        self.outbox.get().filter(|_| self.is_moving())
    }

    /// Moves on to `phase` (never back) and wakes every connection that has to act on it.
    pub(crate) fn advance(&self, phase: Phase) {
        if phase >= Phase::Draining {
            self.last_old.get_or_init(|| self.last_id.load(Relaxed));
        }
        self.phase.fetch_max(phase as u8, Relaxed);
        fence(SeqCst);
        if phase == Phase::Deadline {
            // In this order: no tunnel ends in time by being told of the deadline, and whoever is woken
            // below has been told.
            self.sever_tunnels();
            self.deadline.cancel();
        }
        // HTTP/1 sees that it drains at its next request; of idle ones there may be thousands.
        let is_concerned = |track: &&Arc<Track>| phase > Phase::Draining || track.is_unmovable();
        self.lock().values().filter(is_concerned).for_each(|track| track.wake());
        if phase >= Phase::Draining {
            self.drain_end.get_or_init(|| Instant::now() + self.drain_timeout);
            self.draining.cancel();
        }
    }

    /// Until the drain's deadline; before the drain there is no end to it.
    pub(crate) fn time_left(&self) -> Duration {
        let until = |end: &Instant| end.saturating_duration_since(Instant::now());
        self.drain_end.get().map_or(Duration::MAX, until)
    }

    fn sever_tunnels(&self) {
        for track in self.lock().values() {
            if let Some(tunnel) = track.tunnel() {
                tunnel.sever(track);
            }
        }
    }

    /// Enters a connection into the books; it leaves them when the guard is dropped. Siblings see
    /// it after [`Connections::show_count`].
    pub(crate) fn open(self: &Arc<Self>, place: OwnedSemaphorePermit) -> Entry {
        let id = self.last_id.fetch_add(1, Relaxed) + 1;
        let track = Arc::new(Track::new(id, self.clone()));
        self.lock().insert(id, track.clone());
        Entry { track, _place: place }
    }

    /// Shows siblings how many connections there are.
    pub(crate) fn show_count(&self) {
        self.show(self.count());
    }

    /// Returns once no connection is open.
    pub(crate) async fn all_closed(&self) {
        self.until_closed(|_| true).await;
    }

    /// Returns once none is open of those that came before the drain.
    pub(crate) async fn old_closed(&self) {
        self.until_closed(|id| self.is_old(id)).await;
    }

    async fn until_closed(&self, is_meant: impl Fn(u64) -> bool) {
        loop {
            let closed = self.closed.notified();
            if !self.lock().keys().any(|id| is_meant(*id)) {
                return;
            }
            closed.await;
        }
    }

    fn is_old(&self, id: u64) -> bool {
        self.last_old.get().is_some_and(|last| id <= *last)
    }

    /// From now on, siblings see how many connections there are; with `None` no longer.
    pub(crate) fn show_on(&self, slot: Option<OwnSlot>) {
        *self.lock_slot() = slot;
        self.show_count();
    }

    fn show(&self, count: usize) {
        if let Some(slot) = &*self.lock_slot() {
            slot.note(count, self.metrics.accepted.get());
        }
    }

    /// As [`Connections::lock`].
    fn lock_slot(&self) -> MutexGuard<'_, Option<OwnSlot>> {
        self.slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn census(&self) -> Census {
        let mut census = Census::default();
        for track in self.lock().values() {
            census.in_flight += track.in_flight() as usize;
            census.states[track.state() as usize] += 1;
        }
        census
    }

    /// Counts bytes only while that is asked for: when the drain may ask systemd for more time.
    pub(crate) fn note_moved(&self, bytes: usize) {
        if self.phase() != Phase::Serving {
            self.bytes_moved.fetch_add(bytes as u64, Relaxed);
        }
    }

    /// Bytes read and written since SIGTERM.
    pub(crate) fn bytes_moved(&self) -> u64 {
        self.bytes_moved.load(Relaxed)
    }

    /// A poisoned lock only says that some other thread panicked; the map is whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Track>>> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// One connection's place in the books. It goes with the stream, whoever has that in the end, so
/// that no connection is forgotten while it is open, nor remembered after.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) track: Arc<Track>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let all = &self.track.all;
        if let Some(tunnel) = self.track.tunnel() {
            tunnel.let_go();
        }
        let is_old = all.is_old(self.track.id);
        if is_old {
            all.metrics.drained.inc();
        }
        let mut open = all.lock();
        open.remove(&self.track.id);
        all.show(open.len());
        // Only refuse mode waits for the old ones; thousands may close at once.
        if open.is_empty() || is_old && all.refusal.is_some() {
            all.closed.notify_waiters();
        }
    }
}

/// How many requests and connections there were at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) in_flight: usize,
    states: [usize; State::ALL.len()],
}

impl Census {
    pub(crate) fn connections(&self) -> usize {
        self.states.iter().sum()
    }

    pub(crate) fn tunnels(&self) -> usize {
        self.states[State::Tunnel as usize]
    }

    pub(crate) fn by_state(&self) -> impl Iterator<Item = (&'static str, usize)> {
        State::ALL.into_iter().map(|state| (state.name(), self.states[state as usize]))
    }
}
