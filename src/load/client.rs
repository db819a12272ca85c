//! One client: a request, its response, a thought, the next; never a request twice.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::answer::{Failure, Lost, answer, within};
use super::book::Book;
use super::connection::Connection;
use super::paced::Paced;
use super::{Class, Style, Target};

/// How long a client waits at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) request: Duration,
}

/// When the load was told to stop.
pub(super) type Stop = watch::Receiver<Option<Instant>>;

pub(super) struct Client {
    pub(super) number: usize,
    pub(super) crew: usize,
    pub(super) style: Rc<Style>,
    pub(super) uri: Uri,
    pub(super) target: Rc<Target>,
    pub(super) host: HeaderValue,
    pub(super) limits: Limits,
    pub(super) book: Rc<Book>,
    /// When it wishes its first request.
    pub(super) first_wish: Instant,
    pub(super) connection: Option<Connection>,
    pub(super) sent: u64,
}

/// A closed port answers in microseconds: without a rest a client would only count refusals.
const REST_AFTER_REFUSAL: Duration = Duration::from_millis(1);

impl Client {
    /// Sends one request after another until told to stop or until none are left to send. What an
    /// open loop wished before it was stopped is still sent.
    pub(super) async fn run(mut self, mut stop: Stop) {
        let mut wished = self.first_wish;
        loop {
            self.rest_until(wished, &mut stop).await;
            let now = Instant::now();
            let is_over = stop.borrow().is_some_and(|at| self.style.rhythm.excuses(wished, at));
            if is_over || !self.book.take_ticket() {
                return;
            }
            let begun = self.style.rhythm.begins(wished, now);
            let result = self.request_in_time(now - begun).await;
            let refused = matches!(&result, Err(lost) if lost.class == Class::Refused);
            self.book.note(self.crew, begun, result);
            let rest = if refused { REST_AFTER_REFUSAL } else { Duration::ZERO };
            wished = self.style.rhythm.next(wished, Instant::now(), rest);
        }
    }

    async fn rest_until(&mut self, wished: Instant, stop: &mut Stop) {
        if wished <= Instant::now() {
            return;
        }
        let stopped_or_rested = async {
            tokio::select! {
                () = sleep_until(wished.into()) => (),
                _ = stop.wait_for(Option::is_some) => (),
            }
        };
        match &mut self.connection {
            Some(connection) => connection.while_driven(stopped_or_rested).await,
            None => stopped_or_rested.await,
        }
    }

    /// A request that has waited for its turn too long already is lost, and not sent.
    async fn request_in_time(&mut self, late: Duration) -> Result<(), Lost> {
        match late < self.limits.request {
            true => self.request().await,
            false => Err(Lost::new(Class::TimedOut, format!("not even sent within {late:?}"))),
        }
    }

    /// One request from the wish to the last byte of the answer.
    async fn request(&mut self) -> Result<(), Lost> {
        self.sent += 1;
        if let Some(mut connection) = self.connection.take() {
            if within(self.limits.request, connection.is_open()).await? {
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
        let answer = within(self.limits.request, answer(&mut connection, request, self.style.pace));
        let answer = answer.await.map_err(Failure::Lost)??;
        if self.style.keeps_alive && !answer.closes {
            connection.is_fresh = false;
            self.connection = Some(connection);
        }
        answer.judge(self.style.expected.clone().or(body)).map_err(Failure::Lost)
    }

    fn build(&self, body: Option<Bytes>) -> Request<Paced> {
        let method = if body.is_some() { http::Method::POST } else { http::Method::GET };
        let mut request = Request::new(Paced::new(body.unwrap_or_default(), self.style.pace));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        if self.style.echo.is_some() {
            // Without a type, frameworks try to read forms out of it.
            let bytes = HeaderValue::from_static("application/octet-stream");
            headers.insert(header::CONTENT_TYPE, bytes);
        }
        if !self.style.keeps_alive {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        request
    }
}

/// A body that no other request of this load has.
fn unique_body(client: usize, request: u64, size: usize) -> Bytes {
    let name = format!("client {client}, request {request}; ");
    name.bytes().cycle().take(size).collect()
}
