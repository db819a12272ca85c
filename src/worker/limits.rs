//! When a connection has had its time: idle too long, a head too slow, or the drain says so.
//!
//! One timer a connection, armed when it first waits and re-armed only when it fires, so that a
//! request costs no timer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::connections::Phase;
use super::track::{State, Track};

/// What tokio's timers can tell apart.
const TIMER_GRAIN: Duration = Duration::from_millis(1);

/// A connection that was idle for so long is likely to stay so.
const LONG_QUIET: Duration = Duration::from_secs(5);

/// Why a connection is not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Idle for a while: it can wait without its buffers.
    Rest,
    /// Idle for the idle timeout, or at the end of the linger time.
    Idle,
    /// The head of a request took too long.
    SlowHead,
    /// Its response does not get out to a client that does not read.
    Stuck,
    /// A sibling takes it over.
    Move,
    /// The drain's deadline has come.
    Deadline,
}

/// The limits of one connection.
#[derive(Debug)]
pub(crate) struct Limits {
    track: Arc<Track>,
    timer: Option<Pin<Box<Sleep>>>,
    /// The timer was armed for the time when it can rest.
    is_armed_for_rest: bool,
    head_since: Option<Instant>,
    may_rest: bool,
}

impl Limits {
    pub(crate) fn new(track: Arc<Track>) -> Self {
        Self { track, timer: None, is_armed_for_rest: false, head_since: None, may_rest: false }
    }

    /// As if part of a head had been there for `age` already.
    pub(crate) fn set_head_age(&mut self, age: Duration) {
        let now = Instant::now();
        self.head_since = Some(now.checked_sub(age).unwrap_or(now));
    }

    /// Whether there are buffers that an idle connection could do without.
    pub(crate) fn may_rest(&mut self, may_rest: bool) {
        self.may_rest = may_rest;
    }

    /// For how long the connection has been as it is.
    pub(crate) fn age(&self) -> Duration {
        let quiet_since = || Instant::from_std(self.track.quiet_since());
        self.head_since.unwrap_or_else(quiet_since).elapsed()
    }

    /// To be asked after the connection itself was polled and has nothing more to do.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        self.track.register(cx);
        let (state, phase) = (self.track.state(), self.track.all.phase());
        match (phase, state) {
            (_, State::Closing | State::Tunnel) => return Poll::Pending,
            (Phase::Deadline, _) => return Poll::Ready(Verdict::Deadline),
            _ => {}
        }
        match state {
            State::Head => _ = self.head_since.get_or_insert_with(Instant::now),
            _ => self.head_since = None,
        }
        if state != State::Busy && self.track.is_to_move() {
            return Poll::Ready(Verdict::Move);
        }
        if state == State::Head {
            return self.poll_timer(cx, state);
        }
        if phase == Phase::LingerOver && matches!(state, State::Fresh | State::Idle) {
            return self.poll_linger(cx);
        }
        match &self.timer {
            // Whatever else it was armed for is not later than what is due now. Usually it fires
            // too early and is armed again then: that is cheaper than once a request.
            Some(timer) if !timer.is_elapsed() && !self.rests_before(state) => Poll::Pending,
            _ => self.poll_timer(cx, state),
        }
    }

    /// A response that began before SIGTERM and outlasted the linger time could not say that it is
    /// the last: its client counts on the connection, and may be using it just now.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        let due = Instant::from_std(self.track.quiet_since()) + self.track.all.linger();
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx).map(|()| Verdict::Idle)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, state: State) -> Poll<Verdict> {
        let due = self.due(state);
        match &mut self.timer {
            Some(timer) if timer.deadline() <= due => {}
            Some(timer) => timer.as_mut().reset(due),
            None => self.timer = Some(Box::pin(sleep_until(due))),
        }
        let can_rest = self.can_rest(state);
        // Whatever it was armed for, it fires in time for that.
        self.is_armed_for_rest = can_rest;
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let is_due = due <= now;
            match state {
                // Armed for something earlier. It is not asked yet what has moved: that would be
                // forgotten by the time that counts.
                _ if !is_due => {}
                State::Head => return Poll::Ready(Verdict::SlowHead),
                State::Busy if may_go_on(&self.track) => {}
                State::Busy => return Poll::Ready(Verdict::Stuck),
                _ if can_rest => return Poll::Ready(Verdict::Rest),
                _ => return Poll::Ready(Verdict::Idle),
            }
            let next = if is_due { now + self.track.all.idle_timeout } else { due };
            timer.as_mut().reset(next.max(now + TIMER_GRAIN));
        }
        Poll::Pending
    }

    fn due(&self, state: State) -> Instant {
        let quiet_since = || Instant::from_std(self.track.quiet_since());
        let idle_timeout = self.track.all.idle_timeout;
        match self.head_since {
            Some(since) => since + self.track.all.header_timeout,
            None if self.can_rest(state) => quiet_since() + LONG_QUIET.min(idle_timeout / 2),
            None => quiet_since() + idle_timeout,
        }
    }

    fn can_rest(&self, state: State) -> bool {
        self.may_rest && state == State::Idle && self.track.is_at_rest()
    }

    /// Whether it can rest earlier than the timer would tell.
    fn rests_before(&self, state: State) -> bool {
        !self.is_armed_for_rest && self.can_rest(state)
    }
}

/// Whether the app is still at the response, or some of it got out. A big one can be with hyper as
/// a whole, and a client that does not read can stop one that is still in the making.
fn may_go_on(track: &Track) -> bool {
    let is_in_the_making = track.in_flight() > 0 && !track.is_stalled();
    is_in_the_making || track.take_moving()
}
