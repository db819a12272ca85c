//! The answer to one request, and the class of every way in which there is none.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Version, header};
use tokio::time::timeout;

use super::Class;
use super::connection::Connection;
use super::paced::{self, Paced};
use super::style::Pace;

/// A request that was lost: in which way, and the words of it.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) class: Class,
    pub(super) text: String,
}

impl Lost {
    pub(super) fn new(class: Class, text: impl ToString) -> Self {
        Self { class, text: text.to_string() }
    }
}

/// A future that is lost when it does not end in time.
pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Lost> {
    let ended = timeout(limit, future).await;
    ended.map_err(|_| Lost::new(Class::TimedOut, format!("no whole response within {limit:?}")))
}

/// Why there is no answer.
pub(super) enum Failure {
    /// Not a byte of the request was given to the kernel.
    NotSent,
    Lost(Lost),
}

/// A whole response.
pub(super) struct Answer {
    status: StatusCode,
    body: Bytes,
    /// Whether the server closes the connection behind it.
    pub(super) closes: bool,
}

impl Answer {
    /// Whether it is what was asked for.
    pub(super) fn judge(self, expected: Option<Bytes>) -> Result<(), Lost> {
        if !self.status.is_success() {
            return Err(Lost::new(Class::OtherStatus, self.status));
        }
        match expected {
            Some(expected) if expected != self.body => {
                let (got, wanted) = (self.body.len(), expected.len());
                let text = format!("{got} bytes, not the {wanted} expected");
                Err(Lost::new(Class::WrongBody, text))
            }
            _ => Ok(()),
        }
    }
}

/// The whole response, or in which way it failed.
pub(super) async fn answer(
    connection: &mut Connection,
    request: Request<Paced>,
    pace: Pace,
) -> Result<Answer, Failure> {
    let response = connection.send(request).await;
    let response = response.map_err(|error| failure(connection, &error))?;
    let (status, closes) = (response.status(), closes(response.version(), response.headers()));
    let read = connection.while_driven(paced::read(response.into_body(), pace)).await;
    let (body, spread) = read.map_err(|error| failure(connection, &error))?;
    match pace {
        Pace::Hears(least) if status.is_success() && spread < least => Err(at_once(spread, least)),
        _ => Ok(Answer { status, body, closes }),
    }
}

/// A body that somebody held back until it was whole.
fn at_once(spread: Duration, least: Duration) -> Failure {
    let text = format!("the body came within {spread:?}, not over {least:?} or more");
    Failure::Lost(Lost::new(Class::WrongBody, text))
}

/// The class of a failed exchange, by what was seen on the wire.
fn failure(connection: &Connection, error: &hyper::Error) -> Failure {
    let class = match (connection.traffic.has_read(), connection.is_fresh) {
        (true, _) => Class::Cut,
        (false, true) => Class::EndFresh,
        (false, false) if !connection.traffic.has_written() => return Failure::NotSent,
        (false, false) => Class::EndReused,
    };
    Failure::Lost(Lost::new(class, with_source(error)))
}

fn with_source(error: &hyper::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn closes(version: Version, headers: &HeaderMap) -> bool {
    let says = |word: &str| {
        let values = headers.get_all(header::CONNECTION).iter().filter_map(|v| v.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|v| v.trim().eq_ignore_ascii_case(word))
    };
    says("close") || (version < Version::HTTP_11 && !says("keep-alive"))
}
