//! The URL that is loaded: plain HTTP, and nothing else.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;

use http::{HeaderValue, Uri};

/// A plain `http://` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofUrl {
    host: HeaderValue,
    /// `host:port`.
    authority: String,
    path: String,
    text: String,
}

impl ProofUrl {
    /// The host as it is asked for.
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// The path and the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the host is.
    ///
    /// # Errors
    ///
    /// When nobody knows.
    pub async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host(self.authority.as_str()).await?.collect())
    }
}

impl FromStr for ProofUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        read(text).ok_or_else(|| {
            format!("{text:?} is no plain http:// URL (write http://HOST:PORT/PATH)")
        })
    }
}

fn read(text: &str) -> Option<ProofUrl> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"))?;
    let (host, port) = (authority.host(), authority.port_u16());
    // A port that is none is read as none at all.
    let written = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    if host.is_empty() || authority.as_str() != written {
        return None;
    }
    Some(ProofUrl {
        host: HeaderValue::from_str(authority.as_str()).ok()?,
        authority: format!("{host}:{}", port.unwrap_or(80)),
        path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        text: text.to_owned(),
    })
}

impl fmt::Display for ProofUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_where_to_go_what_to_say_and_what_to_ask_for() {
        let read = |text: &str| {
            let url: ProofUrl = text.parse().unwrap();
            (url.authority, url.host.to_str().unwrap().to_owned(), url.path)
        };
        let all = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(read("http://shop.example"), all("shop.example:80", "shop.example", "/"));
        assert_eq!(read("http://h:8000/a?b=c"), all("h:8000", "h:8000", "/a?b=c"));
        assert_eq!(read("http://[::1]/x"), all("[::1]:80", "[::1]", "/x"));
    }

    #[test]
    fn what_is_no_plain_http_is_refused_in_one_line() {
        let bad = ["", "h", "/x", "h:80", "https://h/", "ftp://h/", "http://", "http://:80/"];
        let more =
            ["http://u@h/", "http://u:p@h/", "http://h:99999/", "http://h:/", "http://h/a b"];
        for text in bad.into_iter().chain(more) {
            let error = text.parse::<ProofUrl>().expect_err(text);
            assert!(error.contains("http://HOST:PORT/PATH") && !error.contains('\n'), "{error}");
        }
    }
}
