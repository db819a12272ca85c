//! The service that passes each request on to the app and its response back.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body as _, Incoming};
use hyper::ext::on_informational;
use hyper::header::{EXPECT, HeaderValue};
use hyper::http::Extensions;
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};

use super::answers::NoAnswer;
use super::download::Download;
use super::exchange::{Exchange, Limits};
use super::head;
use super::origin::Origin;
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
        let has_body = !request.body().is_end_stream();
        let what = request.method().clone();
        let response = self.forward(request).await.unwrap_or_else(|no_answer| {
            tracing::warn!("{what}: {no_answer}");
            no_answer.response(has_body).map(Either::Right)
        });
        Ok(response)
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Body>, NoAnswer> {
        let mut exchange = self.exchange(request)?;
        let (mut response, connection) = exchange.answer().await?;
        let Exchange { pool, body: upload, upgrade, .. } = exchange;
        let mut connection = Some(connection);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let client = upgrade.ok_or(NoAnswer::Unasked)?;
            self.shared.tunnels.open(client, &mut response);
            // No other request's, from here on.
            connection = None;
        }
        let (mut head, body) = response.into_parts();
        head::to_client(head.status, &mut head.headers);
        let body = Download::new(body, connection, pool, upload);
        Ok(Response::from_parts(head, Either::Left(body)))
    }

    fn exchange(&self, request: Request<Incoming>) -> Result<Exchange, NoAnswer> {
        let (mut head, body) = request.into_parts();
        if head.method == Method::CONNECT {
            return Err(NoAnswer::Connect);
        }
        let upgrade = head.extensions.remove::<OnUpgrade>();
        // What else hyper has noted there is about the client's connection.
        head.extensions = Extensions::new();
        let is_held = head.headers.get(EXPECT).is_some_and(is_continue);
        let body = Source::new(body, is_held);
        let upgrade = head::to_app(&mut head, body.is_some()).and(upgrade);
        self.origin.stamp(&mut head.headers);
        let is_held = is_held && body.is_some();
        if let (true, Some(body)) = (is_held, body.clone()) {
            let mut request = Request::from_parts(head, ());
            on_informational(&mut request, move |response| {
                if response.status() == StatusCode::CONTINUE {
                    body.release();
                }
            });
            head = request.into_parts().0;
        }
        let Shared { pool, limits, .. } = self.shared.clone();
        Ok(Exchange { pool, limits, head, body, is_held, upgrade })
    }
}

fn is_continue(expect: &HeaderValue) -> bool {
    expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
}
