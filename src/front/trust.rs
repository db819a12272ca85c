//! Whose word is taken for where a request came from.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::worker::Peer;

/// The peers whose `Forwarded`, `X-Forwarded-*` and `X-Request-Id` headers are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    networks: Vec<IpNet>,
    unix: bool,
}

/// Why a text names nobody to trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names nobody to trust (write loopback, private, all, none or 10.1.0.0/16, …)")]
pub struct BadTrust(String);

const LOOPBACK: &[&str] = &["127.0.0.0/8", "::1/128"];

/// RFC 1918 and RFC 4193.
const PRIVATE: &[&str] = &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

const ALL: &[&str] = &["0.0.0.0/0", "::/0"];

impl Trust {
    /// Balancers on this machine: by the loopback addresses or a unix socket.
    pub fn loopback() -> Self {
        Self { networks: networks(LOOPBACK), unix: true }
    }

    pub(crate) fn covers(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Unix => self.unix,
            Peer::Tcp(address) => {
                let ip = address.ip().to_canonical();
                self.networks.iter().any(|network| network.contains(&ip))
            }
        }
    }
}

impl FromStr for Trust {
    type Err = BadTrust;

    fn from_str(text: &str) -> Result<Self, BadTrust> {
        let mut trust = Self { networks: Vec::new(), unix: true };
        for word in text.split(',').map(str::trim) {
            match word {
                "none" if text.trim() == "none" => trust.unix = false,
                "loopback" => trust.networks.extend(networks(LOOPBACK)),
                "private" => trust.networks.extend(networks(PRIVATE)),
                "all" => trust.networks.extend(networks(ALL)),
                _ => trust.networks.push(network(word).ok_or_else(|| BadTrust(text.to_owned()))?),
            }
        }
        Ok(trust)
    }
}

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().filter_map(|text| network(text)).collect()
}

/// A network, or a single address.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(trust: &str, peer: &str) -> bool {
        let peer = Peer::Tcp(format!("{peer}:80").parse().unwrap());
        trust.parse::<Trust>().unwrap().covers(&peer)
    }

    #[test]
    fn only_those_named_are_trusted() {
        assert!(covers("loopback", "127.9.9.9"));
        assert!(covers("loopback", "[::1]"));
        assert!(covers("loopback", "[::ffff:127.0.0.1]"), "as a dual-stack socket tells it");
        assert!(!covers("loopback", "10.0.0.1"));
        assert!(covers("loopback, private", "10.0.0.1"));
        assert!(covers("192.0.2.7", "192.0.2.7"));
        assert!(!covers("192.0.2.7", "192.0.2.8"));
        assert!(covers("192.0.2.0/24,2001:db8::/32", "[2001:db8::1]"));
        assert!(covers("all", "[2001:db8::1]"));
        assert!(!covers("none", "127.0.0.1"));
    }

    #[test]
    fn a_unix_socket_has_its_own_permissions() {
        assert!("private".parse::<Trust>().unwrap().covers(&Peer::Unix));
        assert!(!"none".parse::<Trust>().unwrap().covers(&Peer::Unix));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "none,all", "10.0.0.0/33", "localhost", "loopback,"] {
            assert!(bad.parse::<Trust>().is_err(), "{bad:?}");
        }
    }
}
