//! One request to the app and its response, over as many connections as that takes.
//!
//! ```text
//! kept connection ─► sent ─► answered
//!      │ unsent: again, whatever the method        no answer in --app-timeout: 504
//!      │ sent, but idempotent: again               refused: again until --hold is over
//!      └► new connection ─► sent ─► answered or 502
//! ```

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response};
use tokio::time::{Instant, sleep, timeout};

use super::answers::NoAnswer;
use super::clock::Clock;
use super::config::FrontConfig;
use super::pool::{AppConnection, Pool};
use super::upload::{Source, Upload};

/// How often an app that refuses connections is tried again while requests are held for it.
const HOLD_PAUSE: Duration = Duration::from_millis(20);

/// How long a body waits for the app's 100 (Continue): apps may never say it (RFC 9110, 10.1.1).
const CONTINUE_LIMIT: Duration = Duration::from_secs(1);

/// How long an exchange may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From the last byte of the request to the head of the response.
    pub(crate) timeout: Duration,
    /// Until an app that is down is there again.
    pub(crate) hold: Duration,
}

impl Limits {
    pub(crate) fn of(config: &FrontConfig) -> Self {
        let hold = if config.restart { config.hold } else { Duration::ZERO };
        Self { timeout: config.timeout, hold }
    }
}

/// A request on its way.
pub(crate) struct Exchange {
    pub(crate) pool: Arc<Pool>,
    pub(crate) limits: Limits,
    pub(crate) head: Parts,
    pub(crate) body: Option<Arc<Source>>,
    pub(crate) is_held: bool,
    /// The client would like to change the protocol.
    pub(crate) upgrade: Option<OnUpgrade>,
}

/// The response and the connection it is still read from.
pub(crate) type Answered = (Response<Incoming>, AppConnection);

impl Exchange {
    /// Sends the request until it is answered or cannot be sent once more.
    pub(crate) async fn answer(&mut self) -> Result<Answered, NoAnswer> {
        loop {
            let connection = match self.pool.take() {
                Some(kept) => kept,
                None => self.connect().await?,
            };
            if let Some(answered) = self.try_on(connection).await? {
                return Ok(answered);
            }
        }
    }

    async fn connect(&self) -> Result<AppConnection, NoAnswer> {
        let Limits { timeout: limit, hold } = self.limits;
        let since = Instant::now();
        loop {
            match timeout(limit, self.pool.connect()).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) if !is_down(&error) || hold.is_zero() => {
                    return Err(NoAnswer::Down(error));
                }
                Ok(Err(_)) if since.elapsed() < hold => sleep(HOLD_PAUSE).await,
                Ok(Err(_)) => return Err(NoAnswer::Held(hold)),
                Err(_) => return Err(NoAnswer::Late(limit)),
            }
        }
    }

    /// `None`: it did not reach the app, or will do no harm if it reaches it twice.
    async fn try_on(
        &mut self,
        mut connection: AppConnection,
    ) -> Result<Option<Answered>, NoAnswer> {
        connection.watched.begin();
        let request = Request::from_parts(self.head.clone(), Upload::of(self.body.as_ref()));
        let sent = connection.sender.try_send_request(request);
        match self.in_time(&mut connection.clock, sent).await? {
            Ok(response) => {
                // It will not say 100 any more, and may still want the body.
                self.body.iter().for_each(|body| body.release());
                Ok(Some((response, connection)))
            }
            Err(_) if self.may_go_again(&connection) => Ok(None),
            Err(failed) => Err(match failed.into_error() {
                error if error.is_user() => NoAnswer::BadBody(error),
                error => NoAnswer::Broken(error),
            }),
        }
    }

    /// RFC 9110, 9.2.2: only what is idempotent may be sent twice.
    fn may_go_again(&self, connection: &AppConnection) -> bool {
        let watched = &connection.watched;
        let is_whole = self.body.as_ref().is_none_or(|body| body.frames() == 0);
        let is_harmless = !watched.has_written() || self.head.method.is_idempotent();
        connection.is_reused && is_whole && is_harmless && !watched.has_read()
    }

    /// Waits for the head of the response; a body that still moves keeps the clock from running.
    async fn in_time<F, T>(&self, clock: &mut Clock, sent: F) -> Result<Result<T, Failed>, NoAnswer>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        let mut sent = pin!(sent);
        if let (true, Some(body)) = (self.is_held, &self.body) {
            match timeout(CONTINUE_LIMIT, &mut sent).await {
                Ok(ended) => return Ok(ended),
                Err(_) => body.release(),
            }
        }
        let limit = self.limits.timeout;
        let frames = || self.body.as_ref().map_or(0, |body| body.frames());
        let mut seen = frames();
        clock.set(limit);
        poll_fn(|cx| {
            if let Poll::Ready(ended) = sent.as_mut().poll(cx) {
                return Poll::Ready(Ok(ended));
            }
            while clock.poll(cx).is_ready() {
                if frames() == seen {
                    return Poll::Ready(Err(NoAnswer::Late(limit)));
                }
                seen = frames();
                clock.set(limit);
            }
            Poll::Pending
        })
        .await
    }
}

type Failed = TrySendError<Request<Upload>>;

fn is_down(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}
