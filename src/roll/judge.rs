//! What a read of a unit means while a job of ours works on it, or after.

use super::outcome::Failure;
use super::unit::{ActiveState, Invocation, JobId, JobResult, UnitState};

/// What we asked systemd for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Stop,
    Start,
    Restart,
}

/// A job of ours: its id is unknown when the answer to the call was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) verb: Verb,
    pub(super) job: Option<JobId>,
    pub(super) result: Option<JobResult>,
    /// The run the instance was in before we touched it.
    pub(super) old: Option<Invocation>,
}

/// What a read says about a job of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is still at work, as this job; `is_new` once the new run has begun.
    Working { job: JobId, is_new: bool },
    /// The stop is complete.
    Down,
    /// The start is complete, in this run.
    Up(Run),
    /// After a stop, it is coming up again and not by our hand.
    StartedEarly,
    /// The job left no trace: it was never queued, or its end was missed.
    NoTrace(Failure),
    /// It went wrong.
    Wrong(Failure),
}

/// A run of an instance that must not change while it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) invocation: Invocation,
    pub(super) restarts: u32,
}

impl Run {
    /// The run that `state` is in, if it is up.
    fn of(state: &UnitState) -> Option<Self> {
        let invocation = state.invocation.filter(|_| state.active.is_up())?;
        Some(Self { invocation, restarts: state.restarts })
    }

    /// What is wrong if `state` is not this run, up and undisturbed.
    pub(super) fn strayed(&self, state: &UnitState) -> Option<Failure> {
        if state.job.is_some() {
            return Some(taken_over("another job is under way"));
        }
        let same_run = state.invocation == Some(self.invocation);
        // systemd forgets the last run of a unit that ended well and that nobody else needs.
        let is_forgotten = state.invocation.is_none();
        let has_ended = (same_run || is_forgotten) && !state.active.is_up();
        if state.restarts > self.restarts || has_ended {
            return Some(died(state));
        }
        (!same_run).then(|| taken_over("it is in a run that is not ours"))
    }
}

impl Work {
    pub(super) fn read(&self, state: &UnitState) -> Progress {
        match (state.job, self.job, &self.result) {
            (Some(seen), Some(ours), _) if seen == ours => self.working(seen, state),
            (Some(seen), None, None) => self.working(seen, state),
            // Traffic on a socket of its own starts an instance while we stop it.
            (Some(_), _, _) if self.verb == Verb::Stop => Progress::StartedEarly,
            (Some(_), _, _) => Progress::Wrong(taken_over("another job took the place of ours")),
            (None, _, Some(JobResult::Done)) => self.settled(state),
            (None, _, Some(JobResult::Canceled)) => self.canceled(),
            (None, _, Some(result)) => self.ended_badly(state, result),
            (None, _, None) => self.without_result(state),
        }
    }

    fn working(&self, job: JobId, state: &UnitState) -> Progress {
        Progress::Working { job, is_new: state.invocation != self.old }
    }

    fn canceled(&self) -> Progress {
        match self.verb {
            Verb::Stop => Progress::StartedEarly,
            _ => Progress::Wrong(taken_over("our job was canceled by another")),
        }
    }

    /// Whether the unit is in a later run than the one we found, or on its way to it.
    fn is_anew(&self, state: &UnitState) -> bool {
        state.invocation != self.old || state.active == ActiveState::Activating
    }

    /// The job is done: is the unit what the job promised?
    fn settled(&self, state: &UnitState) -> Progress {
        match (self.verb, Run::of(state)) {
            (Verb::Stop, _) if state.active.is_down() => Progress::Down,
            (Verb::Stop, _) if self.is_anew(state) => Progress::StartedEarly,
            (Verb::Stop, _) => Progress::Wrong(not_up(state)),
            (_, Some(run)) if Some(run.invocation) == self.old => Progress::Wrong(Failure::NotNew),
            (_, Some(run)) => Progress::Up(run),
            (_, None) => Progress::Wrong(died(state)),
        }
    }

    /// A stop that "failed" has still stopped; a start that failed has not started.
    fn ended_badly(&self, state: &UnitState, result: &JobResult) -> Progress {
        match self.verb {
            Verb::Stop if state.active.is_down() => Progress::Down,
            _ => {
                let (result, unit) = (result.clone(), state.result.clone());
                Progress::Wrong(Failure::Job { result, unit })
            }
        }
    }

    /// No job and no result: the signal is late or lost, so the state alone must tell.
    fn without_result(&self, state: &UnitState) -> Progress {
        match self.settled(state) {
            Progress::Wrong(_) => Progress::NoTrace(not_up(state)),
            good => good,
        }
    }
}

pub(super) fn taken_over(seen: &str) -> Failure {
    Failure::TakenOver { seen: seen.to_owned() }
}

pub(super) fn died(state: &UnitState) -> Failure {
    Failure::Died { restarts: state.restarts, result: state.result.clone() }
}

fn not_up(state: &UnitState) -> Failure {
    Failure::NotUp { active: state.active, result: state.result.clone() }
}
