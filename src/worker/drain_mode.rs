//! What becomes of a request that comes while the worker drains.

use std::str::FromStr;

use hyper::StatusCode;

/// What a draining worker does with a request on a connection that is open already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrainMode {
    /// It is served, as the last one of its connection.
    #[default]
    Serve,
    /// It gets [`DrainStatus`] with `Connection: close`, and a balancer in front of the worker
    /// sends it elsewhere: the classic recipe for nginx with `proxy_next_upstream`. From a socket that
    /// no sibling accepts from (`worker@1.socket`), connections are still accepted, to be told so.
    Refuse,
}

/// The status of requests that are refused: 502 or 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainStatus(pub(crate) StatusCode);

/// Why a text is not a [`DrainMode`] or a [`DrainStatus`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not one of {expected}")]
pub struct BadDrain {
    given: String,
    expected: &'static str,
}

impl Default for DrainStatus {
    fn default() -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE)
    }
}

impl FromStr for DrainMode {
    type Err = BadDrain;

    fn from_str(text: &str) -> Result<Self, BadDrain> {
        match text {
            "serve" => Ok(Self::Serve),
            "refuse" => Ok(Self::Refuse),
            _ => Err(BadDrain { given: text.to_owned(), expected: "serve, refuse" }),
        }
    }
}

impl FromStr for DrainStatus {
    type Err = BadDrain;

    fn from_str(text: &str) -> Result<Self, BadDrain> {
        match text {
            "502" => Ok(Self(StatusCode::BAD_GATEWAY)),
            "503" => Ok(Self(StatusCode::SERVICE_UNAVAILABLE)),
            _ => Err(BadDrain { given: text.to_owned(), expected: "502, 503" }),
        }
    }
}
