//! One connection on its way to somebody else.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::handoff::{Cargo, Conn, Frame, MAX_HOPS, MAX_UNREAD, Record};
use crate::worker::connections::Phase;
use crate::worker::io::Io;
use crate::worker::stream::Stream;

/// What is sent of a connection, and who waits to hear what became of it.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(super) fd: OwnedFd,
    pub(super) unread: Bytes,
    pub(super) record: Record,
    reply: oneshot::Sender<Reply>,
}

#[derive(Debug)]
enum Reply {
    Given,
    Parked,
    Kept(OwnedFd, Bytes),
}

impl Cargo for Parcel {
    fn unread(&self) -> usize {
        self.unread.len()
    }
}

impl Parcel {
    /// Somebody else has it: our duplicate of the descriptor is closed.
    pub(super) fn given(self) {
        drop(self.fd);
        let _ = self.reply.send(Reply::Given);
    }

    /// systemd has it, for the next run of the unit; our duplicate is closed.
    pub(super) fn parked(self) {
        drop(self.fd);
        let _ = self.reply.send(Reply::Parked);
    }

    /// It stays here.
    pub(super) fn kept(self) {
        let _ = self.reply.send(Reply::Kept(self.fd, self.unread));
    }
}

/// The message that tells of these connections.
pub(super) fn message(seq: u32, batch: &[Parcel]) -> Vec<u8> {
    let conns = batch.iter().map(|it| Conn { record: it.record, unread: &it.unread }).collect();
    Frame::Conns { seq, conns }.encode()
}

/// What goes with the message.
pub(super) fn descriptors(batch: &[Parcel]) -> Vec<BorrowedFd<'_>> {
    batch.iter().map(|parcel| parcel.fd.as_fd()).collect()
}

/// Gives away a connection that is at rest, and has been for `age`; returns it when it stays.
pub(crate) async fn offer(io: Box<Io>, age: Duration) -> Option<Box<Io>> {
    let track = io.track().clone();
    let record = Record { hops: io.hops(), is_fresh: io.is_fresh(), age: millis(age) };
    let outbox = track.answer_call().or_else(|| track.all.outbox().cloned());
    let Some(outbox) = outbox.filter(|_| is_movable(&io, record)) else {
        if track.all.is_moving() {
            track.note_unmovable();
        }
        return Some(io);
    };
    let (parked, stream, unread) = io.park();
    // It has left our epoll here; a duplicate in it would go on waking us.
    let fd = match stream.into_fd() {
        Ok(fd) => fd,
        Err(error) => {
            tracing::warn!(connection = track.id, "lost on its way to a sibling: {error}");
            track.all.metrics.lost.inc();
            return None;
        }
    };
    let (reply, answer) = oneshot::channel();
    if let Err(unsent) = outbox.send(Parcel { fd, unread, record, reply }) {
        unsent.0.kept();
    }
    match answer.await {
        Ok(Reply::Kept(fd, unread)) => {
            let stream = Stream::from_fd(fd).inspect_err(|error| {
                tracing::debug!(connection = track.id, "gone while it was to move: {error}");
            });
            Some(parked.resume(stream.ok()?, unread))
        }
        Ok(Reply::Given) => {
            let metrics = &track.all.metrics;
            match track.all.phase() {
                Phase::Serving => metrics.balanced.inc(),
                _ => metrics.moved.inc(),
            };
            None
        }
        Ok(Reply::Parked) => {
            track.all.metrics.parked.inc();
            None
        }
        // The giver itself was dropped, at the very end of the worker.
        Err(_) => None,
    }
}

fn is_movable(io: &Io, record: Record) -> bool {
    record.hops <= MAX_HOPS && io.unread() <= MAX_UNREAD
}

fn millis(age: Duration) -> u32 {
    age.as_millis().try_into().unwrap_or(u32::MAX)
}
