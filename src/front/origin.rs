//! Where a request came from, as the app is told: `Forwarded` (RFC 7239), its elder siblings
//! `X-Forwarded-*`, and `X-Request-Id`.

use std::net::IpAddr;

use hyper::header::{Entry, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};

use super::head::{joined, remove_all};
use super::trust::Trust;
use crate::worker::Peer;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is believed only of a trusted peer.
fn is_hearsay(name: &str) -> bool {
    matches!(name, "forwarded" | "x-real-ip" | "x-request-id") || name.starts_with("x-forwarded-")
}

/// Apps that speak CGI or WSGI take `X_Forwarded_For` for `X-Forwarded-For`, balancers do not: so
/// these are nobody's word.
fn is_disguised(name: &str) -> bool {
    name.contains('_') && is_hearsay(&name.replace('_', "-"))
}

/// An id longer than this is not passed on.
const LONGEST_ID: usize = 128;

/// The peer of a connection, in the words of the headers.
#[derive(Debug)]
pub(crate) struct Origin {
    is_trusted: bool,
    /// Not known of a unix socket's.
    ip: Option<HeaderValue>,
    /// `for=192.0.2.1;proto=http`
    forwarded: String,
}

impl Origin {
    pub(crate) fn new(peer: &Peer, trust: &Trust) -> Self {
        let ip = match peer {
            Peer::Tcp(address) => Some(address.ip().to_canonical()),
            Peer::Unix => None,
        };
        // An IPv6 address has colons, so it is quoted (RFC 7239, 6).
        let node = match ip {
            Some(IpAddr::V4(ip)) => ip.to_string(),
            Some(IpAddr::V6(ip)) => format!("\"[{ip}]\""),
            None => "unknown".to_owned(),
        };
        Self {
            is_trusted: trust.covers(peer),
            ip: ip.and_then(|ip| HeaderValue::from_str(&ip.to_string()).ok()),
            forwarded: format!("for={node};proto=http"),
        }
    }

    /// Writes into a request's head where it came from.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        let is_unfounded = match self.is_trusted {
            true => is_disguised,
            false => |name: &str| is_hearsay(name) || is_disguised(name),
        };
        remove_all(headers, is_unfounded);
        self.stamp_forwarded(headers);
        if let Some(ip) = &self.ip {
            extend(headers, X_FORWARDED_FOR, ip);
        }
        headers.entry(X_FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
        if let Some(host) = headers.get(HOST).cloned() {
            headers.entry(X_FORWARDED_HOST).or_insert(host);
        }
        if !headers.get(X_REQUEST_ID).is_some_and(is_plain_id) {
            headers.insert(X_REQUEST_ID, fresh_id());
        }
    }

    fn stamp_forwarded(&self, headers: &mut HeaderMap) {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        // A sound host has none of these, but an app that reads this must not be led astray.
        let host = if host.contains(['"', '\\']) { "unknown" } else { host };
        let element = [&self.forwarded, ";host=\"", host, "\""].concat();
        if let Ok(element) = HeaderValue::try_from(element) {
            extend(headers, FORWARDED, &element);
        }
    }
}

/// Appends to the list of a field, in one line: many apps read only the first.
fn extend(headers: &mut HeaderMap, name: HeaderName, value: &HeaderValue) {
    let all = match headers.entry(&name) {
        Entry::Vacant(none) => {
            none.insert(value.clone());
            return;
        }
        Entry::Occupied(some) => joined(some.iter().chain([value]), b", "),
    };
    if let Some(all) = all {
        headers.insert(name, all);
    }
}

/// The id of a request that was stamped, for the log.
pub(crate) fn request_id(headers: &HeaderMap) -> &str {
    headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or("-")
}

fn is_plain_id(id: &HeaderValue) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

fn fresh_id() -> HeaderValue {
    let mut bits = fastrand::u128(..);
    let id = [(); 32].map(|()| {
        let digit = b"0123456789abcdef"[(bits % 16) as usize];
        bits /= 16;
        digit
    });
    HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("-"))
}
