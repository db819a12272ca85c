//! An HTTP/2 connection: leaving is part of the protocol (a GOAWAY in two steps), but it waits
//! for a client's answer, and that needs a limit.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{Sleep, sleep};

use super::App;
use super::connections::Phase;
use super::http1::{FAREWELL_LIMIT, note_unread};
use super::io::Io;
use super::limits::{Limits, Verdict};
use super::service::Tracked;
use super::track::Track;

/// How long a client has to answer the PING behind the first GOAWAY.
const GOAWAY_LIMIT: Duration = Duration::from_secs(5);

/// Serves streams until the client ends the connection, or we have said goodbye.
pub(crate) async fn serve<A: App>(mut io: Box<Io>, service: Tracked<A>, mut limits: Limits) {
    let track = service.track.clone();
    io.leave_http1();
    track.note_unmovable();
    let http = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(io), service);
    let mut http = pin!(http);
    let mut leaving = Leaving::No;
    let ended = poll_fn(|cx| {
        // Before hyper knows of a drain, so that its handshake is done: it would just close.
        if let Poll::Ready(result) = http.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        track.note_no_head();
        let verdict = limits.poll(cx);
        if verdict == Poll::Ready(Verdict::Stuck) {
            note_unread(&track);
            return Poll::Ready(None);
        }
        if leaving.begins(&track, verdict) {
            http.as_mut().graceful_shutdown();
            if let Poll::Ready(result) = http.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
        }
        leaving.poll(&track, cx).map(|()| None)
    });
    if let Some(Err(error)) = ended.await {
        tracing::debug!(connection = track.id, "connection ended: {error}");
    }
}

/// No ─► GoingAway (PING not answered, streams in flight) ─► Farewell (deadline) ─► dropped
enum Leaving {
    No,
    GoingAway(Pin<Box<Sleep>>),
    Farewell(Pin<Box<Sleep>>),
}

impl Leaving {
    /// Whether it is time to say goodbye, just now.
    fn begins(&mut self, track: &Track, verdict: Poll<Verdict>) -> bool {
        let begins = track.all.phase() != Phase::Serving || verdict.is_ready();
        if !begins || !matches!(self, Self::No) {
            return false;
        }
        *self = Self::GoingAway(Box::pin(sleep(GOAWAY_LIMIT)));
        true
    }

    /// Ready when the connection is to be dropped.
    fn poll(&mut self, track: &Track, cx: &mut Context<'_>) -> Poll<()> {
        let phase = track.all.phase();
        if matches!(self, Self::GoingAway(_)) && phase == Phase::Deadline {
            *self = Self::Farewell(Box::pin(sleep(FAREWELL_LIMIT)));
        }
        match self {
            Self::No => Poll::Pending,
            Self::GoingAway(limit) => {
                ready!(limit.as_mut().poll(cx));
                if track.in_flight() == 0 { Poll::Ready(()) } else { Poll::Pending }
            }
            Self::Farewell(limit) => limit.as_mut().poll(cx),
        }
    }
}
