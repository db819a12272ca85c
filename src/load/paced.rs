//! Bodies that take their time: sent, or read, piece by piece.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::style::Pace;

/// In so many pieces a slow body is sent.
const PIECES: u32 = 50;

/// A request's body, whole or in pieces.
pub(super) struct Paced {
    rest: Bytes,
    piece: usize,
    /// Between two pieces.
    rest_between: Duration,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(super) fn new(body: Bytes, pace: Pace) -> Self {
        match pace {
            Pace::Sends(time) => Self {
                piece: body.len().div_ceil(PIECES as usize),
                rest: body,
                rest_between: time / PIECES,
                wait: None,
            },
            _ => Self { piece: body.len(), rest: body, rest_between: Duration::ZERO, wait: None },
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
        }
        let length = self.piece.min(self.rest.len());
        let piece = self.rest.split_to(length);
        if !self.rest_between.is_zero() {
            self.wait = Some(Box::pin(tokio::time::sleep(self.rest_between)));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// Reads a response's body; how much time lay between its first and its last piece comes with it.
pub(super) async fn read(body: Incoming, pace: Pace) -> Result<(Bytes, Duration), hyper::Error> {
    if pace == Pace::Full {
        return Ok((body.collect().await?.to_bytes(), Duration::ZERO));
    }
    read_in_pieces(body, pace).await
}

async fn read_in_pieces(mut body: Incoming, pace: Pace) -> Result<(Bytes, Duration), hyper::Error> {
    let begun = Instant::now();
    let mut all = BytesMut::new();
    let (mut first, mut last) = (None, begun);
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        last = Instant::now();
        first.get_or_insert(last);
        all.extend_from_slice(&piece);
        if let Pace::Reads(bytes, time) = pace {
            // Never ahead of an even pace.
            sleep_until(begun + time.mul_f64(all.len() as f64 / bytes as f64)).await;
        }
    }
    Ok((all.freeze(), last - first.unwrap_or(last)))
}
