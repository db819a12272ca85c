//! Waiting until the app is ready: it accepts, it answers, or it says so.

use std::io;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::UnixDatagram;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::config::Readiness;
use super::place::Place;
use super::stream::AppStream;
use crate::worker::env::runtime_directory;

/// The first pause between two looks at the app, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// How long one answer to a readiness request may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Looks at the app again and again until it is ready. One that has no place of its own cannot be
/// looked at, for a sibling would answer: it says so itself, or is ready when it runs.
pub(crate) async fn wait(
    place: Option<&Place>,
    readiness: &Readiness,
    notices: Option<&mut Notices>,
) {
    match (readiness, notices, place) {
        (Readiness::Notify, Some(notices), _) => notices.ready().await,
        (Readiness::Path(path), _, Some(place)) => poll(async || answers(place, path).await).await,
        (_, _, Some(place)) => poll(async || place.connect().await.is_ok()).await,
        (_, _, None) => {}
    }
}

async fn poll(mut is_ready: impl AsyncFnMut() -> bool) {
    let (mut pause, longest) = PAUSES;
    while !is_ready().await {
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

async fn answers(place: &Place, path: &str) -> bool {
    matches!(timeout(ANSWER_LIMIT, ask(place, path)).await,
        Ok(Ok(status)) if status.is_success() || status.is_redirection())
}

async fn ask(place: &Place, path: &str) -> Result<StatusCode, Box<dyn std::error::Error>> {
    let stream = AppStream::new(place.connect().await?);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header(HOST, "localhost").body(Empty::<Bytes>::new())?;
    let answer = async { Ok::<_, hyper::Error>(sender.send_request(request).await?.status()) };
    tokio::select! {
        status = answer => Ok(status?),
        ended = connection => Err(ended.err().map_or("closed".into(), Into::into)),
    }
}

/// The socket on which the app says that it is ready, in the place of systemd's.
#[derive(Debug)]
pub(crate) struct Notices {
    pub(crate) path: PathBuf,
    ready: watch::Receiver<u64>,
    _directory: Option<TempDir>,
    _listening: tokio::task::JoinSet<()>,
}

impl Notices {
    pub(crate) fn listen() -> io::Result<Self> {
        let temporary = match runtime_directory() {
            Some(_) => None,
            None => Some(tempfile::tempdir()?),
        };
        let directory = runtime_directory().or(temporary.as_ref().map(|it| it.path().into()));
        let path = directory.unwrap_or_default().join("app-notify.sock");
        // One that an earlier run left behind.
        let _ = std::fs::remove_file(&path);
        let socket = StdDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        let (said, ready) = watch::channel(0);
        let listening = [hear(UnixDatagram::from_std(socket)?, said)].into_iter().collect();
        Ok(Self { path, ready, _directory: temporary, _listening: listening })
    }

    /// Waits for the next READY=1.
    async fn ready(&mut self) {
        if self.ready.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// What was said before now is about another run.
    pub(crate) fn forget(&mut self) {
        self.ready.mark_unchanged();
    }
}

/// Reads all that the app says, for its next word would wait for that; sd_notify(3) has the format.
async fn hear(socket: UnixDatagram, said: watch::Sender<u64>) {
    let mut buffer = [0; 4096];
    while let Ok(length) = socket.recv(&mut buffer).await {
        for line in String::from_utf8_lossy(&buffer[..length]).lines() {
            match line.split_once('=') {
                Some(("READY", "1")) => said.send_modify(|times| *times += 1),
                Some(("STATUS", text)) => tracing::info!("the app says: {text}"),
                _ => {}
            }
        }
    }
}
