//! What a client is told when the app did not answer.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

/// Why there is no answer from the app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// Nobody listens at its place.
    #[error("the app cannot be reached: {0}")]
    Down(io::Error),
    /// It was not started again in time.
    #[error("the app did not come back in {0:?}")]
    Held(Duration),
    /// It broke the connection off, or its answer was no HTTP.
    #[error("the app broke off: {0}")]
    Broken(hyper::Error),
    /// The client's body broke off, or was no HTTP.
    #[error("the client's body ended before its end: {0}")]
    BadBody(hyper::Error),
    /// It changed to a protocol that nobody had asked for.
    #[error("the app changed the protocol unasked")]
    Unasked,
    /// It took too long.
    #[error("the app did not answer in {0:?}")]
    Late(Duration),
}

impl NoAnswer {
    fn status(&self) -> StatusCode {
        match self {
            Self::Down(_) | Self::Broken(_) | Self::Unasked => StatusCode::BAD_GATEWAY,
            Self::BadBody(_) => StatusCode::BAD_REQUEST,
            Self::Held(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Late(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The whole response; a client that has a body left to send had better not.
    pub(crate) fn response(&self, has_body: bool) -> Response<Full<Bytes>> {
        let status = self.status();
        let mut response = Response::new(Full::from(format!("{status}\n")));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        // With the app down, the client's next request had better go to a sibling.
        if has_body || matches!(self, Self::Down(_)) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if matches!(self, Self::Held(_)) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
