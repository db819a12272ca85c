//! A connection to the app that can be looked at while hyper owns it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::worker::Stream;

/// What hyper reads from and writes to.
#[derive(Debug)]
pub(crate) struct AppStream(Arc<Watched>);

/// What is known of a connection to the app.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: Mutex<Stream>,
    /// A byte was written since [`Watched::begin`].
    has_written: AtomicBool,
    has_read: AtomicBool,
}

impl AppStream {
    pub(crate) fn new(stream: Stream) -> Self {
        let stream = Mutex::new(stream);
        let (has_written, has_read) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Watched { stream, has_written, has_read }))
    }

    pub(crate) fn watch(&self) -> Arc<Watched> {
        self.0.clone()
    }
}

impl Watched {
    /// Begins a new request.
    pub(crate) fn begin(&self) {
        self.has_written.store(false, Relaxed);
        self.has_read.store(false, Relaxed);
    }

    /// Whether the app may have seen part of the request.
    pub(crate) fn has_written(&self) -> bool {
        self.has_written.load(Relaxed)
    }

    /// Whether the app has begun to answer.
    pub(crate) fn has_read(&self) -> bool {
        self.has_read.load(Relaxed)
    }

    /// Whether the kernel knows of nothing to read: an app that has closed an idle connection is
    /// seen here before tokio hears of it.
    pub(crate) fn is_quiet(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        matches!(recv(&*self.lock(), &mut [0; 1], flags), Err(Errno::AGAIN))
    }

    /// Never held across a wait; a poisoned lock only says that another thread panicked.
    fn lock(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl AsyncRead for AppStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut *self.0.lock()).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.0.has_read.store(true, Relaxed);
        }
        polled
    }
}

impl AsyncWrite for AppStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.0.lock()).poll_write(cx, bytes);
        self.0.note(&polled);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.0.lock()).poll_write_vectored(cx, slices);
        self.0.note(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_shutdown(cx)
    }
}

impl Watched {
    fn note(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(_))) {
            self.has_written.store(true, Relaxed);
        }
    }
}
