//! Where the app listens: a port on the loopback, or the path of a unix socket.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;

use crate::worker::Stream;

/// How long a connect waits for room in the app's queue before it looks again.
const QUEUE_PAUSE: Duration = Duration::from_millis(2);

/// The place at which the app is reached.
#[derive(Debug)]
pub(crate) enum Place {
    /// A port of 127.0.0.1, or of ::1 where the app listens only there.
    Port {
        port: u16,
        is_v6: AtomicBool,
        /// Keeps the kernel from giving a port that it chose to anybody else.
        _reserved: Vec<Socket>,
    },
    Socket(PathBuf),
}

impl Place {
    pub(crate) fn port(port: u16) -> Self {
        Self::Port { port, is_v6: AtomicBool::new(false), _reserved: Vec::new() }
    }

    /// A port that nobody has, and nobody will be given as long as this place is there.
    ///
    /// The sockets that keep it are bound and never listen. With `SO_REUSEADDR` on both sides, as
    /// servers set it, another one that asks for this very port can still be bound to it.
    pub(crate) fn free_port() -> io::Result<Self> {
        loop {
            let v4 = reserve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            let port = v4.local_addr()?.as_socket().map_or(0, |address| address.port());
            let v6 = match reserve(SocketAddr::from((Ipv6Addr::LOCALHOST, port))) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue,
                // A machine without IPv6 has nobody there either.
                v6 => v6.ok(),
            };
            let _reserved = [v4].into_iter().chain(v6).collect();
            return Ok(Self::Port { port, is_v6: AtomicBool::new(false), _reserved });
        }
    }

    /// Connects; refused at both addresses is refused at the first.
    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Socket(path) => connect_unix(path).await,
            Self::Port { port, is_v6, .. } => {
                let first = is_v6.load(Relaxed);
                match connect_tcp(*port, first).await {
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                        let stream = connect_tcp(*port, !first).await.map_err(|_| error)?;
                        is_v6.store(!first, Relaxed);
                        Ok(stream)
                    }
                    connected => connected,
                }
            }
        }
    }
}

fn reserve(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

async fn connect_tcp(port: u16, is_v6: bool) -> io::Result<Stream> {
    let host = if is_v6 { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { Ipv4Addr::LOCALHOST.into() };
    let tcp = TcpStream::connect(SocketAddr::new(host, port)).await?;
    // Nobody listens, and the kernel chose this very port for our end: TCP then connects a socket
    // to itself (RFC 9293, 3.5, simultaneous open).
    if tcp.local_addr()? == tcp.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    tcp.set_nodelay(true)?;
    Ok(Stream::Tcp(tcp))
}

/// A unix socket whose queue is full says so at once, where TCP would let the client wait.
async fn connect_unix(path: &PathBuf) -> io::Result<Stream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(QUEUE_PAUSE).await,
            connected => return connected.map(Stream::Unix),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { port, .. } => write!(f, "port {port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_free_port_is_for_whoever_asks_for_it_as_servers_do() {
        let place = Place::free_port().unwrap();
        let Place::Port { port, .. } = place else { unreachable!() };
        for ip in ["127.0.0.1", "0.0.0.0", "::1", "::"] {
            let address = SocketAddr::new(ip.parse().unwrap(), port);
            let stranger = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
            stranger.bind(&address.into()).unwrap_err();
            // The app, and the app again.
            drop(TcpListener::bind(address).unwrap());
            drop(TcpListener::bind(address).unwrap());
        }
    }
}
