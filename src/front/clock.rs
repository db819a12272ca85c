//! A limit for one request after another, at the price of one timer.
//!
//! Armed for a request, the timer is left as it is when that ends: it then fires too early for a
//! later one, and only then is armed again. So a request sets no timer, as a rule.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The limit of whatever was begun last.
#[derive(Debug)]
pub(crate) struct Clock {
    due: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { due: Instant::now(), timer: None }
    }

    /// From now on `limit` is left.
    pub(crate) fn set(&mut self, limit: Duration) {
        self.due = Instant::now() + limit;
    }

    /// Ready when the limit is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.due;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() == due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn rings(clock: &mut Clock) -> Duration {
        let begun = Instant::now();
        poll_fn(|cx| clock.poll(cx)).await;
        begun.elapsed()
    }

    fn is_pending(clock: &mut Clock) -> bool {
        clock.poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending()
    }

    #[tokio::test]
    async fn every_request_has_its_whole_limit() {
        let (limit, half) = (Duration::from_millis(100), Duration::from_millis(50));
        let mut clock = Clock::new();
        for _ in 0..5 {
            clock.set(limit);
            assert!(is_pending(&mut clock));
            // Answered in time; the timer goes on as it is.
            tokio::time::sleep(half).await;
        }
        clock.set(limit);
        assert!(rings(&mut clock).await >= limit);
        // And a shorter one after a longer, which is still armed.
        clock.set(Duration::from_secs(3600));
        assert!(is_pending(&mut clock));
        clock.set(half);
        let took = rings(&mut clock).await;
        assert!((half..Duration::from_secs(60)).contains(&took), "{took:?}");
    }
}
