//! Whether a request's head can be understood in one way only: what hyper and h2 leave to us.

use http_body::Body;
use hyper::header::{HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Request, StatusCode, Uri, Version};

/// The status of a request that no app should see.
pub(crate) fn fault<B: Body>(request: &Request<B>) -> Option<StatusCode> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if method == Method::CONNECT {
        // No proxy for everywhere; and what follows its head is no HTTP (RFC 9110, 9.3.6).
        return Some(StatusCode::NOT_IMPLEMENTED);
    }
    if !is_target(method, uri) || !is_one_host(request.version(), uri, headers) {
        return Some(StatusCode::BAD_REQUEST);
    }
    // Only of a chunked body is the length not known.
    let has_length = request.body().size_hint().exact().is_some();
    if has_length { None } else { wrong_coding(headers) }
}

/// RFC 9112, 3.2: a path, an absolute URI (HTTP/2 knows no other), or OPTIONS with an asterisk.
fn is_target(method: &Method, uri: &Uri) -> bool {
    let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let is_whole = uri.scheme().is_some() || uri.authority().is_none();
    is_whole && (path.starts_with('/') || (path == "*" && method == Method::OPTIONS))
}

/// RFC 9112, 3.2, and RFC 9113, 8.3.1: one Host, a sound one; HTTP/1.0 may do without, HTTP/2
/// has an authority in its place, and must not name two.
fn is_one_host(version: Version, uri: &Uri, headers: &HeaderMap) -> bool {
    // Looking through the few there are takes less time than looking one up.
    let mut hosts = headers.iter().filter(|(name, _)| *name == HOST).map(|(_, it)| it.as_bytes());
    let (host, authority) = (hosts.next(), uri.authority().map(Authority::as_str));
    let is_known = match (version, host, authority) {
        (Version::HTTP_10, None, _) | (Version::HTTP_2, None, Some(_)) => true,
        (Version::HTTP_2, Some(host), Some(authority)) => {
            host.eq_ignore_ascii_case(authority.as_bytes())
        }
        (_, host, _) => host.is_some(),
    };
    is_known
        && hosts.next().is_none()
        && host.is_none_or(is_host)
        && authority.is_none_or(|authority| is_host(authority.as_bytes()))
}

/// `uri-host [ ":" port ]` (RFC 9110, 7.2); an empty one says that the target has none.
fn is_host(host: &[u8]) -> bool {
    if let [b'[', rest @ ..] = host {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
        let (address, port) = (&rest[..end], &rest[end + 1..]);
        return address.iter().all(|byte| is_in_address(*byte)) && is_port(port);
    }
    match host.iter().position(|byte| !is_in_name(*byte)) {
        None => true,
        Some(end) => end > 0 && is_port(&host[end..]),
    }
}

/// `[ ":" port ]`, with whatever is before it.
fn is_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn is_in_address(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'
}

/// `reg-name` (RFC 3986, 3.2.2): no user, no path and no blank.
fn is_in_name(byte: u8) -> bool {
    IN_NAME[usize::from(byte)]
}

/// A table, for it is asked of each byte of each request's Host.
const IN_NAME: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0);
    while byte < table.len() {
        table[byte] = matches!(byte as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.'
            | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b','
            | b';' | b'=');
        byte += 1;
    }
    table
};

/// RFC 9112, 6.1: chunked is the one coding that can be undone here, and comes but once.
fn wrong_coding(headers: &HeaderMap) -> Option<StatusCode> {
    let lines = headers.get_all(TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes);
    let codings = lines.flat_map(|line| line.split(|byte| *byte == b','));
    let (all, chunked) = codings.fold((0, 0), |(all, chunked), coding| {
        let is_chunked = coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
        (all + 1, chunked + u32::from(is_chunked))
    });
    match (all, chunked) {
        // HTTP/2 has none.
        (0, 0) | (1, 1) => None,
        (_, 0 | 1) => Some(StatusCode::NOT_IMPLEMENTED),
        _ => Some(StatusCode::BAD_REQUEST),
    }
}

