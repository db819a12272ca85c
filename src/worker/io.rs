//! The bytes of a connection: hyper reads and writes through here, so that the connection stays
//! ours, its bytes are noted, and it is closed so that the client reads all that was sent.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use rustix::net::{RecvFlags, recv};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::connections::Entry;
use super::framing::Framing;
use super::stream::Stream;
use super::track::Track;
use crate::handoff::Record;

/// A connection that was here for so long was not just passed on.
const STAY: Duration = Duration::from_millis(10);

/// How long a client has to close its side once ours is closed.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// A stream that is noted, can be looked at once more, and lingers when it is closed.
///
/// It goes about in a box: a future keeps room twice for what it is called with, and so does the one
/// that calls it. The task of an idle connection was 3.7 KiB large, and is 0.9 KiB.
#[derive(Debug)]
pub(crate) struct Io {
    /// Before the entry: what has left the books is closed.
    stream: Stream,
    entry: Entry,
    /// Bytes that were read before hyper was asked to.
    unread: Bytes,
    /// Follows what the kernel gives; `None`: it is not HTTP/1.
    framing: Option<Framing>,
    refused: Option<Refused>,
    closing: Closing,
    late_bytes: u64,
    arrival: Option<Arrival>,
}

/// When a connection came from a sibling, having been passed on so often.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: Instant,
    hops: u8,
    is_fresh: bool,
}

/// A connection without its stream, which may be on its way to somebody else.
#[derive(Debug)]
pub(crate) struct Parked {
    entry: Entry,
    framing: Option<Framing>,
    arrival: Option<Arrival>,
}

impl Parked {
    pub(crate) fn resume(self, stream: Stream, unread: Bytes) -> Box<Io> {
        let Self { entry, framing, arrival } = self;
        let mut io = Box::new(Io { framing, arrival, ..Io::at_first(stream, entry) });
        io.put_back(unread);
        io
    }
}

/// Bytes that hyper must not read: in their place it reads some that it refuses wherever they come,
/// and then the end. So the answer, and what happens to the requests before, stays its affair.
#[derive(Debug)]
struct Refused {
    instead: &'static [u8],
    bytes: Bytes,
}

/// A NUL is an error in every part of a head, a trailer or a chunk's size, a line feed without a
/// carriage return in a chunk's extension; and hyper looks at a head only when it sees its end.
const REFUSED_BY_HYPER: &[u8] = b"\0\n\r\n\r\n";

/// Closing with unread bytes in the kernel resets the connection and can destroy the end of the
/// last response, so our side is closed first and the client's is read to its end.
#[derive(Debug)]
enum Closing {
    Not,
    Discarding(Option<Pin<Box<Sleep>>>),
    Done,
}

/// What a last look at an idle connection found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Nothing,
    Bytes,
    End,
}

impl Io {
    pub(crate) fn new(stream: Stream, entry: Entry) -> Box<Self> {
        Box::new(Self::at_first(stream, entry))
    }

    fn at_first(stream: Stream, entry: Entry) -> Self {
        Self {
            stream,
            entry,
            unread: Bytes::new(),
            framing: Some(Framing::default()),
            refused: None,
            closing: Closing::Not,
            late_bytes: 0,
            arrival: None,
        }
    }

    /// A connection that came from a sibling, with what that had read of it.
    pub(crate) fn adopt(stream: Stream, entry: Entry, unread: Bytes, record: Record) -> Box<Self> {
        let Record { hops, is_fresh, .. } = record;
        let arrival = Some(Arrival { at: Instant::now(), hops, is_fresh });
        let mut io = Box::new(Self { arrival, ..Self::at_first(stream, entry) });
        let sound = io.follow(&unread);
        io.put_back(unread.slice(..sound));
        io
    }

    pub(crate) fn track(&self) -> &Arc<Track> {
        &self.entry.track
    }

    /// How often it will have been passed on when it is now, at once each time.
    pub(crate) fn hops(&self) -> u8 {
        let recent = self.arrival.filter(|arrival| arrival.at.elapsed() < STAY);
        recent.map_or(0, |arrival| arrival.hops).saturating_add(1)
    }

    /// Whether nobody has had a request of it, so that what it speaks is not known.
    pub(crate) fn is_fresh(&self) -> bool {
        let was_fresh = self.arrival.is_none_or(|arrival| arrival.is_fresh);
        was_fresh && self.entry.track.begun() == 0
    }

    /// How many bytes wait to be read by hyper.
    pub(crate) fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Takes a connection at rest apart, into what goes and what stays.
    pub(crate) fn park(self: Box<Self>) -> (Parked, Stream, Bytes) {
        let Self { stream, entry, unread, framing, arrival, .. } = *self;
        (Parked { entry, framing, arrival }, stream, unread)
    }

    /// Whether all that came was read to the end of a request, or to the middle of a head.
    fn is_between_requests(&self) -> bool {
        let begun = self.entry.track.begun();
        self.framing.as_ref().is_some_and(|framing| framing.is_behind(begun))
    }

    /// hyper wants more bytes. It has no request in its hands when all that came were answered, so
    /// from here on what the client sends can be for a sibling.
    fn is_to_leave_the_rest(&self) -> bool {
        let track = &self.entry.track;
        track.note_asked(self.is_between_requests());
        track.is_to_move()
    }

