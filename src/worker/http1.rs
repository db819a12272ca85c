//! An HTTP/1 connection, driven by hyper but closed by us.
//!
//! hyper's own graceful shutdown closes what is idle in its eyes without looking at the socket,
//! and its header timeout also runs on idle connections; so neither is used here.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::App;
use super::connection::leave;
use super::connections::Phase;
use super::io::Io;
use super::limits::{Limits, Verdict};
use super::service::Tracked;
use super::track::{State, Track};

/// The most that one request's head may take, and what is buffered of a body.
const BUFFER_LIMIT: usize = 64 * 1024;

/// How long the last answers have to get out after the deadline.
pub(crate) const FAREWELL_LIMIT: Duration = Duration::from_secs(2);

type Http1<A> = UpgradeableConnection<TokioIo<Box<Io>>, Tracked<A>>;

enum Turn {
    Ended(hyper::Result<()>),
    Over(Verdict),
}

/// Serves requests until the client, a limit, the drain or an upgrade ends the connection.
pub(crate) async fn serve<A: App>(mut io: Box<Io>, mut service: Tracked<A>, mut limits: Limits) {
    let track = service.track.clone();
    loop {
        if let Some(verdict) = rest(&mut io, &mut limits).await {
            match leave(io, &limits, verdict).await {
                Some(again) => io = again,
                None => return,
            }
            continue;
        }
        let http = builder().serve_connection(TokioIo::new(io), service).with_upgrades();
        // Boxed, for a connection that only rests has no need of the room.
        let mut http = Box::new(http);
        limits.may_rest(true);
        let turn = turn(&mut http, &mut limits).await;
        limits.may_rest(false);
        let verdict = match turn {
            Turn::Ended(result) => return end(*http, &track, result),
            Turn::Over(verdict) => verdict,
        };
        if track.state() == State::Busy {
            match farewell(&mut http, &track).await {
                Farewell::Ended => return,
                Farewell::Out => {}
                Farewell::Over => return cut(*http, &track, verdict),
            }
        }
        // Elsewhere than between two requests, what comes next is no request.
        let is_at_rest = track.is_at_rest();
        let Some(parts) = http.into_parts() else { return };
        io = parts.io.into_inner();
        service = parts.service;
        // Pipelined behind the last request, so that only hyper has seen it.
        io.put_back(parts.read_buf);
        match leave(io, &limits, verdict).await {
            Some(again) if is_at_rest => io = again,
            Some(mut rest) => {
                rest.close().await;
                return;
            }
            None => return,
        }
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.half_close(true).pipeline_flush(false).max_buf_size(BUFFER_LIMIT);
    builder
}

/// Waits for something to read without hyper and its buffers: of connections that stay idle there may
/// be thousands. The verdict, should that come first.
async fn rest(io: &mut Io, limits: &mut Limits) -> Option<Verdict> {
    poll_fn(|cx| match io.poll_readable(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => limits.poll(cx).map(Some),
    })
    .await
}

async fn turn<A: App>(http: &mut Http1<A>, limits: &mut Limits) -> Turn {
    poll_fn(|cx| match Pin::new(&mut *http).poll(cx) {
        Poll::Ready(result) => Poll::Ready(Turn::Ended(result)),
        Poll::Pending => limits.poll(cx).map(Turn::Over),
    })
    .await
}

enum Farewell {
    /// The connection ended with it.
    Ended,
    /// The response is out, and the connection idle.
    Out,
    Over,
}

/// A request without an answer gets its 503 out, and a response that is with hyper as a whole may
/// still get out; one that has begun and goes on may not.
async fn farewell<A: App>(http: &mut Http1<A>, track: &Track) -> Farewell {
    if track.in_flight() > track.unanswered() {
        return Farewell::Over;
    }
    let is_out = poll_fn(|cx| match Pin::new(&mut *http).poll(cx) {
        Poll::Ready(_) => Poll::Ready(Farewell::Ended),
        Poll::Pending if track.state() != State::Busy => Poll::Ready(Farewell::Out),
        Poll::Pending => Poll::Pending,
    });
    timeout(FAREWELL_LIMIT, is_out).await.unwrap_or(Farewell::Over)
}

/// Reset, for a clean end would look like a whole response.
fn cut<A: App>(http: Http1<A>, track: &Track, verdict: Verdict) {
    if verdict == Verdict::Stuck || track.in_flight() == 0 {
        note_unread(track);
    }
    if let Some(parts) = http.into_parts() {
        parts.io.into_inner().reset();
    }
}

pub(super) fn note_unread(track: &Track) {
    if track.all.phase() == Phase::Deadline {
        track.all.metrics.cut.inc();
    }
    tracing::warn!(connection = track.id, "cut: a response that its client does not read");
}

/// When a request has asked for another protocol, hyper gives the stream away at its end, whether
/// that was granted or not (Java's client asks for h2c first). In vain, it is closed as any other:
/// just dropped, what the client has sent since could destroy the end of the last response.
pub(crate) async fn close_declined(upgrade: OnUpgrade) {
    if let Ok(upgraded) = upgrade.await
        && let Ok(parts) = upgraded.downcast::<TokioIo<Box<Io>>>()
    {
        parts.io.into_inner().close().await;
    }
}

/// A response whose body failed is reset, for an HTTP/1.0 client takes the end of the connection for
/// that of the body.
fn end<A: App>(http: Http1<A>, track: &Track, result: hyper::Result<()>) {
    let Err(error) = result else { return };
    tracing::debug!(connection = track.id, "connection ended: {error}");
    if error.is_user()
        && let Some(parts) = http.into_parts()
    {
        parts.io.into_inner().reset();
    }
}
