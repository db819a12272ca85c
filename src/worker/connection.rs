//! One connection, ours from accept to close.
//!
//! ```text
//! accept ─► sniff ─► HTTP/1 or HTTP/2 ─► closed by the client, by a limit, or by the drain
//!                         └─► tunnel: whoever took the stream closes it
//! ```

use socket2::SockRef;
use tokio::net::TcpStream;

use super::App;
use super::connections::{Entry, Phase};
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
    let track = &entry.track.clone();
    if let Stream::Tcp(tcp) = &stream {
        prepare(tcp);
    }
    let mut io = Io::new(stream, entry);
    let mut limits = Limits::new(track.clone());
    loop {
        match sniff(&mut io, &mut limits).await {
            Sniffed::Speaks(protocol) => {
                let service = Tracked { app, track: track.clone(), protocol };
                match protocol {
                    Protocol::Http1 => http1::serve(io, service, limits).await,
                    Protocol::Http2 => http2::serve(io, service, limits).await,
                }
                break;
            }
            Sniffed::Gone => break,
            Sniffed::Over(verdict) => match leave(io, track, verdict).await {
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

/// Closes a connection on which no request is being answered, unless a last look finds that the
/// client was faster: then it is given back, to be served.
pub(crate) async fn leave(mut io: Io, track: &Track, verdict: Verdict) -> Option<Io> {
    match (verdict, track.state()) {
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

async fn refuse(io: Io, track: &Track) {
    track.all.metrics.cut.inc();
    tracing::warn!(connection = track.id, "cut at the deadline: a request not begun, answered 503");
    io.refuse(TOO_LATE).await;
}

async fn close_idle(mut io: Io, track: &Track) {
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
