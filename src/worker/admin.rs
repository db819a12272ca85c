//! The instance's own socket for health and metrics: it names this very run, where the shared
//! socket could be answered by any sibling. It goes on answering during the drain.

use std::io;
use std::net::TcpListener as StdTcp;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::connections::{AppState, Connections, Phase};
use super::{Address, Config, Error};

/// Questions answered at a time; more wait in the queue.
const ROOM: usize = 64;

/// How long one question and its answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The open admin socket; dropped, it closes and leaves no file behind.
#[derive(Debug)]
pub(crate) struct Admin {
    _accepting: JoinSet<()>,
    path: Option<PathBuf>,
}

impl Admin {
    /// Opens the socket of `config`, if it names one.
    pub(crate) fn open(config: &Config, connections: &Arc<Connections>) -> Result<Self, Error> {
        let mut accepting = JoinSet::new();
        let mut path = None;
        if let Some(address) = &config.admin {
            let bind = |error| Error::Bind(address.clone(), error);
            match address {
                Address::Tcp(tcp) => {
                    let listener = bind_tcp(*tcp).map_err(bind)?;
                    accepting.spawn(answer_tcp(listener, connections.clone()));
                }
                Address::Unix(file) => {
                    let listener = bind_unix(file).map_err(bind)?;
                    accepting.spawn(answer_unix(listener, connections.clone()));
                    path = Some(file.clone());
                }
            }
        }
        Ok(Self { _accepting: accepting, path })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn bind_tcp(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    let listener = StdTcp::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn bind_unix(path: &std::path::Path) -> io::Result<UnixListener> {
    let listener = super::inherit::bind_unix(path)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

async fn answer_tcp(listener: TcpListener, connections: Arc<Connections>) {
    answer_all(|| async { Ok(listener.accept().await?.0) }, connections).await;
}

async fn answer_unix(listener: UnixListener, connections: Arc<Connections>) {
    answer_all(|| async { Ok(listener.accept().await?.0) }, connections).await;
}

async fn answer_all<S, F>(accept: impl Fn() -> F, connections: Arc<Connections>)
where
    F: Future<Output = io::Result<S>>,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let room = Arc::new(Semaphore::new(ROOM));
    loop {
        let place = room.clone().acquire_owned().await;
        match (accept().await, place) {
            (Ok(stream), Ok(place)) => answer(stream, place, &connections),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Answers one question on a connection of its own, so that nobody occupies the socket.
fn answer<S>(stream: S, place: OwnedSemaphorePermit, connections: &Arc<Connections>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connections = connections.clone();
    tokio::spawn(async move {
        let respond = |request| {
            let response = respond(&request, &connections);
            async move { Ok::<_, std::convert::Infallible>(response) }
        };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).keep_alive(false);
        let served = http.serve_connection(TokioIo::new(stream), service_fn(respond));
        let _ = tokio::time::timeout(LIMIT, served).await;
        drop(place);
    });
}

fn respond(request: &Request<Incoming>, connections: &Connections) -> Response<Full<Bytes>> {
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/healthz" | "/metrics" if !is_get => not_allowed(),
        "/healthz" => health(connections),
        "/metrics" => {
            let metrics = connections.metrics.render(&connections.census());
            response(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", metrics)
        }
        _ => response(StatusCode::NOT_FOUND, "text/plain", "try /healthz or /metrics\n".into()),
    }
}

fn health(connections: &Connections) -> Response<Full<Bytes>> {
    let (status, state) = match (connections.phase(), connections.app()) {
        (Phase::Serving, AppState::Up) => (StatusCode::OK, "serving"),
        (Phase::Serving, _) => (StatusCode::SERVICE_UNAVAILABLE, "app down"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    };
    let identity = &connections.identity;
    let health = serde_json::json!({
        "instance": identity.instance,
        "invocation": identity.invocation,
        "version": identity.version,
        "state": state,
    });
    response(status, "application/json", format!("{health}\n"))
}

fn not_allowed() -> Response<Full<Bytes>> {
    let text = "only GET and HEAD\n".to_owned();
    let mut response = response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", text);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
