//! The app with a layer around it that notes each request from its head to the end of its
//! response, says `Connection: close` while draining, and answers for the app when it cannot.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use hyper::service::Service;
use hyper::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::head;
use super::http1;
use super::in_flight::InFlight;
use super::track::Track;
use super::{App, BoxError};

/// The protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// The app as one connection sees it.
#[derive(Clone, Debug)]
pub(crate) struct Tracked<A> {
    pub(crate) app: A,
    pub(crate) track: Arc<Track>,
    pub(crate) protocol: Protocol,
}

impl<A: App> Service<Request<Incoming>> for Tracked<A> {
    type Response = Response<TrackedBody<A::Body>>;
    type Error = BoxError;
    type Future = TrackedFuture<A>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let in_flight = InFlight::begin(&self.track, &request);
        let mut answer = TrackedFuture::without_response(in_flight, self.protocol);
        if let Some(status) = self.refusal(&request) {
            answer.status = status;
            return answer;
        }
        if self.protocol == Protocol::Http1 {
            head::settle_host(&mut request);
        }
        // A panic in here would take the whole connection down, with all its HTTP/2 streams. What
        // comes of it is put where it stays, for requests and responses are large.
        let call = AssertUnwindSafe(|| answer.response = Some(self.app.call(request)));
        if let Err(panic) = catch_unwind(call) {
            answer.in_flight.iter().for_each(|it| report_panic(it, panic.as_ref()));
        }
        answer
    }
}

impl<A> Tracked<A> {
    /// The status of a request that the app is not asked about.
    fn refusal(&self, request: &Request<Incoming>) -> Option<StatusCode> {
        head::fault(request).or_else(|| {
            let all = &self.track.all;
            all.refusal().inspect(|_| _ = all.metrics.refused.inc())
        })
    }
}

pin_project! {
    /// The app's response in the making.
    pub(crate) struct TrackedFuture<A: App> {
        #[pin]
        response: Option<A::Future>,
        // What is answered when there is none.
        status: StatusCode,
        in_flight: Option<InFlight>,
        protocol: Protocol,
        // Made only for a response that is not there at once.
        deadline: Option<Deadline>,
    }
}

impl<A: App> TrackedFuture<A> {
    fn without_response(in_flight: InFlight, protocol: Protocol) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { response: None, status, in_flight: Some(in_flight), protocol, deadline: None }
    }
}

impl<A: App> Future for TrackedFuture<A> {
    type Output = Result<Response<TrackedBody<A::Body>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let protocol = *this.protocol;
        let Some(in_flight) = this.in_flight.as_ref() else { return Poll::Pending };
        let mut polled = None;
        if let Some(response) = this.response.as_pin_mut() {
            let poll = AssertUnwindSafe(|| polled = Some(response.poll(cx)));
            if let Err(panic) = catch_unwind(poll) {
                report_panic(in_flight, panic.as_ref());
            }
        }
        let status = match polled {
            Some(Poll::Pending) => {
                ready!(poll_deadline(this.deadline, in_flight.track(), cx));
                in_flight.cut("answered 503");
                StatusCode::SERVICE_UNAVAILABLE
            }
            // Whatever the app made of half a body, it is not what was asked for.
            _ if in_flight.track().is_malformed() => StatusCode::BAD_REQUEST,
            Some(Poll::Ready(Ok(response))) => {
                return finish(response, Some, this.in_flight.take(), protocol);
            }
            Some(Poll::Ready(Err(error))) => {
                report_error(in_flight, error.into());
                StatusCode::INTERNAL_SERVER_ERROR
            }
            None => *this.status,
        };
        finish(last_response(status), |()| None, this.in_flight.take(), protocol)
    }
}

/// The response as it goes out, in one piece: a response is too large to be moved about.
#[inline]
fn finish<T, B: Body>(
    response: Response<T>,
    body: impl FnOnce(T) -> Option<B>,
    in_flight: Option<InFlight>,
    protocol: Protocol,
) -> Poll<Result<Response<TrackedBody<B>>, BoxError>> {
    let Some(mut in_flight) = in_flight else { return Poll::Pending };
    let (mut head, content) = response.into_parts();
    // Where siblings take connections over, none is the last response on its own.
    let is_last = !in_flight.track().all.are_kept();
    let is_http1 = protocol == Protocol::Http1;
    let is_upgrade = is_http1 && in_flight.upgrades_with(head.status);
    if let Some(declined) = in_flight.take_upgrade().filter(|_| !is_upgrade) {
        tokio::spawn(http1::close_declined(declined));
    }
    if is_upgrade {
        in_flight.track().note_upgrade(in_flight.describe());
    } else if is_last && is_http1 {
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    } else if !is_http1 {
        head.headers.remove(CONNECTION);
    }
    in_flight.answered(head.status);
    let body = TrackedBody::new(body(content), in_flight, protocol);
    Poll::Ready(Ok(Response::from_parts(head, body)))
}

/// The wait for the drain's deadline.
type Deadline = Pin<Box<WaitForCancellationFutureOwned>>;

fn poll_deadline(wait: &mut Option<Deadline>, track: &Track, cx: &mut Context<'_>) -> Poll<()> {
    let token = || Box::pin(track.all.deadline.clone().cancelled_owned());
    wait.get_or_insert_with(token).as_mut().poll(cx)
}

fn report_error(in_flight: &InFlight, error: BoxError) {
    tracing::error!("{}: the app failed, answering 500: {error}", in_flight.describe());
}

fn report_panic(in_flight: &InFlight, panic: &(dyn Any + Send)) {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("(no message)");
    tracing::error!("{}: the app panicked, answering 500: {text}", in_flight.describe());
}

/// An answer of our own. 502 and 503 say that this request was not begun: a client, or nginx, may
/// send it elsewhere, or again in a moment.
fn last_response(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

pin_project! {
    /// A response body that knows when it has been handed over whole.
    pub(crate) struct TrackedBody<B> {
        #[pin]
        body: Option<B>,
        in_flight: InFlight,
        protocol: Protocol,
        deadline: Option<Deadline>,
    }
}

impl<B: Body> TrackedBody<B> {
    fn new(body: Option<B>, mut in_flight: InFlight, protocol: Protocol) -> Self {
        if body.as_ref().is_none_or(Body::is_end_stream) {
            in_flight.complete();
        }
        Self { body, in_flight, protocol, deadline: None }
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        let Some(mut body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let frame = match body.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => frame,
            // Its connection is reset: hyper would close it, which can look like a whole response.
            Poll::Pending if *this.protocol == Protocol::Http1 => return Poll::Pending,
            Poll::Pending => {
                ready!(poll_deadline(this.deadline, this.in_flight.track(), cx));
                return Poll::Ready(Some(Err("cut at the drain deadline".into())));
            }
        };
        if frame.is_none() || body.is_end_stream() {
            this.in_flight.complete();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
