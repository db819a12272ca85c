//! When and how the two ends of a WebSocket are told that the worker goes away.
//!
//! ```text
//! SIGTERM ─► grace, and a while by chance ─► Close 1001 both ways, each between two frames
//!                                             ─► answered, or 2 s ─► FIN
//! ```

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::frames::going_away;
use super::lane::Lane;
use super::pump::Pump;

/// How long an end has to answer a Close, and then to close the connection.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// How long a WebSocket is kept in a drain that has `left` before its deadline: the grace, and by
/// chance up to as much again, so that clients do not all come back at once. `chance` is in 0..1.
pub(super) fn wait(grace: Duration, left: Duration, chance: f64) -> Duration {
    // A drain too short for both is shared by both, and what comes after needs its time, too.
    let left = left.saturating_sub(2 * ANSWER_LIMIT);
    let grace = grace.min(left / 2);
    grace + grace.mul_f64(chance)
}

/// Ends a WebSocket; true if its client was told why.
///
/// An end that has said Close, or was told it, is told no other: both are given the time to finish
/// what they have begun.
pub(super) async fn say<C, A>(pump: &mut Pump<C, A>) -> bool
where
    C: AsyncRead + AsyncWrite,
    A: AsyncRead + AsyncWrite,
{
    let Pump { up, down, .. } = pump;
    if up.has_close() || down.has_close() {
        let _ = timeout(ANSWER_LIMIT, pump.carry()).await;
        return false;
    }
    let said = Semaphore::new(0);
    let (to_app, to_client) = (going_away(Some(fastrand::u32(..).to_be_bytes())), going_away(None));
    let were_heard = tokio::select! {
        (app, client) = async { tokio::join!(end(up, &to_app, &said), end(down, &to_client, &said)) } => {
            app.is_ok() && client.is_ok()
        }
        () = time_out(&said, 2) => false,
    };
    let _ = tokio::join!(up.shut(), down.shut());
    if were_heard {
        let _ = timeout(ANSWER_LIMIT, async { tokio::join!(up.hear_end(), down.hear_end()) }).await;
    }
    down.has_said_close()
}

async fn end<R, W>(lane: &mut Lane<R, W>, close: &[u8], said: &Semaphore) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let result = lane.close(close).await;
    said.add_permits(1);
    result?;
    lane.hear_close().await
}

/// Returns when so many have done their part and the others have had their time. Of two that are
/// told, it runs from the moment that both were: an end that is still sending a long frame cannot
/// answer before that.
pub(super) async fn time_out(done: &Semaphore, count: u32) {
    let _parts = done.acquire_many(count).await;
    sleep(ANSWER_LIMIT).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn goodbyes_are_spread_over_the_grace_once_more() {
        assert_eq!(wait(5 * SECOND, 30 * SECOND, 0.0), 5 * SECOND);
        assert_eq!(wait(5 * SECOND, 30 * SECOND, 0.5), 7500 * SECOND / 1000);
        assert!(wait(5 * SECOND, 30 * SECOND, 0.999) < 10 * SECOND);
    }

    #[test]
    fn a_short_drain_leaves_time_for_the_answers() {
        assert_eq!(wait(30 * SECOND, 30 * SECOND, 0.0), 13 * SECOND);
        assert!(wait(30 * SECOND, 30 * SECOND, 0.999) < 26 * SECOND);
        assert_eq!(wait(5 * SECOND, 3 * SECOND, 0.7), Duration::ZERO);
    }
}
