//! One connection, ours from accept to close.
//!
//! ```text
//! accept ─► sniff ─► HTTP/1 or HTTP/2 ─► closed by the client, by a limit, or by the drain
//!                         └─► tunnel: whoever took the stream closes it
//! ```

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::App;
use super::connections::{Entry, Phase};
use super::handoff::{self, Adopted};
use super::http1;
use super::http2;
use super::io::{Io, Look};
use super::limits::{Limits, Verdict};
use super::service::{Protocol, Tracked};
use super::sniff::{Sniffed, sniff};
use super::stream::Stream;
use super::track::{State, Track};

/// What a client is told whose request's head took too long.
const SLOW_HEAD: &str = "HTTP/1.1 408 Request Timeout\r\n\
    connection: close\r\ncontent-length: 0\r\n\r\n";

/// What a client is told whose request was not begun when the deadline came.
const TOO_LATE: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How many bytes the kernel keeps that were not sent yet (tcp(7), `TCP_NOTSENT_LOWAT`). Left to
/// itself it keeps megabytes, and takes more only when a third of them is gone: a client that reads
/// slowly but steadily looks for a minute like one that does not read.
const UNSENT: u32 = 128 << 10;

/// Serves one connection to its end.
pub(crate) async fn serve<A: App>(stream: Stream, app: A, entry: Entry) {
    if let Stream::Tcp(tcp) = &stream {
        prepare(tcp);
    }
    let limits = Limits::new(entry.track.clone());
    serve_new(Io::new(stream, entry), app, limits).await;
}

/// Serves a connection that a sibling had before, from where that left off.
pub(crate) async fn go_on<A: App>(adopted: Adopted, app: A, entry: Entry) {
    let Adopted { stream, unread, record } = adopted;
    let (track, age) = (entry.track.clone(), Duration::from_millis(record.age.into()));
    track.note_adopted(record.is_fresh, age);
    let mut limits = Limits::new(track.clone());
    if !unread.is_empty() {
        limits.set_head_age(age);
    }
    let io = Io::adopt(stream, entry, unread, record);
    match record.is_fresh {
        true => serve_new(io, app, limits).await,
        false => {
            let protocol = Protocol::Http1;
            http1::serve(io, Tracked { app, track, protocol }, limits).await;
        }
    }
}

async fn serve_new<A: App>(mut io: Box<Io>, app: A, mut limits: Limits) {
    let track = &io.track().clone();
    loop {
        match sniff(&mut io, &mut limits).await {
            Sniffed::Speaks(protocol) => {
                let service = Tracked { app, track: track.clone(), protocol };
                match protocol {
                    Protocol::Http1 => http1::serve(io, service, limits).await,
                    Protocol::Http2 => Box::pin(http2::serve(io, service, limits)).await,
                }
                break;
            }
            Sniffed::Gone => break,
            Sniffed::Over(verdict) => match leave(io, &limits, verdict).await {
                Some(again) => io = again,
                None => break,
            },
        }
    }
}

/// Both fail only on a connection that is gone, as the first read will tell.
fn prepare(tcp: &TcpStream) {
    let _ = tcp.set_nodelay(true);
    let _ = SockRef::from(tcp).set_tcp_notsent_lowat(UNSENT);
}

/// Closes a connection on which no request is being answered, or gives it to a sibling. It is given
/// back, to be served, when a last look finds that the client was faster, or when no sibling took it.
pub(crate) async fn leave(mut io: Box<Io>, limits: &Limits, verdict: Verdict) -> Option<Box<Io>> {
    let track = &io.track().clone();
    match (verdict, track.state()) {
        (Verdict::Rest, _) => return Some(io),
        (Verdict::Move, _) => return handoff::offer(io, limits.age()).await,
        (Verdict::SlowHead, _) => io.refuse(SLOW_HEAD).await,
        (Verdict::Deadline, State::Head) => refuse(io, track).await,
        (Verdict::Idle | Verdict::Stuck, State::Head) => return Some(io),
        _ => match io.look() {
            Look::Bytes if verdict == Verdict::Deadline => refuse(io, track).await,
            Look::Bytes => return Some(io),
            Look::End => {}
            Look::Nothing => close_idle(io, track).await,
        },
    }
    None
}

async fn refuse(io: Box<Io>, track: &Track) {
    track.all.metrics.cut.inc();
    tracing::warn!(connection = track.id, "cut at the deadline: a request not begun, answered 503");
    io.refuse(TOO_LATE).await;
}

async fn close_idle(mut io: Box<Io>, track: &Track) {
    let metrics = &track.all.metrics;
    if track.all.phase() != Phase::Serving {
        metrics.lingered.inc();
    }
    let late_bytes = io.close().await;
    if late_bytes > 0 {
        metrics.lost.inc();
        tracing::warn!(
            connection = track.id,
            "lost: {late_bytes} bytes arrived on an idle connection after it was closed"
        );
    }
}
