//! The body of a request on its way to the app: it can be taken back as long as none of it has
//! gone, and given up when the app has answered without it.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::worker::BoxError;

/// One try to send a body; `None` is that of a request without one.
#[derive(Debug)]
pub(crate) struct Upload {
    source: Option<Arc<Source>>,
    attempt: u32,
}

/// The body itself, whichever try sends it.
#[derive(Debug)]
pub(crate) struct Source {
    state: Mutex<State>,
    frames: AtomicU64,
}

#[derive(Debug)]
struct State {
    body: Incoming,
    attempt: u32,
    /// Held back until the app says 100 (Continue).
    is_held: bool,
    /// The exchange is over; nobody wants the rest.
    is_over: bool,
    waker: Option<Waker>,
}

impl Source {
    /// `None`: the request has no body.
    pub(crate) fn new(body: Incoming, is_held: bool) -> Option<Arc<Self>> {
        if body.is_end_stream() {
            return None;
        }
        let state = State { body, attempt: 0, is_held, is_over: false, waker: None };
        Some(Arc::new(Self { state: Mutex::new(state), frames: AtomicU64::new(0) }))
    }

    /// How many pieces have gone.
    pub(crate) fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// Lets a body go that was held back.
    pub(crate) fn release(&self) {
        self.change(|state| state.is_held = false);
    }

    /// Ends what is left of it: the app has answered.
    pub(crate) fn give_up(&self) {
        self.change(|state| state.is_over = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Upload {
    /// The next try; all before it have failed.
    pub(crate) fn of(source: Option<&Arc<Source>>) -> Self {
        let attempt = source.map_or(0, |source| {
            let mut state = source.lock();
            state.attempt += 1;
            state.attempt
        });
        Self { source: source.cloned(), attempt }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(source) = &self.source else { return Poll::Ready(None) };
        let mut state = source.lock();
        if state.is_over || state.attempt != self.attempt {
            return Poll::Ready(Some(Err("the exchange is over".into())));
        }
        state.waker = Some(cx.waker().clone());
        if state.is_held {
            return Poll::Pending;
        }
        let frame = ready!(Pin::new(&mut state.body).poll_frame(cx));
        source.frames.fetch_add(1, Relaxed);
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.source.as_ref().is_none_or(|source| source.lock().body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.source.as_ref().map_or_else(none, |source| source.lock().body.size_hint())
    }
}
