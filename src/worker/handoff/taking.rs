//! Taking the connections of siblings that drain.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::Place;
use super::socket::{Link, Listener, Packet};
use crate::handoff::{Conn, Frame, Hello, Record, Taker};
use crate::worker::connections::Connections;
use crate::worker::stream::Stream;

/// So many siblings may hand over at a time.
const MOST_LINKS: usize = 32;

/// How long to wait when descriptors or memory have run out.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A connection that a sibling has given us, or the unit's last run has left.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) stream: Stream,
    pub(crate) unread: Bytes,
    pub(crate) record: Record,
}

/// The open hand-off socket; dropped, it is gone, and nothing more is taken: what is on its way
/// goes back to its giver.
#[derive(Debug, Default)]
pub(crate) struct Taking {
    tasks: JoinSet<()>,
    path: Option<PathBuf>,
}

impl Taking {
    /// Opens the socket; each connection that comes is brought to `adopt` in its turn. Without the
    /// socket the worker serves as well, so what is wrong is only told.
    pub(crate) fn open(
        place: &Place,
        connections: &Arc<Connections>,
        adopt: impl Fn(Adopted, OwnedSemaphorePermit) + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = match Listener::bind(&place.path) {
            Ok(listener) => listener,
            Err(error) => {
                let path = place.path.display();
                tracing::warn!("{path}: no connections of siblings can be taken: {error}");
                return Self::default();
            }
        };
        let desk = Desk { group: place.group, connections: connections.clone(), adopt };
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, desk));
        Self { tasks, path: Some(place.path.clone()) }
    }

    /// Takes nothing more. Waited for, so that whoever was just being adopted is in the books.
    pub(crate) async fn stop(&mut self) {
        self.unlink();
        self.tasks.shutdown().await;
    }

    fn unlink(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.unlink();
    }
}

/// What every link needs.
#[derive(Clone)]
struct Desk<F> {
    group: u64,
    connections: Arc<Connections>,
    adopt: F,
}

async fn accept<F: Fn(Adopted, OwnedSemaphorePermit) + Clone + Send + Sync + 'static>(
    listener: Listener,
    desk: Desk<F>,
) {
    let room = Arc::new(Semaphore::new(MOST_LINKS));
    let mut links = JoinSet::new();
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok(link) => {
                let desk = desk.clone();
                links.spawn(async move {
                    let _place = place;
                    if let Err(error) = desk.serve(&link).await {
                        tracing::warn!("a hand-over ended early: {error}");
                    }
                });
            }
            Err(error) => {
                tracing::warn!("cannot take connections, trying again: {error}");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
        while links.try_join_next().is_some() {}
    }
}

impl<F: Fn(Adopted, OwnedSemaphorePermit)> Desk<F> {
    async fn serve(&self, link: &Link) -> io::Result<()> {
        link.send(&Frame::Hello(self.hello()).encode()).await?;
        let mut taker = Taker::default();
        while let Some(Packet { bytes, descriptors }) = link.receive().await? {
            match Frame::decode(&bytes).map_err(io::Error::other)? {
                Frame::Conns { seq, conns } => {
                    self.take(link, &mut taker, seq, &conns, descriptors).await?;
                }
                other => return Err(io::Error::other(format!("unexpected: {other:?}"))),
            }
        }
        Ok(())
    }

    fn hello(&self) -> Hello {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Hello {
            group: self.group,
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
        Ok(())
    }

    fn places(&self, most: usize) -> Vec<OwnedSemaphorePermit> {
        let room = &self.connections.room;
        std::iter::from_fn(|| room.clone().try_acquire_owned().ok()).take(most).collect()
    }

    fn adopt(&self, fd: OwnedFd, conn: &Conn<'_>, place: OwnedSemaphorePermit) {
        let unread = Bytes::copy_from_slice(conn.unread);
        match Stream::from_fd(fd) {
            Ok(stream) => {
                self.connections.metrics.adopted.inc();
                (self.adopt)(Adopted { stream, unread, record: conn.record }, place);
            }
            Err(error) => tracing::debug!("a connection that was taken over is gone: {error}"),
        }
    }
}

/// The giver is gone for good, and so has lost what it gave.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
