//! Where connections come in: an address that is listened at, and the own address of a connection.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use rustix::net::{SocketAddrUnix, getsockname};

/// The address of a socket of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Tcp(SocketAddr),
    Unix(SocketAddrUnix),
}

impl Door {
    pub(super) fn of(socket: impl AsFd) -> Option<Self> {
        let address = getsockname(socket).ok()?;
        if let Ok(tcp) = SocketAddr::try_from(address.clone()) {
            return Some(Self::Tcp(tcp));
        }
        SocketAddrUnix::try_from(address).ok().map(Self::Unix)
    }

    /// Whether a connection with the own address `own` could have come in here.
    pub(super) fn lets_in(&self, own: &Self) -> bool {
        match (self, own) {
            (Self::Tcp(door), Self::Tcp(own)) => {
                let is_same = door.ip().to_canonical() == own.ip().to_canonical();
                door.port() == own.port() && (is_same || door.ip().is_unspecified())
            }
            (door, own) => door == own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(address: &str) -> Door {
        Door::Tcp(address.parse().unwrap())
    }

    fn unix(path: &str) -> Door {
        Door::Unix(SocketAddrUnix::new(path).unwrap())
    }

    #[test]
    fn a_connection_comes_in_at_its_own_address() {
        for (door, own) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::ffff:127.0.0.1]:80"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.1:80", "[::ffff:127.0.0.1]:80"),
        ] {
            assert!(tcp(door).lets_in(&tcp(own)), "{door} {own}");
        }
        assert!(unix("/run/web.sock").lets_in(&unix("/run/web.sock")));
    }

    #[test]
    fn and_at_no_other() {
        for (door, own) in [
            ("127.0.0.1:80", "127.0.0.1:81"),
            ("0.0.0.0:80", "127.0.0.1:81"),
            ("127.0.0.1:80", "127.0.0.2:80"),
        ] {
            assert!(!tcp(door).lets_in(&tcp(own)), "{door} {own}");
        }
        assert!(!unix("/run/web.sock").lets_in(&unix("/run/other.sock")));
        assert!(!unix("/run/web.sock").lets_in(&tcp("127.0.0.1:80")));
    }
}
