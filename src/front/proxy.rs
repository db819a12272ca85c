//! The service that passes each request on to the app and its response back.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::ext::on_informational;
use hyper::header::{EXPECT, HeaderValue};
use hyper::http::Extensions;
use hyper::http::request::Parts;
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};

use super::answers::NoAnswer;
use super::download::Download;
use super::exchange::{Exchange, Limits};
use super::head;
use super::origin::{self, Origin};
use super::pool::Pool;
use super::trust::Trust;
use super::tunnel::Tunnels;
use super::upload::Source;
use crate::worker::Peer;

/// A response of the app's, or one of our own.
pub(crate) type Body = Either<Download, Full<Bytes>>;

/// What every connection's proxy shares.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) pool: Arc<Pool>,
    pub(crate) limits: Limits,
    pub(crate) trust: Arc<Trust>,
    pub(crate) tunnels: Tunnels,
}

/// The proxy as one client sees it.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    shared: Shared,
    origin: Arc<Origin>,
}

impl Shared {
    pub(crate) fn for_peer(&self, peer: &Peer) -> Proxy {
        Proxy { shared: self.clone(), origin: Arc::new(Origin::new(peer, &self.trust)) }
    }
}

impl Service<Request<Incoming>> for Proxy {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Box::pin(self.clone().respond(request))
    }
}

impl Proxy {
    async fn respond(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let mut exchange = self.exchange(request);
        let response = self.forward(&mut exchange).await.unwrap_or_else(|no_answer| {
            let (head, has_body) = (&exchange.head, exchange.body.is_some());
            tracing::warn!(
                request_id = origin::request_id(&head.headers),
                "{} {}: {no_answer}",
                head.method,
                head.uri
            );
            no_answer.response(has_body).map(Either::Right)
        });
        Ok(response)
    }

    async fn forward(&self, exchange: &mut Exchange) -> Result<Response<Body>, NoAnswer> {
        let (mut response, connection) = exchange.answer().await?;
        let mut connection = Some(connection);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let client = exchange.upgrade.take().ok_or(NoAnswer::Unasked)?;
            self.shared.tunnels.open(client, &mut response);
            // No other request's, from here on.
            connection = None;
        }
        let (mut head, body) = response.into_parts();
        head::to_client(head.status, &mut head.headers);
        let upload = exchange.body.take();
        let body = Download::new(body, connection, exchange.pool.clone(), upload);
        Ok(Response::from_parts(head, Either::Left(body)))
    }

    fn exchange(&self, request: Request<Incoming>) -> Exchange {
        let (mut head, body) = request.into_parts();
        let upgrade = head.extensions.remove::<OnUpgrade>();
        // What else hyper has noted there is about the client's connection.
        head.extensions = Extensions::new();
        let waits = head.headers.get(EXPECT).is_some_and(is_continue);
        let body = Source::new(body, waits);
        let upgrade = head::to_app(&mut head, body.is_some()).and(upgrade);
        self.origin.stamp(&mut head.headers);
        let held = body.clone().filter(|_| waits);
        if let Some(body) = held.clone() {
            release_when_told(&mut head, body);
        }
        let Shared { pool, limits, .. } = self.shared.clone();
        Exchange { pool, limits, head, body, is_held: held.is_some(), upgrade }
    }
}

/// Lets the body go when the app says 100 (Continue).
fn release_when_told(head: &mut Parts, body: Arc<Source>) {
    let mut request = Request::new(());
    on_informational(&mut request, move |response| {
        if response.status() == StatusCode::CONTINUE {
            body.release();
        }
    });
    head.extensions = request.into_parts().0.extensions;
}

fn is_continue(expect: &HeaderValue) -> bool {
    expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
}
