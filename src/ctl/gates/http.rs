//! One HTTP question, asked once: no retries, for the heart asks again by itself.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::url::Target;

/// A service that takes longer to say that it is well is not.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const BODY_LIMIT: usize = 64 * 1024;

/// Asks, and returns the status and the body, or why there is none, in a few words.
pub(super) async fn get(target: &Target) -> Result<(StatusCode, Bytes), String> {
    let asked = timeout(ANSWER_LIMIT, get_in_its_own_time(target)).await;
    asked.unwrap_or_else(|_| Err(format!("no answer in {} s", ANSWER_LIMIT.as_secs())))
}

async fn get_in_its_own_time(target: &Target) -> Result<(StatusCode, Bytes), String> {
    match target {
        Target::Unix { socket, path } => {
            let stream = UnixStream::connect(socket).await.map_err(in_words)?;
            exchange(stream, "localhost", path).await
        }
        Target::Tcp { authority, path } => {
            let stream = TcpStream::connect(authority).await.map_err(in_words)?;
            exchange(stream, authority, path).await
        }
    }
}

async fn exchange<S>(stream: S, host: &str, path: &str) -> Result<(StatusCode, Bytes), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, concat!("rollctl/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await;
        Ok((head.status, body.map_err(|error| error.to_string())?.to_bytes()))
    };
    let (answer, ()) = futures_util::future::join(answer, async { _ = connection.await }).await;
    answer
}

/// The kernel's word without its number.
fn in_words(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no socket there".to_owned(),
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}
