//! An app whose connections leave HTTP, and a client that asks them to.

use axum::body::Body;
use axum::extract::Request;
use axum::extract::ws::WebSocket;
use axum::http::StatusCode;
use axum::response::Response;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::Client;

/// Sends each message back.
pub async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let _ = socket.send(message).await;
    }
}

/// Sends back what comes; at the word `done` it closes its side, and logs what still comes.
pub async fn raw(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgrade.await.unwrap());
        let mut bytes = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut bytes).await {
            match &bytes[..length] {
                b"done" => stream.shutdown().await.unwrap(),
                bytes => match stream.write_all(bytes).await {
                    Ok(()) => {}
                    Err(_) => eprintln!("heard {:?}", String::from_utf8_lossy(bytes)),
                },
            }
        }
        let _ = stream.write_all(b"bye").await;
    });
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    response.header("connection", "upgrade").header("upgrade", "raw").body(Body::empty()).unwrap()
}

pub const UPGRADE: &str = "GET /raw HTTP/1.1\r\nhost: test\r\n\
    connection: upgrade\r\nupgrade: raw\r\n\r\n";

#[track_caller]
pub fn is_upgraded(client: &mut Client) {
    let head = client.reads_until(b"\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("connection: upgrade\r\n"), "{head}");
}
