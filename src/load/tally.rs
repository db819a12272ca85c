//! Counts by class and latencies of one style of clients in one phase, or of several taken together.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::Class;

/// How many samples of each lost class are kept.
const SAMPLES: usize = 5;

/// What became of a number of requests.
#[derive(Clone)]
pub struct Tally {
    counts: [u64; Class::ALL.len()],
    /// Microseconds from the wish to the last byte, of the requests that ended well.
    latencies: Histogram<u64>,
    max: Duration,
    max_at: Duration,
    samples: Vec<Sample>,
    /// Connections that were made.
    pub connects: u64,
    /// Those that were not a client's first.
    pub reconnects: u64,
    /// Connections seen to be closed by the server between two requests; nothing was lost by them.
    pub idle_closes: u64,
}

/// The words of one lost request.
#[derive(Clone, Debug)]
pub struct Sample {
    /// How it was lost.
    pub class: Class,
    /// What the error said.
    pub text: String,
    /// When the request began, from the start of the load.
    pub at: Duration,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            counts: [0; Class::ALL.len()],
            // Resizes itself; three digits are a thousandth.
            latencies: Histogram::new(3).unwrap_or_else(|_| unreachable!("3 digits are allowed")),
            max: Duration::ZERO,
            max_at: Duration::ZERO,
            samples: Vec::new(),
            connects: 0,
            reconnects: 0,
            idle_closes: 0,
        }
    }
}

impl fmt::Debug for Tally {
    /// What a failed test wants to know; a histogram's thousands of buckets say nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally")
            .field("requests", &self.requests())
            .field("lost", &self.lost_by_class())
            .field("p50", &self.p50())
            .field("p99", &self.p99())
            .field("max", &self.max)
            .field("max_at", &self.max_at)
            .field("samples", &self.samples)
            .finish_non_exhaustive()
    }
}

impl Tally {
    /// How many requests ended in this class.
    pub fn count(&self, class: Class) -> u64 {
        self.counts[class as usize]
    }

    /// How many requests ended at all.
    pub fn requests(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many ended in any class but ok.
    pub fn lost(&self) -> u64 {
        self.requests() - self.count(Class::Ok)
    }

    /// The lost classes that are not zero, with their counts.
    pub fn lost_by_class(&self) -> Vec<(Class, u64)> {
        let lost = Class::ALL.into_iter().filter(|class| class.is_lost());
        lost.map(|class| (class, self.count(class))).filter(|(_, count)| *count > 0).collect()
    }

    /// The latency that this share (0.0 to 1.0) of the good requests did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.latencies.value_at_quantile(share)).min(self.max)
    }

    /// The median latency.
    pub fn p50(&self) -> Duration {
        self.quantile(0.5)
    }

    /// The latency that one request in a hundred exceeded.
    pub fn p99(&self) -> Duration {
        self.quantile(0.99)
    }

    /// The latency that one request in a thousand exceeded.
    pub fn p999(&self) -> Duration {
        self.quantile(0.999)
    }

    /// The longest latency of a good request.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// When that request began, from the start of the load.
    pub fn max_at(&self) -> Duration {
        self.max_at
    }

    /// The first few lost requests of each class.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Adds another tally to this one.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        // Fails only where the other's values do not fit, and this one resizes itself.
        let _ = self.latencies.add(&other.latencies);
        self.note_max(other.max, other.max_at);
        for sample in &other.samples {
            self.keep(sample.clone());
        }
        self.connects += other.connects;
        self.reconnects += other.reconnects;
        self.idle_closes += other.idle_closes;
    }

    pub(super) fn note_ok(&mut self, latency: Duration, at: Duration) {
        self.counts[Class::Ok as usize] += 1;
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        // Fails only where a histogram cannot grow, and this one can.
        let _ = self.latencies.record(micros.max(1));
        self.note_max(latency, at);
    }

    pub(super) fn note_lost(&mut self, class: Class, text: String, at: Duration) {
        self.counts[class as usize] += 1;
        self.keep(Sample { class, text, at });
    }

    fn note_max(&mut self, latency: Duration, at: Duration) {
        if latency > self.max {
            (self.max, self.max_at) = (latency, at);
        }
    }

    fn keep(&mut self, sample: Sample) {
        if self.samples.iter().filter(|kept| kept.class == sample.class).count() < SAMPLES {
            self.samples.push(sample);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_kept_to_a_thousandth_however_long() {
        let mut tally = Tally::default();
        for millis in 1..=100_000 {
            tally.note_ok(Duration::from_millis(millis), Duration::from_millis(7));
        }
        let close = |got: Duration, seconds: f64| (got.as_secs_f64() / seconds - 1.0).abs() < 1e-3;
        assert!(close(tally.p50(), 50.0), "{:?}", tally.p50());
        assert!(close(tally.p99(), 99.0), "{:?}", tally.p99());
        assert_eq!(tally.max(), Duration::from_secs(100));
        let mut sum = Tally::default();
        sum.add(&tally);
        assert_eq!((sum.requests(), sum.p99(), sum.max()), (100_000, tally.p99(), tally.max()));
    }

    #[test]
    fn a_few_words_of_each_lost_class_are_kept() {
        let mut tally = Tally::default();
        for number in 0..100 {
            tally.note_lost(Class::Cut, number.to_string(), Duration::ZERO);
        }
        tally.note_lost(Class::Refused, "no".to_owned(), Duration::ZERO);
        assert_eq!((tally.lost(), tally.samples().len()), (101, SAMPLES + 1));
        assert_eq!(tally.lost_by_class(), [(Class::Refused, 1), (Class::Cut, 100)]);
    }
}
