//! What the records of a roll tell of it, read back from its event log: for `status`, for `resume`.
//!
//! It is a fold over the records and nothing else, so a log that ends in the middle (its roll was
//! killed) tells as much as was done.

use std::time::Duration;

use super::last_word::LastWord;
use super::outcome::{Failure, Outcome};
use super::phase::Phase;
use super::policy::Hook;
use super::record::Record;

/// A roll as far as it was told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Story {
    /// Every member, in the order of their turns.
    pub instances: Vec<Chapter>,
    /// The batch that began last, counted from one; zero before the first.
    pub batch: usize,
    /// How many batches there are.
    pub batches: usize,
    /// Who paused it, while it is paused.
    pub paused_by: Option<String>,
    /// The hook that began last and has not ended, and its instance if it is one's.
    pub hook: Option<(Hook, Option<String>)>,
    /// How often somebody wanted it to end.
    pub interrupts: u32,
    /// What went down with an instance: which are up again, and which are not.
    pub dependents: Vec<(String, Vec<String>, Vec<String>)>,
    /// What was said at its end, when it did not end well.
    pub last_word: Option<LastWord>,
    /// How it ended; `None` while it goes on, or when it was killed.
    pub outcome: Option<Outcome>,
}

/// One instance of a [`Story`].
#[derive(Clone, Debug, PartialEq)]
pub struct Chapter {
    /// Its unit.
    pub instance: String,
    /// Where it is, or was when the story broke off.
    pub phase: Phase,
    /// When it got there, from the beginning of the roll.
    pub since: Duration,
    /// What was noted of it last.
    pub note: Option<String>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

impl Story {
    /// Reads on: `at` is how long after the roll's beginning this was recorded.
    pub fn read(&mut self, at: Duration, record: &Record) {
        match record {
            Record::RollBegan { instances, batches } => {
                self.batches = *batches;
                self.instances = instances.iter().map(|unit| Chapter::pending(unit)).collect();
            }
            Record::BatchBegan { batch, .. } => self.batch = *batch,
            Record::PhaseChanged { instance, phase, .. } => {
                if let Some(chapter) = self.chapter(instance) {
                    *chapter = Chapter { phase: *phase, since: at, note: None, ..chapter.clone() };
                }
            }
            Record::Note { instance: Some(instance), text } => {
                if let Some(chapter) = self.chapter(instance) {
                    chapter.note = Some(text.clone());
                }
            }
            Record::InstanceFailed { instance, failure } => {
                if let Some(chapter) = self.chapter(instance) {
                    chapter.failure = Some(failure.clone());
                }
            }
            Record::Paused { by } => self.paused_by = Some(by.clone()),
            Record::Resumed { .. } => self.paused_by = None,
            Record::Interrupted { times, .. } => self.interrupts = *times,
            Record::Dependents { instance, up, down } => {
                self.dependents.push((instance.clone(), up.clone(), down.clone()));
            }
            Record::Explained(last_word) => self.last_word = Some(last_word.clone()),
            Record::RollEnded { outcome } => self.outcome = Some(outcome.clone()),
            Record::InDoubt { instance, text } => {
                if let Some(chapter) = self.chapter(instance) {
                    chapter.note = Some(format!("in doubt: {text}"));
                }
            }
            Record::HookBegan { hook, instance } => self.hook = Some((*hook, instance.clone())),
            Record::HookEnded { .. } => self.hook = None,
            Record::Note { instance: None, .. }
            | Record::HookSaid { .. }
            | Record::Status { .. }
            | Record::Pausing { .. }
            | Record::PauseLength { .. } => {}
        }
    }

    /// Those that do not serve yet, by our hand: what is left to do.
    pub fn not_done(&self) -> impl Iterator<Item = &Chapter> {
        self.instances.iter().filter(|chapter| chapter.phase != Phase::Serving)
    }

    /// Whether nothing is left to do; a roll that died before its first record had not chosen yet.
    pub fn all_are_new(&self) -> bool {
        !self.instances.is_empty() && self.not_done().next().is_none()
    }

    /// Those whose turn had begun and not ended.
    pub fn in_hand(&self) -> impl Iterator<Item = &Chapter> {
        self.instances.iter().filter(|chapter| chapter.phase.is_in_flight())
    }

    fn chapter(&mut self, unit: &str) -> Option<&mut Chapter> {
        self.instances.iter_mut().find(|chapter| chapter.instance == unit)
    }
}

impl Chapter {
    fn pending(unit: &str) -> Self {
        Self {
            instance: unit.to_owned(),
            phase: Phase::Pending,
            since: Duration::ZERO,
            note: None,
            failure: None,
        }
    }
}

impl FromIterator<(Duration, Record)> for Story {
    fn from_iter<T: IntoIterator<Item = (Duration, Record)>>(records: T) -> Self {
        let mut story = Self::default();
        records.into_iter().for_each(|(at, record)| story.read(at, &record));
        story
    }
}
