//! One connection of a client: made within a limit, driven by the client's own task.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use super::answer::Lost;
use super::paced::Paced;
use super::watched::{Stream, Traffic, Watched};
use super::{Class, Target};

type Driver = http1::Connection<TokioIo<Watched>, Paced>;

pub(super) struct Connection {
    sender: SendRequest<Paced>,
    /// hyper's half that moves the bytes; `None` once the connection has ended.
    driver: Option<Pin<Box<Driver>>>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) is_fresh: bool,
}

impl Connection {
    /// Connects within `limit`.
    pub(super) async fn open(target: &Target, limit: Duration) -> Result<Self, Lost> {
        let stream = timeout(limit, connect(target)).await;
        let stream = stream
            .map_err(|_| Lost::new(Class::ConnectTimeout, format!("none within {limit:?}")))?
            .map_err(|error| Lost::new(Class::Refused, error))?;
        let traffic = Arc::new(Traffic::default());
        let io = TokioIo::new(Watched::new(stream, traffic.clone()));
        let made = http1::handshake(io).await;
        let (sender, driver) = made.map_err(|error| Lost::new(Class::EndFresh, error))?;
        Ok(Self { sender, driver: Some(Box::pin(driver)), traffic, is_fresh: true })
    }

    /// Whether the next request can go out; false when the server was seen to have closed.
    pub(super) async fn is_open(&mut self) -> bool {
        let Self { sender, driver, .. } = self;
        drive(driver, sender.ready()).await.is_ok()
    }

    /// Sends a request and waits for the head of its response.
    pub(super) async fn send(
        &mut self,
        request: Request<Paced>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.traffic.begin();
        let Self { sender, driver, .. } = self;
        let response = drive(driver, sender.try_send_request(request)).await;
        response.map_err(|failed| failed.into_error())
    }

    /// Keeps the connection moving while something else is waited for.
    pub(super) async fn while_driven<F: Future>(&mut self, future: F) -> F::Output {
        drive(&mut self.driver, future).await
    }
}

/// Polls the connection beside a future; its errors reach the future by hyper's own channel.
async fn drive<F: Future>(driver: &mut Option<Pin<Box<Driver>>>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
            *driver = None;
        }
        future.as_mut().poll(cx)
    })
    .await
}

async fn connect(target: &Target) -> io::Result<Box<dyn Stream>> {
    match target {
        Target::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        Target::Unix(path) => loop {
            match UnixStream::connect(path).await {
                // A full queue: where TCP waits by itself, a unix socket says so at once.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sleep(Duration::from_millis(1)).await;
                }
                stream => return Ok(Box::new(stream?)),
            }
        },
    }
}
