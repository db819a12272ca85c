//! The course of a load: what ended in each short step of time.

use std::time::Duration;

/// The steps of a load, from its start.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Timeline {
    /// How long each is.
    pub step: Duration,
    /// All of them in order, also those in which nothing ended.
    pub steps: Vec<Step>,
}

/// The requests that ended in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Those that ended well.
    pub ok: u64,
    /// Those that were lost.
    pub lost: u64,
    /// The latency that one in a hundred of the good ones exceeded.
    pub p99: Duration,
    /// The longest latency of a good one.
    pub max: Duration,
}

/// Writes it down as it happens; only the latencies of the open step are kept.
#[derive(Debug)]
pub(super) struct Recorder {
    timeline: Timeline,
    latencies: Vec<Duration>,
    lost: u64,
}

impl Recorder {
    pub(super) fn new(step: Duration) -> Self {
        let timeline = Timeline { step: step.max(Duration::from_millis(1)), steps: Vec::new() };
        Self { timeline, latencies: Vec::new(), lost: 0 }
    }

    /// A request ended at this time from the start: well with this latency, or lost.
    pub(super) fn note(&mut self, at: Duration, latency: Option<Duration>) {
        let step = at.as_nanos() / self.timeline.step.as_nanos();
        while (self.timeline.steps.len() as u128) < step {
            self.close_step();
        }
        match latency {
            Some(latency) => self.latencies.push(latency),
            None => self.lost += 1,
        }
    }

    pub(super) fn end(mut self) -> Timeline {
        self.close_step();
        self.timeline
    }

    fn close_step(&mut self) {
        self.latencies.sort_unstable();
        let ok = self.latencies.len();
        let p99 = self.latencies.get((ok * 99).div_ceil(100).saturating_sub(1));
        let step = Step {
            ok: ok as u64,
            lost: self.lost,
            p99: p99.copied().unwrap_or_default(),
            max: self.latencies.last().copied().unwrap_or_default(),
        };
        self.timeline.steps.push(step);
        self.latencies.clear();
        self.lost = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_in_its_step_and_empty_steps_are_there() {
        let ms = Duration::from_millis;
        let mut recorder = Recorder::new(ms(100));
        for latency in (1..=200).rev() {
            recorder.note(ms(99), Some(ms(latency)));
        }
        recorder.note(ms(300), None);
        recorder.note(ms(399), Some(ms(5)));
        let steps = recorder.end().steps;
        let nothing = Step::default();
        let full = Step { ok: 200, lost: 0, p99: ms(198), max: ms(200) };
        let last = Step { ok: 1, lost: 1, p99: ms(5), max: ms(5) };
        assert_eq!(steps, [full, nothing, nothing, last]);
    }
}
