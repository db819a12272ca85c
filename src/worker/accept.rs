//! Accepting from sockets that are shared with siblings (and with systemd).
//!
//! The open file description of a listener is shared too: the start of a sibling can clear
//! O_NONBLOCK under our feet, and a lost race would then block the whole runtime in accept. So it
//! is set again before each accept, and SO_RCVTIMEO bounds what is left of the race.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpStream as StdTcp};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnix;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::sockopt::{
    Timeout, set_socket_keepalive, set_socket_timeout, set_tcp_keepcnt, set_tcp_keepidle,
    set_tcp_keepintvl, socket_keepalive,
};
use rustix::net::{SocketFlags, acceptfrom_with};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::board::Board;
use super::connections::Connections;
use super::handoff::Adopted;
use super::inherit::Socket;
use super::stream::{Peer, Stream};
use super::{App, DrainMode, Error, connection};

/// How long an accept may block when a sibling's start makes the shared socket blocking.
const ACCEPT_LIMIT: Duration = Duration::from_millis(1);

/// After so long without a word the kernel asks a client whether it is there, so often, and so many times
/// in vain before its connection is over: a tunnel has no other limit.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// How long to wait when descriptors or memory have run out.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A listening socket, ready to accept from.
#[derive(Debug)]
pub(crate) struct Listener {
    /// It is watched as any stream is. tokio's own listeners do not tell that somebody has come
    /// before they have accepted, and then it is too late to leave that to others.
    socket: UnixStream,
    is_tcp: bool,
    /// In the drain it is still accepted from.
    refuses: bool,
}

impl Listener {
    pub(crate) fn all(sockets: Vec<Socket>, mode: DrainMode) -> Result<Vec<Self>, Error> {
        let new = |socket| Self::new(socket, mode).map_err(Error::Listener);
        sockets.into_iter().map(new).collect()
    }

    fn new(socket: Socket, mode: DrainMode) -> io::Result<Self> {
        let refuses = mode == DrainMode::Refuse && socket.is_of_one_instance();
        let Socket { name, fd, is_tcp } = socket;
        tracing::debug!("accepting from {name}");
        ioctl_fionbio(&fd, true)?;
        set_socket_timeout(&fd, Timeout::Recv, Some(ACCEPT_LIMIT))?;
        if is_tcp && !socket_keepalive(&fd)? {
            notice_the_vanished(&fd)?;
        }
        let socket = UnixStream::from_std(StdUnix::from(fd))?;
        Ok(Self { socket, is_tcp, refuses })
    }

    /// Whoever has come; an error of kind `WouldBlock` when a sibling was faster.
    fn accept(&self) -> io::Result<(Stream, Peer)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (client, from) = self.socket.try_io(Interest::READABLE, || {
            ioctl_fionbio(&self.socket, true)?;
            Ok(acceptfrom_with(&self.socket, flags)?)
        })?;
        if !self.is_tcp {
            let client = UnixStream::from_std(StdUnix::from(client))?;
            return Ok((Stream::Unix(client), Peer::Unix));
        }
        let from = from.and_then(|from| SocketAddr::try_from(from).ok());
        let from = from.ok_or_else(|| io::Error::from(Errno::CONNABORTED))?;
        Ok((Stream::Tcp(TcpStream::from_std(StdTcp::from(client))?), Peer::Tcp(from)))
    }
}

/// Connections take these options from their listener (tcp(7)). KeepAlive= of the socket unit goes before
/// them.
fn notice_the_vanished(listener: &OwnedFd) -> io::Result<()> {
    set_socket_keepalive(listener, true)?;
    set_tcp_keepidle(listener, KEEPALIVE_IDLE)?;
    set_tcp_keepintvl(listener, KEEPALIVE_INTERVAL)?;
    Ok(set_tcp_keepcnt(listener, KEEPALIVE_PROBES)?)
}

/// Where every connection comes in: what serves it, and its entry into the books.
pub(crate) struct Doorway<F> {
    app_for: Mutex<F>,
    connections: Arc<Connections>,
}

impl<F> Doorway<F> {
    pub(crate) fn new(app_for: F, connections: &Arc<Connections>) -> Arc<Self> {
        Arc::new(Self { app_for: Mutex::new(app_for), connections: connections.clone() })
    }

