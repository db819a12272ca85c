//! The book of a running load: every outcome is entered under its crew and its phase.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::answer::Lost;
use super::report::{Crew, Phase, Report};
use super::tally::Tally;
use super::timeline::Recorder;

/// What the handle of a load and its thread share.
pub(super) struct Shared {
    pub(super) begun: Instant,
    /// The phases so far: the name of each and when it began.
    marks: Mutex<Vec<(String, Instant)>>,
    pub(super) ok: AtomicU64,
    pub(super) lost: AtomicU64,
    tickets: AtomicU64,
}

impl Shared {
    pub(super) fn new(first_phase: &str, requests: Option<u64>) -> Self {
        let begun = Instant::now();
        Self {
            begun,
            marks: Mutex::new(vec![(first_phase.to_owned(), begun)]),
            ok: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            tickets: AtomicU64::new(requests.unwrap_or(u64::MAX)),
        }
    }

    pub(super) fn mark(&self, phase: &str) {
        self.with_marks(|marks| marks.push((phase.to_owned(), Instant::now())));
    }

    fn with_marks<T>(&self, act: impl FnOnce(&mut Vec<(String, Instant)>) -> T) -> T {
        act(&mut self.marks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The book itself; it stays in the thread of the load.
pub(super) struct Book {
    shared: Arc<Shared>,
    crews: RefCell<Vec<(String, Vec<Tally>)>>,
    recorder: RefCell<Option<Recorder>>,
}

impl Book {
    pub(super) fn new(
        shared: Arc<Shared>,
        crews: impl Iterator<Item = String>,
        recorder: Option<Recorder>,
    ) -> Self {
        let crews = crews.map(|name| (name, Vec::new())).collect();
        Self { shared, crews: RefCell::new(crews), recorder: RefCell::new(recorder) }
    }

    /// Whether one more request may be sent.
    pub(super) fn take_ticket(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        self.shared.tickets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Enters the end of a request.
    pub(super) fn note(&self, crew: usize, begun: Instant, result: Result<(), Lost>) {
        let ended = Instant::now();
        let at = begun - self.shared.begun;
        if let Some(recorder) = &mut *self.recorder.borrow_mut() {
            recorder.note(ended - self.shared.begun, result.is_ok().then(|| ended - begun));
        }
        match result {
            Ok(()) => {
                let phase = self.shared.with_marks(|marks| longest_phase(marks, begun, ended));
                self.with_tally(crew, phase, |tally| tally.note_ok(ended - begun, at));
                self.shared.ok.fetch_add(1, Ordering::Relaxed);
            }
            Err(lost) => {
                self.with_last_tally(crew, |tally| tally.note_lost(lost.class, lost.text, at));
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn note_connect(&self, crew: usize, again: bool) {
        self.with_last_tally(crew, |tally| {
            tally.connects += 1;
            tally.reconnects += u64::from(again);
        });
    }

    pub(super) fn note_idle_close(&self, crew: usize) {
        self.with_last_tally(crew, |tally| tally.idle_closes += 1);
    }

    /// Closes the book; what it took is not in there.
    pub(super) fn report(&self) -> Report {
        let ended = Instant::now();
        let marks = self.shared.with_marks(|marks| marks.clone());
        let ends = marks.iter().skip(1).map(|(_, begun)| *begun).chain([ended]);
        let phases = marks.iter().zip(ends).map(|((name, begun), end)| Phase {
            name: name.clone(),
            begun: *begun - self.shared.begun,
            lasted: end.saturating_duration_since(*begun),
        });
        let crews = self.crews.borrow();
        let crews = crews.iter().map(|(style, tallies)| {
            let mut tallies = tallies.clone();
            tallies.resize_with(marks.len(), Tally::default);
            Crew { style: style.clone(), tallies }
        });
        let timeline = self.recorder.take().map(Recorder::end);
        let (phases, crews) = (phases.collect(), crews.collect());
        Report { phases, crews, timeline, cpu: Duration::ZERO }
    }

    fn with_last_tally(&self, crew: usize, act: impl FnOnce(&mut Tally)) {
        let last = self.shared.with_marks(|marks| marks.len() - 1);
        self.with_tally(crew, last, act);
    }

    fn with_tally(&self, crew: usize, phase: usize, act: impl FnOnce(&mut Tally)) {
        let tallies = &mut self.crews.borrow_mut()[crew].1;
        if tallies.len() <= phase {
            tallies.resize_with(phase + 1, Tally::default);
        }
        act(&mut tallies[phase]);
    }
}

/// The phase in which a request spent most of its time.
fn longest_phase(marks: &[(String, Instant)], begun: Instant, ended: Instant) -> usize {
    let last = marks.len() - 1;
    if marks[last].1 <= begun {
        return last;
    }
    let time_in = |phase: usize| -> Duration {
        let end = marks.get(phase + 1).map_or(ended, |(_, next)| ended.min(*next));
        end.saturating_duration_since(marks[phase].1.max(begun))
    };
    (0..marks.len()).max_by_key(|phase| time_in(*phase)).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The phase of a request by when it began and ended; phases begin at 0, 100 and 200 s.
    fn phase_of(begun: u64, ended: u64) -> usize {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let marks = [0, 100, 200].map(|begun| (String::new(), at(begun)));
        longest_phase(&marks, at(begun), at(ended))
    }

    #[test]
    fn a_good_request_counts_where_it_spent_most_of_its_time() {
        assert_eq!(phase_of(10, 20), 0, "within the first");
        assert_eq!(phase_of(120, 130), 1, "within the second");
        assert_eq!(phase_of(200, 900), 2, "from the beginning of the last");
        assert_eq!(phase_of(90, 101), 0, "caught by a mark at its end");
        assert_eq!(phase_of(99, 190), 1, "caught by a mark at its beginning");
        assert_eq!(phase_of(90, 205), 1, "over two marks");
    }
}
