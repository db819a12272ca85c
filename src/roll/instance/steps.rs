//! The way forward: look, call, work, hold, prove, watch, serve.

use std::time::Duration;

use super::{Asked, BLIND_READS, Context, Instance, PROBE_WAITS, RESTORE_LIMIT, START_AGAIN, Step};
use crate::roll::event::{Action, Ticket};
use crate::roll::judge::{Progress, Run, Verb, Work, taken_over};
use crate::roll::outcome::{Failure, Standing};
use crate::roll::phase::Phase;
use crate::roll::policy::Hook;
use crate::roll::unit::{ActiveState, JobId};

impl Instance {
    pub(super) fn looked(&mut self, before: ActiveState, cx: &mut Context) {
        // To restart it now would take down one more than was reckoned with.
        let is_starting = before.is_down() && !self.state.active.is_down();
        if is_starting || self.is_one_too_many(cx) {
            return self.was_started_early(cx);
        }
        if let Some(failure) = self.meddled_with() {
            return self.fail(failure, cx);
        }
        self.old = self.state.invocation;
        self.found_restarts = self.state.restarts;
        if self.member.turn.before_stop && !self.is_drained && !self.state.active.is_down() {
            return self.run_hook(Hook::BeforeStop, None, cx);
        }
        let verb = match (self.state.active.is_down(), self.member.turn.stop_pause.is_zero()) {
            (true, _) => Verb::Start,
            (false, true) => Verb::Restart,
            (false, false) => Verb::Stop,
        };
        match verb {
            Verb::Stop => self.arm(cx),
            _ => self.call(verb, cx),
        }
    }

    /// Reckoned as down, it has come up, and the group cannot bear to lose it again.
    fn is_one_too_many(&self, cx: &Context) -> bool {
        !self.was_up && self.state.active.is_up() && !cx.bearing.may_be_taken()
    }

    /// Whether somebody else has touched it: since it was drained, if it was.
    pub(super) fn meddled_with(&self) -> Option<Failure> {
        let is_other_run = self.is_drained && self.state.invocation != self.old;
        let crashed = self.state.restarts > self.found_restarts;
        // What has crashed is started again by a job of systemd's own, which counts; a start that
        // somebody asked for begins the count anew. A release that mends a crash loop finds its way.
        let restarts_itself =
            self.state.active == ActiveState::Activating && self.state.restarts > 0;
        match self.state.job {
            Some(_) if restarts_itself => None,
            Some(_) => Some(taken_over("another job is under way")),
            None if is_other_run && !crashed => Some(taken_over("it is in a run that is not ours")),
            None => None,
        }
    }

    pub(super) fn call(&mut self, verb: Verb, cx: &mut Context) {
        // A start that we owe keeps the deadline it got when the instance went down.
        if !self.stopped_by_us {
            self.deadline = cx.now + self.member.turn.timeout;
        }
        self.call_again(verb, cx);
    }

    pub(super) fn call_again(&mut self, verb: Verb, cx: &mut Context) {
        self.early_ends.clear();
        self.step = Step::Calling(verb);
        self.enter(if verb == Verb::Start { Phase::Starting } else { Phase::Stopping }, cx);
        cx.actions.push(match verb {
            Verb::Stop => Action::Stop(self.slot),
            Verb::Start => Action::Start(self.slot),
            Verb::Restart => Action::Restart(self.slot),
        });
    }

    pub(super) fn call_was_refused(&mut self, verb: Verb, why: String, cx: &mut Context) {
        let again = cx.now + START_AGAIN;
        if verb == Verb::Start && self.stopped_by_us && again < self.deadline {
            self.note(format!("systemd refused to start it ({why}), trying again in 1s"), cx);
            self.step = Step::Holding { until: again };
            return;
        }
        self.fail(Failure::Refused { error: why }, cx);
    }

    pub(super) fn work(&mut self, verb: Verb, job: Option<JobId>, cx: &mut Context) {
        let result =
            self.early_ends.iter().find(|(id, _)| Some(*id) == job).map(|(_, r)| r.clone());
        self.newest_job = self.newest_job.max(job);
        self.step =
            Step::Working { work: Work { verb, job, result, old: self.old }, blind_reads: 0 };
        if verb == Verb::Stop && job.is_some() {
            self.arm_the_quick_one(cx);
        }
        let is_heard = matches!(&self.step, Step::Working { work, .. }
            if work.job.is_some() && work.result.is_none());
        match self.letting_go {
            true => self.let_go(cx),
            // Its end will be told, or seen when it is read anyway: in a large batch that is enough.
            false if is_heard && self.is_one_of_many() => {
                self.valid_from = Ticket(cx.last_ticket.0 + 1)
            }
            false => self.look_afresh(cx),
        }
    }

