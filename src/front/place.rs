//! Where the app listens: a port on the loopback, or the path of a unix socket.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdTcp};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

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
    },
    Socket(PathBuf),
}

impl Place {
    pub(crate) fn port(port: u16) -> Self {
        Self::Port { port, is_v6: AtomicBool::new(false) }
    }

    /// A port that nobody listens on just now.
    pub(crate) fn free_port() -> io::Result<Self> {
        let listener = StdTcp::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self::port(listener.local_addr()?.port()))
    }

    /// Connects; refused at both addresses is refused at the first.
    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Socket(path) => connect_unix(path).await,
            Self::Port { port, is_v6 } => {
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
