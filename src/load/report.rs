//! The result of a load: a tally for each style of clients in each phase.

use std::fmt;
use std::time::Duration;

use super::tally::Tally;
use super::timeline::Timeline;

/// What became of all requests of a load.
#[derive(Clone, Debug)]
pub struct Report {
    /// The phases in order.
    pub phases: Vec<Phase>,
    pub(super) crews: Vec<Crew>,
    /// What happened when, if [`super::Load::timeline`] asked for it.
    pub timeline: Option<Timeline>,
    /// The CPU time that the load itself took.
    pub cpu: Duration,
}

/// A named window of a load.
#[derive(Clone, Debug)]
pub struct Phase {
    /// The name given by [`super::Running::mark`].
    pub name: String,
    /// When it began, from the start of the load.
    pub begun: Duration,
    /// How long it was.
    pub lasted: Duration,
}

/// The clients of one style.
#[derive(Clone, Debug)]
pub(super) struct Crew {
    pub(super) style: String,
    /// One for each phase.
    pub(super) tallies: Vec<Tally>,
}

impl Report {
    /// Everything taken together.
    pub fn total(&self) -> Tally {
        self.select(|_, _| true)
    }

    /// All styles in the phase of this name; empty when there was none.
    pub fn phase(&self, name: &str) -> Tally {
        self.select(|_, phase| phase == name)
    }

    /// One style in all phases.
    pub fn style(&self, name: &str) -> Tally {
        self.select(|style, _| style == name)
    }

    /// One style in one phase.
    pub fn part(&self, style: &str, phase: &str) -> Tally {
        self.select(|s, p| s == style && p == phase)
    }

    /// The names of the styles, in the order they were added.
    pub fn styles(&self) -> impl Iterator<Item = &str> {
        self.crews.iter().map(|crew| crew.style.as_str())
    }

    /// How many requests were lost in all.
    pub fn lost(&self) -> u64 {
        self.total().lost()
    }

    /// The parts whose style and phase are wanted, taken together.
    pub fn select(&self, wanted: impl Fn(&str, &str) -> bool) -> Tally {
        let mut sum = Tally::default();
        for crew in &self.crews {
            for (phase, tally) in self.phases.iter().zip(&crew.tallies) {
                if wanted(&crew.style, &phase.name) {
                    sum.add(tally);
                }
            }
        }
        sum
    }
}

/// A line for each style, then the words of what was lost: what a failed assertion should show.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for style in self.styles() {
            let tally = self.style(style);
            writeln!(
                f,
                "{style}: {} requests, {} lost, p50 {:?}, p99 {:?}, max {:?} at {:?}, {} reconnects",
                tally.requests(),
                tally.lost(),
                tally.p50(),
                tally.p99(),
                tally.max(),
                tally.max_at(),
                tally.reconnects,
            )?;
            for (class, count) in tally.lost_by_class() {
                writeln!(f, "  {class}: {count}")?;
            }
            for sample in tally.samples() {
                writeln!(f, "  {} at {:?}: {}", sample.class, sample.at, sample.text)?;
            }
        }
        Ok(())
    }
}