    pub(super) fn read_at_work(&mut self, cx: &mut Context) {
        let Step::Working { work, blind_reads } = &mut self.step else { return };
        let verb = work.verb;
        match work.read(&self.state) {
            Progress::Working { job, is_new } => {
                work.job = Some(job);
                self.newest_job = self.newest_job.max(work.job);
                *blind_reads = 0;
                if is_new && verb == Verb::Restart && self.phase == Phase::Stopping {
                    // Its stop had its own time.
                    self.deadline = cx.now + self.member.turn.timeout;
                    self.enter(Phase::Starting, cx);
                }
            }
            Progress::Down => {
                self.missed_its_stop = work.job.is_none();
                self.hold(cx);
            }
            Progress::Up(run) => self.prove(run, cx),
            Progress::StartedEarly => self.was_started_early(cx),
            Progress::Wrong(failure) => self.fail(failure, cx),
            Progress::NoTrace(failure) => {
                *blind_reads += 1;
                let (is_gone, unheard) = (*blind_reads >= BLIND_READS, work.job.is_none());
                let untouched = self.state.invocation == self.old;
                match (is_gone, unheard && untouched) {
                    (true, true) if verb != Verb::Start && self.is_one_too_many(cx) => {
                        self.was_started_early(cx);
                    }
                    (true, true) => self.call_again(verb, cx),
                    (true, false) => self.fail(failure, cx),
                    (false, _) => {}
                }
            }
        }
    }

    pub(super) fn hold(&mut self, cx: &mut Context) {
        self.stopped_by_us = true;
        let pause = if self.in_a_hurry { Duration::ZERO } else { self.member.turn.stop_pause };
        self.step = Step::Holding { until: cx.now + pause };
        self.deadline = cx.now + pause + self.member.turn.timeout;
        self.enter(Phase::Stopped, cx);
        if !pause.is_zero() {
            self.arm_the_quick_one(cx);
        }
    }

    pub(super) fn read_while_down(&mut self, cx: &mut Context) {
        if self.state.job.is_some() || !self.state.active.is_down() {
            self.was_started_early(cx);
        }
    }

    pub(super) fn was_started_early(&mut self, cx: &mut Context) {
        self.note("started early, by traffic or by somebody: taken as started".to_owned(), cx);
        self.deadline = cx.now + self.member.turn.timeout;
        self.enter(Phase::Starting, cx);
        self.work(Verb::Start, self.state.job, cx);
    }

    pub(super) fn prove(&mut self, run: Run, cx: &mut Context) {
        self.run = Some(run);
        self.disarm_unless_needed(cx);
        // One that was too quick to be seen starting has started all the same.
        self.enter(Phase::Starting, cx);
        self.enter(Phase::Probing, cx);
        self.deadline = cx.now + self.health_timeout();
        self.ask_the_gates(run, false, cx);
    }

    pub(super) fn ask_the_gates(&mut self, run: Run, watched: bool, cx: &mut Context) {
        let (again, wait) = (cx.now, PROBE_WAITS.0);
        self.step = Step::Proving { run, watched, asked: None, again, wait };
        self.probe_if_due(cx);
    }

    pub(super) fn probe_if_due(&mut self, cx: &mut Context) {
        let Step::Proving { run, asked, again, .. } = &mut self.step else { return };
        let limit = self.member.turn.probe_limit;
        let is_due = match asked {
            None => cx.now >= *again,
            Some(asked) => cx.now >= asked.at + limit,
        };
        if is_due {
            let ticket = cx.ticket();
            *asked = Some(Asked { ticket, at: cx.now });
            cx.actions.push(Action::Probe {
                slot: self.slot,
                ticket,
                invocation: run.invocation,
                main_pid: self.state.main_pid,
                within: self.deadline.since(cx.now).min(limit),
            });
        }
    }

    /// The gates are passed, for the first time or when it was watched.
    pub(super) fn passed(&mut self, run: Run, watched: bool, cx: &mut Context) {
        match watched {
            true => self.serve(cx),
            false if self.member.turn.after_start => {
                self.run_hook(Hook::AfterStart, Some(run), cx);
            }
            false => self.watch(run, cx),
        }
    }

    pub(super) fn health_timeout(&self) -> Duration {
        self.member.turn.health_timeout.unwrap_or(self.member.turn.timeout)
    }

    pub(super) fn watch(&mut self, run: Run, cx: &mut Context) {
        let until = cx.now + self.member.turn.observe;
        self.step = Step::Watching { run, until };
        self.deadline = until + self.health_timeout();
        self.enter(Phase::Observing, cx);
        self.look(cx);
    }

    pub(super) fn serve(&mut self, cx: &mut Context) {
        self.enter(Phase::Serving, cx);
        self.over(Standing::Serving, cx);
    }

    pub(super) fn over(&mut self, standing: Standing, cx: &mut Context) {
        self.standing = standing;
        self.ended = cx.now;
        let may_be_missed = self.member.turn.has_dependents && standing != Standing::Untouched;
        match may_be_missed && !self.letting_go {
            true => self.restore(cx),
            false => self.step = Step::Over,
        }
    }

    /// What went down with it would stay down.
    fn restore(&mut self, cx: &mut Context) {
        self.step = Step::Restoring;
        self.deadline = cx.now + RESTORE_LIMIT;
        cx.actions.push(Action::BringBack(self.slot));
    }
}