/// What an absolute target says goes before what Host says (RFC 9112, 3.2.2), whoever reads it.
pub(crate) fn settle_host<B>(request: &mut Request<B>) {
    let Some(authority) = request.uri().authority() else { return };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        request.headers_mut().insert(HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;
    use http_body_util::Empty;
    use hyper::body::Bytes;

    use super::*;

    /// A body whose length is not known.
    struct Chunked;

    impl Body for Chunked {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(None)
        }
    }

    fn request(version: Version, method: &str, target: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().version(version).method(method).uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap()
    }

    #[track_caller]
    fn is(expected: Option<u16>, version: Version, method: &str, target: &str, hosts: &[&str]) {
        let request = request(version, method, target, hosts).map(|()| Empty::<Bytes>::new());
        let found = fault(&request).map(|status| status.as_u16());
        assert_eq!(found, expected, "{version:?} {method} {target} {hosts:?}");
    }

    #[test]
    fn http1_1_names_one_host() {
        let is = |expected, hosts: &[&str]| is(expected, Version::HTTP_11, "GET", "/", hosts);
        for host in ["", "a", "a:80", "a:", "a.b-c_d.e", "127.0.0.1:8080", "[::1]", "[::1]:80"] {
            is(None, &[host]);
        }
        for host in ["a b", "a/b", "u@a", "a:b", "a:80:80", "[::1", "::1", "[::1]80", "[x]", ":80"]
        {
            is(Some(400), &[host]);
        }
        is(Some(400), &["a", "a"]);
        is(Some(400), &[]);
    }

    #[test]
    fn http1_0_may_name_none() {
        is(None, Version::HTTP_10, "GET", "/", &[]);
        is(Some(400), Version::HTTP_10, "GET", "/", &["a", "b"]);
    }

    #[test]
    fn http2_names_it_in_its_authority_and_nowhere_else_another() {
        let is = |expected, target, hosts: &[&str]| {
            is(expected, Version::HTTP_2, "GET", target, hosts);
        };
        is(None, "http://a/", &[]);
        is(None, "http://a:1/", &["A:1"]);
        is(None, "/", &["a"]);
        is(Some(400), "/", &[]);
        is(Some(400), "http://a/", &["b"]);
        is(Some(400), "http://a/", &["a", "a"]);
        is(Some(400), "http://u@a/", &[]);
    }

    #[test]
    fn a_target_is_a_path_or_a_whole_uri() {
        let is = |expected, method, target| is(expected, Version::HTTP_11, method, target, &["a"]);
        is(None, "GET", "/a?b");
        is(None, "GET", "http://b/a?b");
        is(None, "GET", "http://b");
        is(None, "OPTIONS", "*");
        is(Some(400), "GET", "*");
        is(Some(400), "GET", "b:80");
        is(Some(400), "GET", "http://u:p@b/");
        is(Some(501), "CONNECT", "b:80");
    }

    #[test]
    fn chunked_is_the_one_coding_and_comes_once() {
        let chunked = |values: &[&'static str]| {
            let mut request = request(Version::HTTP_11, "POST", "/", &["a"]).map(|()| Chunked);
            for value in values {
                request.headers_mut().append(TRANSFER_ENCODING, HeaderValue::from_static(value));
            }
            fault(&request).map(|status| status.as_u16())
        };
        assert_eq!(chunked(&[]), None, "HTTP/2 without a length");
        assert_eq!(chunked(&["chunked"]), None);
        assert_eq!(chunked(&["\tChunKed "]), None);
        assert_eq!(chunked(&["gzip, chunked"]), Some(501));
        assert_eq!(chunked(&["gzip", "chunked"]), Some(501));
        assert_eq!(chunked(&["chunked, chunked"]), Some(400));
        assert_eq!(chunked(&["chunked", "chunked"]), Some(400));
    }

    #[test]
    fn the_targets_host_goes_before_the_one_beside_it() {
        let settled = |target, hosts: &[&str]| {
            let mut request = request(Version::HTTP_11, "GET", target, hosts);
            settle_host(&mut request);
            request.headers()[HOST].clone()
        };
        assert_eq!(settled("http://b:1/", &["a"]), "b:1");
        assert_eq!(settled("/", &["a"]), "a");
    }
}