    /// A poisoned lock only says that some other thread panicked.
    fn app_for<A>(&self, peer: &Peer) -> A
    where
        F: Fn(&Peer) -> A,
    {
        (self.app_for.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))(peer)
    }

    fn enter<A: App>(&self, stream: Stream, peer: Peer, place: OwnedSemaphorePermit)
    where
        F: Fn(&Peer) -> A,
    {
        self.connections.metrics.accepted.inc();
        let (app, entry) = (self.app_for(&peer), self.connections.open(place));
        self.connections.show_count();
        tokio::spawn(connection::serve(stream, app, entry));
    }

    /// Takes in what somebody else had before.
    pub(crate) fn adopt<A: App>(&self, adopted: Adopted, place: OwnedSemaphorePermit)
    where
        F: Fn(&Peer) -> A,
    {
        // One that is gone knows its peer no more.
        let Ok(peer) = adopted.stream.peer() else { return };
        let (app, entry) = (self.app_for(&peer), self.connections.open(place));
        tokio::spawn(connection::go_on(adopted, app, entry));
    }
}

/// The tasks that accept. Dropped, they close our copies of the listeners and nothing else: a
/// `shutdown()` would end them for every sibling.
#[derive(Debug, Default)]
pub(crate) struct Accepting {
    until_the_drain: JoinSet<()>,
    refusing: JoinSet<()>,
}

impl Accepting {
    pub(crate) fn start<A: App>(
        listeners: Vec<Listener>,
        doorway: &Arc<Doorway<impl Fn(&Peer) -> A + Send + 'static>>,
        board: Option<Board>,
    ) -> Self {
        let (refusing, others): (Vec<_>, Vec<_>) = listeners.into_iter().partition(|it| it.refuses);
        let mut all = Self::default();
        if !others.is_empty() {
            all.until_the_drain.spawn(accept(others, doorway.clone(), board));
        }
        if !refusing.is_empty() {
            all.refusing.spawn(accept(refusing, doorway.clone(), None));
        }
        all
    }

    /// Only who can be told to go elsewhere is still let in: from sockets that no sibling accepts
    /// from, whoever comes would else wait there for our next run.
    pub(crate) async fn refuse(&mut self) {
        // Waited for: with several threads a client may just be on its way in.
        self.until_the_drain.shutdown().await;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.refusing.is_empty()
    }

    pub(crate) async fn end(&mut self) {
        self.refusing.shutdown().await;
    }
}

async fn accept<A: App>(
    mut listeners: Vec<Listener>,
    doorway: Arc<Doorway<impl Fn(&Peer) -> A>>,
    mut board: Option<Board>,
) {
    let connections = &doorway.connections;
    loop {
        // A place first: at the limit, clients are left in the queue for the siblings.
        let Ok(place) = connections.room.clone().acquire_owned().await else { return };
        let at = poll_fn(|cx| poll_any(&listeners, cx)).await;
        let was_in_vain = match &mut board {
            Some(board) => {
                let accepted = connections.metrics.accepted.get();
                board.let_others_go_first(connections.count(), accepted).await
            }
            None => false,
        };
        match listeners[at].accept() {
            Ok((stream, peer)) => {
                if let Some(board) = board.as_mut().filter(|_| was_in_vain) {
                    board.give_up_for_a_while();
                }
                doorway.enter(stream, peer, place);
            }
            Err(error) => bear(&error).await,
        }
        // Nobody goes first twice in a row.
        listeners.rotate_left(1);
    }
}

/// At which of them somebody has come; what is wrong with one shows when it is accepted from.
fn poll_any(listeners: &[Listener], cx: &mut Context<'_>) -> Poll<usize> {
    let is_ready = |it: &Listener| it.socket.poll_read_ready(cx).is_ready();
    listeners.iter().position(is_ready).map_or(Poll::Pending, Poll::Ready)
}

/// A client that went before it was accepted, or to a sibling, is nothing; anything else, such as
/// being out of descriptors or memory, is worth a line and a pause.
async fn bear(error: &io::Error) {
    match Errno::from_io_error(error) {
        // As tokio says it.
        None if error.kind() == io::ErrorKind::WouldBlock => {}
        Some(Errno::CONNABORTED | Errno::INTR | Errno::PROTO | Errno::PERM) => {}
        _ => {
            tracing::warn!("cannot accept, trying again in {BACK_OFF:?}: {error}");
            tokio::time::sleep(BACK_OFF).await;
        }
    }
}
