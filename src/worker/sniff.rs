//! Which protocol a client speaks, told by its first bytes (at most 24 are waited for).

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use super::io::Io;
use super::limits::{Limits, Verdict};
use super::service::Protocol;

/// How every HTTP/2 connection with prior knowledge begins (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sniffed {
    Speaks(Protocol),
    /// The client went without having said anything.
    Gone,
    /// It had its time.
    Over(Verdict),
}

/// Reads until the protocol is known, and puts what was read back.
pub(crate) async fn sniff(io: &mut Io, limits: &mut Limits) -> Sniffed {
    let mut first = [0; PREFACE.len()];
    let mut length = 0;
    let sniffed = poll_fn(|cx| match poll_first(io, cx, &mut first, &mut length) {
        Poll::Ready(sniffed) => Poll::Ready(sniffed),
        Poll::Pending => limits.poll(cx).map(Sniffed::Over),
    });
    let sniffed = sniffed.await;
    io.put_back(Bytes::copy_from_slice(&first[..length]));
    sniffed
}

fn poll_first(
    io: &mut Io,
    cx: &mut Context<'_>,
    first: &mut [u8; 24],
    length: &mut usize,
) -> Poll<Sniffed> {
    loop {
        let mut buffer = ReadBuf::new(&mut first[*length..]);
        let read = ready!(Pin::new(&mut *io).poll_read(cx, &mut buffer));
        let read = read.map_or(0, |()| buffer.filled().len());
        *length += read;
        match PREFACE.starts_with(&first[..*length]) {
            _ if *length == 0 => return Poll::Ready(Sniffed::Gone),
            // The end in the middle of the preface is for the HTTP/1 parser to judge.
            true if read == 0 => return Poll::Ready(Sniffed::Speaks(Protocol::Http1)),
            true if *length < PREFACE.len() => {}
            true => return Poll::Ready(Sniffed::Speaks(Protocol::Http2)),
            false => return Poll::Ready(Sniffed::Speaks(Protocol::Http1)),
        }
    }
}
