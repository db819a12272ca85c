//! The head of a message as the next hop may see it.
//!
//! Source: RFC 9110, 7.6.1 (what belongs to one connection only), RFC 9112, 3.2 (targets).

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::http::uri::{PathAndQuery, Uri};
use hyper::{StatusCode, Version};

/// Fields that belong to one connection, whether `Connection` names them or not.
fn is_one_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Makes a client's request one to the app; returns the protocol it would like to change to.
pub(crate) fn to_app(head: &mut Parts, has_body: bool) -> Option<HeaderValue> {
    set_host(head);
    join_cookies(head);
    let headers = &mut head.headers;
    let upgrade = wanted_upgrade(headers).filter(|_| head.version == Version::HTTP_11);
    let wants_trailers = lists(headers, &TE, "trailers");
    remove_one_hop(headers);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some(protocol) = &upgrade {
        insert_upgrade(headers, protocol.clone());
    }
    // hyper takes a GET of unknown length for one without a body.
    if has_body && !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    head.version = Version::HTTP_11;
    upgrade
}

/// Makes the app's response one to the client.
pub(crate) fn to_client(status: StatusCode, headers: &mut HeaderMap) {
    let upgrade = (status == StatusCode::SWITCHING_PROTOCOLS)
        .then(|| headers.get(UPGRADE).cloned())
        .flatten();
    // The length that counts is the one of the body as hyper has read it.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    remove_one_hop(headers);
    if let Some(protocol) = upgrade {
        insert_upgrade(headers, protocol);
    }
}

fn insert_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// The target's authority goes before the client's `Host` (RFC 9112, 3.2.2), and in HTTP/2 there is
/// often no other.
fn set_host(head: &mut Parts) {
    if let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(HOST, host);
        let path = head.uri.path_and_query().cloned();
        head.uri = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    }
    // A client of HTTP/1.0 may name none, but HTTP/1.1, which goes to the app, must.
    head.headers.entry(HOST).or_insert(HeaderValue::from_static("localhost"));
}

/// HTTP/2 clients may send cookies one by one (RFC 9113, 8.2.3).
fn join_cookies(head: &mut Parts) {
    if head.version != Version::HTTP_2 || head.headers.get_all(COOKIE).iter().count() < 2 {
        return;
    }
    if let Some(joined) = joined(head.headers.get_all(COOKIE).iter(), b"; ") {
        head.headers.insert(COOKIE, joined);
    }
}

/// The values of a field in one line.
pub(crate) fn joined<'a>(
    values: impl Iterator<Item = &'a HeaderValue>,
    separator: &[u8],
) -> Option<HeaderValue> {
    let values: Vec<&[u8]> = values.map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&values.join(separator)).ok()
}

/// Java's client asks for h2c with its first request; nobody need give it (RFC 9113, 3.1), and an app
/// that did would be spoken to past us.
fn wanted_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    if !headers.contains_key(UPGRADE) || !lists(headers, &CONNECTION, "upgrade") {
        return None;
    }
    let wanted = words(headers, &UPGRADE).filter(|word| !word.eq_ignore_ascii_case("h2c"));
    let wanted: Vec<&str> = wanted.filter(|word| !word.is_empty()).collect();
    HeaderValue::from_str(&wanted.join(", ")).ok().filter(|wanted| !wanted.is_empty())
}

/// Whether one of the comma-separated values of a field is `word`, whatever its case.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    words(headers, name).any(|listed| listed.eq_ignore_ascii_case(word))
}

fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn remove_one_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        // A client must not take away what the message itself stands on.
        let may_go = |name: &HeaderName| *name != HOST && *name != CONTENT_LENGTH;
        let named = words(headers, &CONNECTION).filter(|word| !is_option(word));
        let named: Vec<HeaderName> =
            named.filter_map(|word| word.parse().ok()).filter(may_go).collect();
        named.iter().for_each(|name| drop(headers.remove(name)));
    }
    remove_all(headers, is_one_hop);
}

/// What `Connection` usually says, which names no field or one that goes anyway.
fn is_option(word: &str) -> bool {
    ["keep-alive", "close", "upgrade"].iter().any(|option| word.eq_ignore_ascii_case(option))
}

/// Removes the fields of such names. A walk over the few fields of a message costs less than a
/// look-up of each name that is not there.
pub(crate) fn remove_all(headers: &mut HeaderMap, is_such: fn(&str) -> bool) {
    while let Some(name) = headers.keys().find(|name| is_such(name.as_str())).cloned() {
        headers.remove(name);
    }
}
