//! The body of a response on its way to the client; behind its end the connection to the app is
//! free for the next request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::pool::{AppConnection, Pool};
use super::upload::Source;

/// A response's body, and what comes free with its end.
#[derive(Debug)]
pub(crate) struct Download {
    body: Incoming,
    has_ended: bool,
    connection: Option<AppConnection>,
    pool: Arc<Pool>,
    upload: Option<Arc<Source>>,
}

impl Download {
    pub(crate) fn new(
        body: Incoming,
        connection: Option<AppConnection>,
        pool: Arc<Pool>,
        upload: Option<Arc<Source>>,
    ) -> Self {
        Self { body, has_ended: false, connection, pool, upload }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.has_ended = frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.give_up();
        }
        if let Some(connection) = self.connection.take()
            && (self.has_ended || self.body.is_end_stream())
        {
            self.pool.keep(connection);
        }
    }
}
