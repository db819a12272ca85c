//! Taking over, before READY, what the unit's last run left with systemd.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::doors::Door;
use super::locker::Left;
use super::socket::Packet;
use super::taking::Adopted;
use crate::handoff::{Conn, Frame};
use crate::worker::connections::Connections;
use crate::worker::inherit::Socket;
use crate::worker::notify;
use crate::worker::stream::Stream;

/// What was left, and the addresses that are still ours.
#[derive(Debug, Default)]
pub(crate) struct Fetching {
    lockers: Vec<Left>,
    doors: Vec<Door>,
}

impl Fetching {
    pub(crate) fn new(lockers: Vec<Left>, sockets: &[Socket]) -> Self {
        let doors = sockets.iter().filter_map(|socket| Door::of(&socket.fd)).collect();
        Self { lockers, doors }
    }

    /// Brings each connection to `adopt` in its turn. systemd forgets them first, so that they have
    /// one owner: should we die, nobody else has a connection that we began to serve.
    pub(crate) fn fetch(
        self,
        connections: &Arc<Connections>,
        adopt: impl Fn(Adopted, OwnedSemaphorePermit),
    ) {
        for locker in &self.lockers {
            match notify::forget(&locker.name)
                .and_then(|()| self.empty(locker, connections, &adopt))
            {
                Ok(()) => {}
                Err(error) => tracing::warn!("{}: connections are lost: {error}", locker.name),
            }
        }
    }

    /// Whoever has the sockets now is none of ours: what was left is closed.
    pub(crate) fn discard(self) {
        for locker in &self.lockers {
            let _ = notify::forget(&locker.name);
        }
    }

    fn empty(
        &self,
        locker: &Left,
        connections: &Arc<Connections>,
        adopt: &impl Fn(Adopted, OwnedSemaphorePermit),
    ) -> io::Result<()> {
        while let Some(Packet { bytes, descriptors }) = locker.take()? {
            let Frame::Conns { conns, .. } = Frame::decode(&bytes).map_err(io::Error::other)?
            else {
                return Err(io::Error::other("something else is in it"));
            };
            for (fd, conn) in descriptors.into_iter().zip(&conns) {
                let place = connections.room.clone().try_acquire_owned().map_err(io::Error::other);
                match self.admit(fd, conn).and_then(|adopted| Ok((adopted, place?))) {
                    Ok((adopted, place)) => {
                        connections.metrics.resumed.inc();
                        adopt(adopted, place);
                    }
                    Err(error) => {
                        connections.metrics.lost.inc();
                        tracing::warn!("lost: a connection that the last run left: {error}");
                    }
                }
            }
        }
        Ok(())
    }

    fn admit(&self, fd: OwnedFd, conn: &Conn<'_>) -> io::Result<Adopted> {
        let own = Door::of(&fd).ok_or_else(|| io::Error::other("it has no address"))?;
        if !self.doors.iter().any(|door| door.lets_in(&own)) {
            return Err(io::Error::other("it came in at an address that is not ours any more"));
        }
        let unread = Bytes::copy_from_slice(conn.unread);
        Ok(Adopted { stream: Stream::from_fd(fd)?, unread, record: conn.record })
    }
}
