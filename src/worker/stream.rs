//! A connected stream, of TCP or unix, and who is at its other end.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::net::{AddressFamily, SocketType, getsockname};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connected stream.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// A connected stream that somebody else had before.
    pub(crate) fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        if socket_type(&fd)? != SocketType::STREAM || socket_acceptconn(&fd)? {
            return Err(io::Error::other("not a connected stream"));
        }
        match getsockname(&fd)?.address_family() {
            AddressFamily::INET | AddressFamily::INET6 => {
                let tcp = std::net::TcpStream::from(fd);
                tcp.set_nonblocking(true)?;
                TcpStream::from_std(tcp).map(Self::Tcp)
            }
            AddressFamily::UNIX => {
                let unix = std::os::unix::net::UnixStream::from(fd);
                unix.set_nonblocking(true)?;
                UnixStream::from_std(unix).map(Self::Unix)
            }
            _ => Err(io::Error::other("neither TCP nor unix")),
        }
    }

    /// The descriptor, which the runtime watches no more.
    pub(crate) fn into_fd(self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(tcp) => tcp.into_std().map(OwnedFd::from),
            Self::Unix(unix) => unix.into_std().map(OwnedFd::from),
        }
    }

    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(tcp) => tcp.poll_read_ready(cx),
            Self::Unix(unix) => unix.poll_read_ready(cx),
        }
    }

    pub(crate) fn peer(&self) -> io::Result<Peer> {
        match self {
            Self::Tcp(tcp) => tcp.peer_addr().map(Peer::Tcp),
            Self::Unix(_) => Ok(Peer::Unix),
        }
    }
}

/// Who is at the other end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    Unix,
}

macro_rules! of_either {
    ($stream:expr, $it:ident => $act:expr) => {
        match $stream.get_mut() {
            Self::Tcp(tcp) => {
                let $it = Pin::new(tcp);
                $act
            }
            Self::Unix(unix) => {
                let $it = Pin::new(unix);
                $act
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        of_either!(self, it => it.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        of_either!(self, it => it.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        of_either!(self, it => it.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_either!(self, it => it.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_either!(self, it => it.poll_shutdown(cx))
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(tcp) => tcp.as_fd(),
            Self::Unix(unix) => unix.as_fd(),
        }
    }
}
