//! The built-in app: who answers, a slow answer, and an echo. For the demo and for trying out.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::process;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use humantime::format_rfc3339_seconds;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::{Sleep, sleep};

use super::About;

/// The longest answer that `/slow` may be asked for.
const SLOWEST: u64 = 60_000;

type Body = Either<Full<Bytes>, Incoming>;

/// The built-in app.
#[derive(Clone, Debug)]
pub struct BuiltIn {
    page: Arc<Page>,
}

impl BuiltIn {
    /// An app that shows what `about` knows.
    pub fn new(about: About) -> Self {
        Self { page: Arc::new(Page::new(about)) }
    }
}

impl Service<Request<Incoming>> for BuiltIn {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/" if is_get => Answer::now(self.page.show(&request)),
            "/slow" if is_get => slow(request.uri().query()),
            "/echo" if request.method() == Method::POST => Answer::now(echo(request)),
            "/" | "/slow" => Answer::now(not_allowed("GET, HEAD")),
            "/echo" => Answer::now(not_allowed("POST")),
            _ => Answer::now(text(StatusCode::NOT_FOUND, "try /, /slow?ms=100 or POST /echo\n")),
        }
    }
}

/// An answer that is there at once, or after a while.
#[derive(Debug)]
pub struct Answer {
    response: Option<Response<Body>>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Answer {
    fn now(response: Response<Body>) -> Self {
        Self { response: Some(response), wait: None }
    }
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
        }
        self.response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
    }
}

/// The page, whole but for the count in its middle.
#[derive(Debug)]
struct Page {
    about: About,
    html: [String; 2],
    json: [String; 2],
}

impl Page {
    fn new(about: About) -> Self {
        let fields = [
            ("instance", about.instance().to_owned()),
            ("version", about.version().to_owned()),
            ("pid", process::id().to_string()),
            ("invocation", about.invocation().to_owned()),
            ("started", format_rfc3339_seconds(about.started()).to_string()),
        ];
        let json = json(&fields);
        let html = html(&fields);
        Self { about, html, json }
    }

    fn show(&self, request: &Request<Incoming>) -> Response<Body> {
        let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
        let (kind, [before, after]) = match accept {
            Some(accept) if accept.contains("application/json") => ("application/json", &self.json),
            _ => ("text/html; charset=utf-8", &self.html),
        };
        let mut buffer = itoa::Buffer::new();
        let count = buffer.format(self.about.requests_served());
        // To the byte, so that it becomes a body as it is.
        let mut page = String::with_capacity(before.len() + count.len() + after.len());
        page.push_str(before);
        page.push_str(count);
        page.push_str(after);
        let mut response = Response::new(Either::Left(Full::from(page)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

fn json(fields: &[(&str, String)]) -> [String; 2] {
    let field = |(name, value): &(&str, String)| match value.parse::<u64>() {
        Ok(number) if *name == "pid" => format!("\"{name}\":{number}"),
        _ => format!("\"{name}\":{}", serde_json::Value::from(value.as_str())),
    };
    let fields: Vec<String> = fields.iter().map(field).collect();
    [format!("{{{},\"requests\":", fields.join(",")), "}\n".to_owned()]
}

fn html(fields: &[(&str, String)]) -> [String; 2] {
    let row = |(name, value): &(&str, String)| {
        let value = value.replace('&', "&amp;").replace('<', "&lt;");
        format!("<tr><th>{name}<td>{value}\n")
    };
    let rows: String = fields.iter().map(row).collect();
    let before = format!(
        "<!doctype html>\n<title>worker</title>\n<style>body{{font:1rem system-ui;margin:3rem}}\
         th{{text-align:left;padding-right:2rem}}</style>\n<table>\n{rows}<tr><th>requests<td>"
    );
    [before, "\n</table>\n".to_owned()]
}

fn slow(query: Option<&str>) -> Answer {
    let pairs = query.unwrap_or_default().split('&');
    let ms = pairs.filter_map(|pair| pair.strip_prefix("ms=")).next();
    match ms.and_then(|ms| ms.parse().ok()) {
        Some(ms) if ms <= SLOWEST => Answer {
            response: Some(text(StatusCode::OK, "slow\n")),
            wait: Some(Box::pin(sleep(Duration::from_millis(ms)))),
        },
        _ => Answer::now(text(StatusCode::BAD_REQUEST, "write ?ms=N with N up to 60000\n")),
    }
}

fn echo(request: Request<Incoming>) -> Response<Body> {
    let kind = request.headers().get(CONTENT_TYPE).cloned();
    let mut response = Response::new(Either::Right(request.into_body()));
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

fn not_allowed(allow: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "not this method\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
