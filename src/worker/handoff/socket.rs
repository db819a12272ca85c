//! SEQPACKET sockets: a message is whole or not there.
//!
//! std and tokio know only STREAM ones, but whatever is done with their types here is the same for
//! both, and needs no unsafe code of ours.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;

use rustix::fs::{Mode, chmod};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    bind, connect, listen, recvmsg, sendmsg, socket_with,
};
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};

use crate::handoff::{MAX_BATCH, MAX_MESSAGE};

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Links that wait to be accepted.
const BACKLOG: i32 = 32;

/// A connected socket to a sibling.
#[derive(Debug)]
pub(super) struct Link(UnixStream);

/// A message as it came.
#[derive(Debug, Default)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
}

/// A listening socket.
#[derive(Debug)]
pub(super) struct Listener(UnixListener);

fn new_socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?)
}

impl Listener {
    /// In the place of whatever was left there.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let socket = new_socket()?;
        let _ = std::fs::remove_file(path);
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        // Nobody can connect before the next line.
        chmod(path, Mode::RUSR | Mode::WUSR)?;
        listen(&socket, BACKLOG)?;
        UnixListener::from_std(StdListener::from(socket)).map(Self)
    }

    /// The next link, by somebody of our own user.
    pub(super) async fn accept(&self) -> io::Result<Link> {
        loop {
            let (socket, _) = self.0.accept().await?;
            match is_ours(&socket) {
                true => return Ok(Link(socket)),
                false => tracing::warn!("another user wanted to hand connections over"),
            }
        }
    }
}

impl Link {
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let socket = new_socket()?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        let socket = UnixStream::from_std(StdStream::from(socket))?;
        match is_ours(&socket) {
            true => Ok(Self(socket)),
            false => Err(Errno::PERM.into()),
        }
    }

    /// Queues a message, or fails at once.
    pub(super) fn send_now(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        send(&self.0, bytes, fds)
    }

    /// Queues a message without descriptors; nothing is queued when this is dropped early.
    pub(super) async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.async_io(Interest::WRITABLE, || Ok(send(&self.0, bytes, &[])?)).await
    }

    /// The next message; `None` at the end of the link, when all that was sent on it has been read.
    pub(super) async fn receive(&self) -> io::Result<Option<Packet>> {
        loop {
            match self.0.async_io(Interest::READABLE, || receive(&self.0)).await {
                // It comes before the messages that are still to be read (findings: two owners).
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                received => return received,
            }
        }
    }
}

/// Queues a message on any unix socket, or fails at once.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_BATCH))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    let flags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags).map(drop)
}

/// The message that is there, if any.
pub(super) fn receive(socket: impl AsFd) -> io::Result<Option<Packet>> {
    let mut bytes = vec![0; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_BATCH))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC.union(RecvFlags::DONTWAIT);
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(socket, &mut slices, &mut control, flags)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            descriptors.extend(fds);
        }
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(Errno::MSGSIZE.into());
    }
    bytes.truncate(received.bytes);
    Ok((received.bytes > 0).then_some(Packet { bytes, descriptors }))
}

/// Descriptors of connections are for the same user only, whatever the modes of directories say.
fn is_ours(socket: &UnixStream) -> bool {
    socket.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}
