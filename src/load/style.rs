//! What a client asks for, and how it treats its connection.

use std::time::Duration;

use bytes::Bytes;

/// One way of being a client; the constructors make the four usual ones.
#[derive(Clone, Debug)]
pub struct Style {
    pub(super) name: String,
    pub(super) path: String,
    /// The size of the body to post and get back; `None` sends a GET.
    pub(super) echo: Option<usize>,
    pub(super) keeps_alive: bool,
    pub(super) think: Duration,
    pub(super) expected: Option<Bytes>,
}

impl Style {
    /// GETs a path again and again on one connection.
    pub fn get(path: &str) -> Self {
        Self {
            name: "keep-alive GET".to_owned(),
            path: path.to_owned(),
            echo: None,
            keeps_alive: true,
            think: Duration::ZERO,
            expected: None,
        }
    }

    /// POSTs a body of this many bytes to an echo on one connection: another body each time, and
    /// each must come back byte for byte.
    pub fn post(path: &str, bytes: usize) -> Self {
        Self { name: "keep-alive POST".to_owned(), echo: Some(bytes), ..Self::get(path) }
    }

    /// GETs a path on a new connection each time.
    pub fn connect(path: &str) -> Self {
        Self { name: "new connection each".to_owned(), keeps_alive: false, ..Self::get(path) }
    }

    /// GETs `/slow?ms=N`, which takes the server that long to answer.
    pub fn slow(time: Duration) -> Self {
        let millis = time.as_millis();
        Self { name: format!("slow {millis} ms"), ..Self::get(&format!("/slow?ms={millis}")) }
    }

    /// Waits this long between a response and the next request.
    pub fn think(mut self, time: Duration) -> Self {
        self.think = time;
        self
    }

    /// Takes any other 2xx body for wrong.
    pub fn expect(mut self, body: impl Into<Bytes>) -> Self {
        self.expected = Some(body.into());
        self
    }

    /// Gives the style another name in reports.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}
