//! What every link needs on which connections may come in.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::Place;
use super::giving;
use super::siblings::Sibling;
use super::socket::{Link, Packet};
use crate::handoff::{Conn, Frame, Hello, Record, Taker, may_go};
use crate::worker::connections::Connections;
use crate::worker::stream::Stream;

/// A connection that a sibling has given us, or the unit's last run has left.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) stream: Stream,
    pub(crate) unread: Bytes,
    pub(crate) record: Record,
}

impl Adopted {
    pub(super) fn new(fd: OwnedFd, conn: &Conn<'_>) -> io::Result<Self> {
        let unread = Bytes::copy_from_slice(conn.unread);
        Ok(Self { stream: Stream::from_fd(fd)?, unread, record: conn.record })
    }
}

/// Who serves it from here on.
pub(super) type Adopt = Arc<dyn Fn(Adopted, OwnedSemaphorePermit) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Desk {
    pub(super) place: Place,
    pub(super) connections: Arc<Connections>,
    pub(super) adopt: Adopt,
}

impl Desk {
    /// Serves one who has called: it gives us connections, or asks for some.
    pub(super) async fn serve(&self, link: Link) -> io::Result<()> {
        self.say_hello(&link).await?;
        match self.take_all(&link).await? {
            Some(message) => self.answer(link, &message).await,
            None => Ok(()),
        }
    }

    /// One that says who it is wants connections.
    async fn answer(&self, link: Link, message: &[u8]) -> io::Result<()> {
        let hello = match decode(message)? {
            // Whoever asks is not told no: the link ends.
            Frame::Hello(_) if !self.place.balances => return Ok(()),
            Frame::Hello(hello) if hello.group == self.place.group => hello,
            other => return Err(unexpected(&other)),
        };
        let Some(Packet { bytes, .. }) = link.receive().await? else { return Ok(()) };
        match decode(&bytes)? {
            Frame::Pull { wanted } => self.let_go(Sibling { link, hello }, wanted),
            other => return Err(unexpected(&other)),
        }
        Ok(())
    }

    fn let_go(&self, asker: Sibling, wanted: u16) {
        let most = may_go(self.hello().connections, &asker.hello, wanted);
        tracing::debug!("a sibling that has just started gets {most} connections");
        giving::let_go(asker, most as usize, &self.connections);
    }

    /// Takes the connections that come on a link, to its end or to a message of another kind.
    pub(super) async fn take_all(&self, link: &Link) -> io::Result<Option<Vec<u8>>> {
        let mut taker = Taker::default();
        while let Some(Packet { bytes, descriptors }) = link.receive().await? {
            match decode(&bytes)? {
                Frame::Conns { seq, conns } => {
                    self.take(link, &mut taker, seq, &conns, descriptors).await?;
                }
                _ => return Ok(Some(bytes)),
            }
        }
        Ok(None)
    }

    pub(super) async fn say_hello(&self, link: &Link) -> io::Result<()> {
        link.send(&Frame::Hello(self.hello()).encode()).await
    }

    pub(super) fn hello(&self) -> Hello {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Hello {
            group: self.place.group,
            connections: number(self.connections.count()),
            room: number(self.connections.room.available_permits()),
        }
    }

    /// Nothing of a connection is touched before the answer is queued.
    async fn take(
        &self,
        link: &Link,
        taker: &mut Taker,
        seq: u32,
        conns: &[Conn<'_>],
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<()> {
        let places = self.places(conns.len());
        let taken = taker.receive(seq, conns, descriptors.len(), places.len());
        let taken = taken.map_err(io::Error::other)?;
        let answer = Frame::Ack { seq, taken: taken as u16 };
        if let Err(error) = link.send(&answer.encode()).await
            && !is_gone(&error)
        {
            return Err(error);
        }
        // From here to the end nothing is waited for: they are ours, whatever happens to this link.
        let all = descriptors.into_iter().zip(conns).zip(places).take(taken);
        all.for_each(|((fd, conn), place)| self.adopt(fd, conn, place));
        self.connections.show_count();
        Ok(())
    }

    fn places(&self, most: usize) -> Vec<OwnedSemaphorePermit> {
        let room = &self.connections.room;
        std::iter::from_fn(|| room.clone().try_acquire_owned().ok()).take(most).collect()
    }

    fn adopt(&self, fd: OwnedFd, conn: &Conn<'_>, place: OwnedSemaphorePermit) {
        match Adopted::new(fd, conn) {
            Ok(adopted) => {
                self.connections.metrics.adopted.inc();
                (self.adopt)(adopted, place);
            }
            Err(error) => tracing::debug!("a connection that was taken over is gone: {error}"),
        }
    }
}

pub(super) fn decode(message: &[u8]) -> io::Result<Frame<'_>> {
    Frame::decode(message).map_err(io::Error::other)
}

pub(super) fn unexpected(message: &Frame<'_>) -> io::Error {
    io::Error::other(format!("unexpected: {message:?}"))
}

/// The giver is gone for good, and so has lost what it gave.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