    /// Ready when there is something to read: until then, nobody needs a buffer for it.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.unread.is_empty() || self.refused.is_some() {
            return Poll::Ready(());
        }
        if self.is_to_leave_the_rest() {
            return Poll::Pending;
        }
        // What is wrong with it shows when it is read.
        self.stream.poll_read_ready(cx).map(drop)
    }

    /// Puts bytes back in front: hyper had read them, or the sniff had.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        // Nothing, and yet perhaps hyper's buffer.
        if bytes.is_empty() {
            return;
        }
        self.entry.track.note_read(0);
        self.unread = match self.unread.is_empty() {
            true => bytes,
            false => [bytes, std::mem::take(&mut self.unread)].concat().into(),
        };
    }

    /// Reads what the kernel has right now, past tokio, which only knows what epoll told it last.
    pub(crate) fn look(&mut self) -> Look {
        let mut bytes = vec![0; 4096];
        match recv(self.stream.as_fd(), &mut bytes, RecvFlags::DONTWAIT) {
            Ok((0, _)) => Look::End,
            Ok((read, _)) => {
                bytes.truncate(self.follow(&bytes[..read]));
                self.entry.track.note_read(read);
                self.put_back(bytes.into());
                Look::Bytes
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Look::Nothing,
            Err(_) => Look::End,
        }
    }

    /// From here on, what the client sends is no HTTP/1 (an upgrade, HTTP/2): all of it is passed on.
    pub(crate) fn leave_http1(&mut self) {
        self.framing = None;
        if let Some(Refused { bytes, .. }) = self.refused.take() {
            self.unread = [std::mem::take(&mut self.unread), bytes].concat().into();
        }
    }

    /// How many of the bytes just read hyper may read.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let Some(framing) = &mut self.framing else { return bytes.len() };
        let Err(fault) = framing.follow(bytes) else { return bytes.len() };
        if let Some(request) = fault.request {
            self.entry.track.note_malformed(request);
        }
        let bytes = Bytes::copy_from_slice(&bytes[fault.sound..]);
        self.refused = Some(Refused { instead: REFUSED_BY_HYPER, bytes });
        fault.sound
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => self.entry.track.note_written(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.entry.track.note_stalled(),
        }
    }

    /// Closes our side, reads on to the client's end, and returns how many bytes came too late.
    pub(crate) async fn close(&mut self) -> u64 {
        let _ = self.shutdown().await;
        self.late_bytes
    }

    /// Writes a last response of our own, then closes.
    pub(crate) async fn refuse(mut self: Box<Self>, response: &'static str) {
        self.entry.track.note_closing();
        let written = tokio::time::timeout(CLOSE_LIMIT, self.write_all(response.as_bytes())).await;
        if matches!(written, Ok(Ok(()))) {
            self.close().await;
        }
    }

    /// Ends the connection so that no client takes it for the end of a response.
    pub(crate) fn reset(self) {
        if let Stream::Tcp(tcp) = &self.stream {
            let _ = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        }
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 8192];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.late_bytes += buffer.filled().len() as u64;
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
            if self.is_out_of_time(cx) {
                return Poll::Ready(());
            }
        }
        match self.is_out_of_time(cx) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn is_out_of_time(&mut self, cx: &mut Context<'_>) -> bool {
        let Closing::Discarding(limit) = &mut self.closing else { return true };
        let limit = limit.get_or_insert_with(|| Box::pin(sleep(CLOSE_LIMIT)));
        limit.as_mut().poll(cx).is_ready()
    }
}

impl Refused {
    fn give_instead(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.instead.len().min(buffer.remaining());
        let (now, later) = self.instead.split_at(length);
        buffer.put_slice(now);
        self.instead = later;
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let length = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread[..length]);
            self.unread.advance(length);
            self.entry.track.note_read(length);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if self.refused.is_none() {
            if self.is_to_leave_the_rest() {
                return Poll::Pending;
            }
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            let read = buffer.filled().len() - before;
            if read > 0 {
                self.entry.track.note_read(read);
            }
            let sound = self.follow(&buffer.filled()[before..]);
            buffer.set_filled(before + sound);
        }
        match &mut self.refused {
            // An empty read would be the client's end.
            Some(refused) if buffer.filled().len() == before => refused.give_instead(buffer),
            _ => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper flushes only when it has written all it had: that is when a response is out.
    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let track = &self.entry.track;
        track.note_flushed();
        if let Some(tunnel) = track.tunnel() {
            tunnel.open(self.stream.as_fd(), track);
            self.leave_http1();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.entry.track.is_tunnel() {
            // What comes from the other side is for whoever has the tunnel to read.
            return Pin::new(&mut self.stream).poll_shutdown(cx);
        }
        if matches!(self.closing, Closing::Not) {
            self.entry.track.note_closing();
            self.closing = match ready!(Pin::new(&mut self.stream).poll_shutdown(cx)) {
                Ok(()) => Closing::Discarding(None),
                Err(_) => Closing::Done,
            };
        }
        if matches!(self.closing, Closing::Discarding(_)) {
            ready!(self.poll_discard(cx));
            self.closing = Closing::Done;
        }
        Poll::Ready(Ok(()))
    }
}
