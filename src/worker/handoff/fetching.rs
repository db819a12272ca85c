//! Taking over, before READY, what the unit's last run left with systemd.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::desk::Adopted;
use super::doors::Door;
use super::locker::Left;
use super::socket::Packet;
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
        let (stale, lockers) = lockers.into_iter().partition::<Vec<_>, _>(Left::is_stale);
        if !stale.is_empty() {
            tracing::warn!("connections that were left are closed: they had to wait too long");
        }
        forget(&stale);
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
        forget(&self.lockers);
        for locker in &self.lockers {
            if let Err(error) = self.empty(locker, connections, &adopt) {
                tracing::warn!("{}: cannot be emptied: {error}", locker.name);
            }
        }
    }

    /// Whoever has the sockets now is none of ours: what was left is closed.
    pub(crate) fn discard(self) {
        forget(&self.lockers);
    }

    fn empty(
        &self,
        locker: &Left,
        connections: &Arc<Connections>,
        adopt: &impl Fn(Adopted, OwnedSemaphorePermit),
    ) -> io::Result<()> {
        while let Some(Packet { bytes, descriptors }) = locker.take()? {
            let lost = &connections.metrics.lost;
            let conns = match Frame::decode(&bytes) {
                Ok(Frame::Conns { conns, .. }) => conns,
                other => {
                    lost.inc_by(descriptors.len() as u64);
                    tracing::warn!("lost: {} connections, for {other:?}", descriptors.len());
                    continue;
                }
            };
            // The kernel leaves out what we have no descriptors for.
            lost.inc_by(conns.len().saturating_sub(descriptors.len()) as u64);
            for (fd, conn) in descriptors.into_iter().zip(&conns) {
                match self.admit(fd, conn, connections) {
                    Ok((adopted, place)) => {
                        connections.metrics.resumed.inc();
                        adopt(adopted, place);
                    }
                    Err(error) => {
                        lost.inc();
                        tracing::warn!("lost: a connection that the last run left: {error}");
                    }
                }
            }
        }
        Ok(())
    }

    fn admit(
        &self,
        fd: OwnedFd,
        conn: &Conn<'_>,
        connections: &Connections,
    ) -> io::Result<(Adopted, OwnedSemaphorePermit)> {
        let own = Door::of(&fd).ok_or_else(|| io::Error::other("it has no address"))?;
        if !self.doors.iter().any(|door| door.lets_in(&own)) {
            return Err(io::Error::other("it came in at an address that is not ours any more"));
        }
        let place = connections.room.clone().try_acquire_owned();
        let place = place.map_err(|_| io::Error::other("--max-connections is less than it was"))?;
        let unread = Bytes::copy_from_slice(conn.unread);
        Ok((Adopted { stream: Stream::from_fd(fd)?, unread, record: conn.record }, place))
    }
}

/// It fails only without systemd, who then has nothing either.
fn forget(lockers: &[Left]) {
    for locker in lockers {
        if let Err(error) = notify::forget(&locker.name) {
            tracing::warn!("{}: systemd was not told to forget it: {error}", locker.name);
        }
    }
}
