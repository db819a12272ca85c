//! One client: a request, its response, a thought, the next; never a request twice.

use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Full};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::book::Book;
use super::connection::Connection;
use super::{Class, Style, Target};

/// How long a client waits at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) request: Duration,
}

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

pub(super) struct Client {
    pub(super) number: usize,
    pub(super) crew: usize,
    pub(super) style: Rc<Style>,
    pub(super) uri: Uri,
    pub(super) target: Rc<Target>,
    pub(super) limits: Limits,
    pub(super) book: Rc<Book>,
    pub(super) connection: Option<Connection>,
    pub(super) sent: u64,
}

/// A closed port answers in microseconds: without a rest a client would only count refusals.
const REST_AFTER_REFUSAL: Duration = Duration::from_millis(1);

impl Client {
    /// Sends one request after another until told to stop or until none are left to send.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() && self.book.take_ticket() {
            let begun = Instant::now();
            let result = self.request().await;
            let refused = matches!(&result, Err(lost) if lost.class == Class::Refused);
            self.book.note(self.crew, begun, result);
            let rest = if refused { REST_AFTER_REFUSAL } else { self.style.think };
            self.rest(rest, &mut stop).await;
        }
    }

    async fn rest(&mut self, time: Duration, stop: &mut watch::Receiver<bool>) {
        if time.is_zero() {
            return;
        }
        let stopped_or_rested = async {
            tokio::select! { () = sleep(time) => (), _ = stop.wait_for(|stop| *stop) => () }
        };
        match &mut self.connection {
            Some(connection) => connection.while_driven(stopped_or_rested).await,
            None => stopped_or_rested.await,
        }
    }

    /// One request from the wish to the last byte of the answer.
    async fn request(&mut self) -> Result<(), Lost> {
        self.sent += 1;
        if let Some(mut connection) = self.connection.take() {
            if connection.is_open().await {
                match self.exchange(connection).await {
                    Err(Failure::NotSent) => (),
                    Err(Failure::Lost(lost)) => return Err(lost),
                    Ok(()) => return Ok(()),
                }
            }
            // The server closed it before a byte of this request was written, so the request is
            // still to be sent, for the first time.
            self.book.note_idle_close(self.crew);
        }
        let connection = Connection::open(&self.target, self.limits.connect).await?;
        self.book.note_connect(self.crew, self.sent > 1);
        self.exchange(connection).await.map_err(|failure| match failure {
            Failure::NotSent => Lost::new(Class::EndFresh, "closed before the request was written"),
            Failure::Lost(lost) => lost,
        })
    }

    /// Sends the request on a connection, which is kept if both sides keep it alive.
    async fn exchange(&mut self, mut connection: Connection) -> Result<(), Failure> {
        let body = self.style.echo.map(|size| unique_body(self.number, self.sent, size));
        let request = self.build(body.clone());
        let limit = self.limits.request;
        let answered = timeout(limit, answer(&mut connection, request)).await;
        let answer = answered.unwrap_or_else(|_| {
            let text = format!("no whole response within {limit:?}");
            Err(Failure::Lost(Lost::new(Class::TimedOut, text)))
        })?;
        if self.style.keeps_alive && !answer.closes {
            connection.is_fresh = false;
            self.connection = Some(connection);
        }
        answer.judge(body.or_else(|| self.style.expected.clone())).map_err(Failure::Lost)
    }

    fn build(&self, body: Option<Bytes>) -> Request<Full<Bytes>> {
        let method = if body.is_some() { http::Method::POST } else { http::Method::GET };
        let mut request = Request::new(Full::new(body.unwrap_or_default()));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::HOST, header::HeaderValue::from_static("localhost"));
        if !self.style.keeps_alive {
            headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
        request
    }
}

enum Failure {
    /// Not a byte of the request was given to the kernel.
    NotSent,
    Lost(Lost),
}

struct Answer {
    status: StatusCode,
    body: Bytes,
    closes: bool,
}

impl Answer {
    fn judge(self, expected: Option<Bytes>) -> Result<(), Lost> {
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
async fn answer(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Failure> {
    let response = connection.send(request).await;
    let response = response.map_err(|error| failure(connection, &error))?;
    let (status, closes) = (response.status(), closes(response.version(), response.headers()));
    let body = connection.while_driven(response.into_body().collect()).await;
    let body = body.map_err(|error| failure(connection, &error))?.to_bytes();
    Ok(Answer { status, body, closes })
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

/// A body that no other request of this load has.
fn unique_body(client: usize, request: u64, size: usize) -> Bytes {
    let name = format!("client {client}, request {request}; ");
    name.bytes().cycle().take(size).collect()
}
