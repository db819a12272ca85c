//! Accepting from sockets that are shared with siblings (and with systemd).
//!
//! The open file description of a listener is shared too: the start of a sibling can clear
//! O_NONBLOCK under our feet, and a lost race would then block the whole runtime in accept. So it
//! is set again before each accept, and SO_RCVTIMEO bounds what is left of the race.

use std::future::poll_fn;
use std::io;
use std::net::TcpListener as StdTcp;
use std::os::unix::net::UnixListener as StdUnix;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

use super::connections::{Connections, Phase};
use super::inherit::Socket;
use super::stream::{Peer, Stream};
use super::{App, Error, connection};

/// How long an accept may block when a sibling's start makes the shared socket blocking.
const ACCEPT_LIMIT: Duration = Duration::from_millis(1);

/// How long to wait when descriptors or memory have run out.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A listening socket, ready to accept from.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(crate) fn all(sockets: Vec<Socket>) -> Result<Vec<Self>, Error> {
        sockets.into_iter().map(|socket| Self::new(socket).map_err(Error::Listener)).collect()
    }

    fn new(socket: Socket) -> io::Result<Self> {
        let Socket { name, fd, is_tcp } = socket;
        tracing::debug!("accepting from {name}");
        ioctl_fionbio(&fd, true)?;
        set_socket_timeout(&fd, Timeout::Recv, Some(ACCEPT_LIMIT))?;
        Ok(match is_tcp {
            true => Self::Tcp(TcpListener::from_std(StdTcp::from(fd))?),
            false => Self::Unix(UnixListener::from_std(StdUnix::from(fd))?),
        })
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        match self {
            Self::Tcp(tcp) => {
                ioctl_fionbio(tcp, true)?;
                let accepted = tcp.poll_accept(cx);
                accepted.map_ok(|(client, peer)| (Stream::Tcp(client), Peer::Tcp(peer)))
            }
            Self::Unix(unix) => {
                ioctl_fionbio(unix, true)?;
                unix.poll_accept(cx).map_ok(|(client, _)| (Stream::Unix(client), Peer::Unix))
            }
        }
    }
}

/// Accepts from all `listeners` until it is dropped, which closes our copies of them and nothing
/// else: a `shutdown()` would end them for every sibling.
pub(crate) fn start<A: App>(
    listeners: Vec<Listener>,
    app_for: impl Fn(&Peer) -> A + Send + 'static,
    connections: &Arc<Connections>,
) -> JoinSet<()> {
    [accept(listeners, app_for, connections.clone())].into_iter().collect()
}

async fn accept<A: App>(
    mut listeners: Vec<Listener>,
    app_for: impl Fn(&Peer) -> A,
    connections: Arc<Connections>,
) {
    while connections.phase() == Phase::Serving {
        // A place first: at the limit, clients are left in the queue for the siblings.
        let Ok(place) = connections.room.clone().acquire_owned().await else { return };
        match poll_fn(|cx| poll_any(&listeners, cx)).await {
            Ok((stream, peer)) => {
                let (app, entry) = (app_for(&peer), connections.open(place));
                tokio::spawn(connection::serve(stream, app, entry));
            }
            Err(error) => bear(&error).await,
        }
        // Nobody goes first twice in a row.
        listeners.rotate_left(1);
    }
}

fn poll_any(listeners: &[Listener], cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
    let mut polled = listeners.iter().map(|listener| listener.poll_accept(cx));
    polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
}

/// A client that went before it was accepted is nothing; anything else, such as being out of
/// descriptors or memory, is worth a line and a pause.
async fn bear(error: &io::Error) {
    match Errno::from_io_error(error) {
        Some(Errno::CONNABORTED | Errno::INTR | Errno::PROTO | Errno::PERM) => {}
        _ => {
            tracing::warn!("cannot accept, trying again in {BACK_OFF:?}: {error}");
            tokio::time::sleep(BACK_OFF).await;
        }
    }
}
