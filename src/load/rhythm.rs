//! When a client wishes its next request: after an answer, or at times of its own.

use std::time::{Duration, Instant};

/// What a client goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// Closed loop: so long after each answer.
    Thinks(Duration),
    /// Open loop: once in each such span, whatever became of the requests before.
    Every(Duration),
}

/// By how much a timer may be late; what exceeds it is no matter of the timer.
const GRAIN: Duration = Duration::from_millis(2);

impl Rhythm {
    /// When the first of `count` clients in a row, counted from 0, wishes its first request: those
    /// of an open loop take turns.
    pub(super) fn first(self, begun: Instant, number: usize, count: usize) -> Instant {
        match self {
            Self::Thinks(_) => begun,
            Self::Every(span) => begun + span.mul_f64(number as f64 / count as f64),
        }
    }

    /// From when a request counts that was wished then and can be sent now.
    pub(super) fn begins(self, wished: Instant, now: Instant) -> Instant {
        match self {
            Self::Thinks(_) => now,
            Self::Every(_) if now - wished <= GRAIN => now,
            Self::Every(_) => wished,
        }
    }

    /// Whether a request wished then need not be sent any more by a load that was stopped.
    pub(super) fn excuses(self, wished: Instant, stopped: Instant) -> bool {
        match self {
            Self::Thinks(_) => true,
            Self::Every(_) => wished > stopped,
        }
    }

    /// When the request after this one is wished; `rest` is the least between an answer and it.
    pub(super) fn next(self, wished: Instant, answered: Instant, rest: Duration) -> Instant {
        match self {
            Self::Thinks(time) => answered + time.max(rest),
            Self::Every(span) => wished + span,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_open_loop_keeps_its_times_whatever_the_answers_take() {
        let (begun, every) = (Instant::now(), Rhythm::Every(MS * 10));
        assert_eq!(every.first(begun, 1, 4), begun + MS * 10 / 4);
        assert_eq!(every.next(begun, begun + MS * 500, MS), begun + MS * 10);
        assert_eq!(every.begins(begun, begun + MS * 500), begun, "a stall counts");
        assert_eq!(every.begins(begun, begun + MS), begun + MS, "the timer's grain does not");
        assert!(!every.excuses(begun, begun + MS), "wished before the end");
        assert!(every.excuses(begun + MS, begun));
    }

    #[test]
    fn a_closed_loop_waits_for_the_answer_and_thinks() {
        let (begun, thinks) = (Instant::now(), Rhythm::Thinks(MS * 5));
        assert_eq!(thinks.first(begun, 1, 4), begun);
        assert_eq!(thinks.next(begun, begun + MS * 500, MS), begun + MS * 505);
        assert_eq!(thinks.next(begun, begun, MS * 9), begun + MS * 9);
        assert_eq!(thinks.begins(begun, begun + MS * 500), begun + MS * 500);
    }
}
