//! What the roll and systemd tell an instance, and what it makes of that.

use super::{Context, FEW, Instance, NEWS_INTERVAL, PROBE_WAITS, READ_INTERVAL, START_AGAIN, Step};
use crate::roll::event::{Decision, Ticket, Verdict};
use crate::roll::judge::{Verb, taken_over};
use crate::roll::outcome::{Failure, Standing};
use crate::roll::phase::Phase;
use crate::roll::policy::Hook;
use crate::roll::record::Record;
use crate::roll::unit::{JobId, JobResult, UnitState};

impl Instance {
    /// Its turn has come; `found` is what it was when the group was found in order.
    pub(in crate::roll) fn begin(&mut self, found: UnitState, at_once: u32, cx: &mut Context) {
        self.news_interval = (NEWS_INTERVAL * at_once / FEW).clamp(NEWS_INTERVAL, READ_INTERVAL);
        self.old = found.invocation;
        self.was_up = found.active.is_up();
        self.state = found;
        self.began = cx.now;
        self.deadline = cx.now + self.member.turn.timeout;
        self.step = Step::Looking;
        self.look_afresh(cx);
    }

    /// The first interrupt: no waiting for its own sake.
    pub(in crate::roll) fn hurry(&mut self, cx: &mut Context) {
        self.in_a_hurry = true;
        match &self.step {
            Step::Holding { .. } => self.call(Verb::Start, cx),
            // Who wants an end does not want to be asked.
            Step::Doubting { .. } => self.decided(Decision::Retry, cx),
            _ => {}
        }
    }

    /// Nothing new may begin: not this one either, if it was only looked at.
    pub(in crate::roll) fn stand_back(&mut self, cx: &mut Context) {
        if self.is_untouched() && !self.is_drained {
            self.disarm(cx);
            self.over(Standing::Untouched, cx);
        }
    }

    /// What it was to be told could not be written down, and was not said.
    pub(in crate::roll) fn hold_back(&mut self, cx: &mut Context) {
        match self.step {
            // It is down by our hand, or a balancer sends it nothing any more: it is in hand.
            Step::Calling(verb) if self.stopped_by_us || self.is_drained => {
                self.call_again(verb, cx);
            }
            Step::Closing { verb, .. } => self.call_to_close(verb, cx),
            Step::Calling(_) | Step::Hooking { hook: Hook::BeforeStop, .. } => {
                self.is_drained = false;
                self.disarm(cx);
                self.enter(Phase::Pending, cx);
                self.over(Standing::Untouched, cx);
            }
            _ => {}
        }
    }

    /// Those that had gone down with it, and are up again or not.
    pub(in crate::roll) fn brought_back(
        &mut self,
        up: Vec<String>,
        down: Vec<String>,
        cx: &mut Context,
    ) {
        if !matches!(self.step, Step::Restoring) {
            return;
        }
        self.step = Step::Over;
        self.disarm(cx);
        if !up.is_empty() || !down.is_empty() {
            cx.record(Record::Dependents { instance: self.member.unit.clone(), up, down });
        }
    }

    /// The second interrupt: start what is stopped, and go.
    pub(in crate::roll) fn let_go(&mut self, cx: &mut Context) {
        self.letting_go = true;
        match &self.step {
            // A job whose call was not heard may never have been queued.
            Step::Working { work, .. } if work.verb == Verb::Stop || work.job.is_none() => {
                self.close(Verb::Start, cx);
            }
            Step::Holding { .. } => self.close(Verb::Start, cx),
            Step::Hooking { .. } => self.cut_short(cx),
            Step::Looking | Step::Arming { .. } if self.is_drained => {
                self.disarm(cx);
                self.cut_short(cx);
            }
            Step::Working { .. } | Step::Proving { .. } => {
                self.disarm_unless_needed(cx);
                self.over(Standing::ComingUp, cx);
            }
            Step::Doubting { .. } | Step::Accepted { .. } | Step::Watching { .. } => {
                self.over(Standing::ComingUp, cx);
            }
            Step::Closing { job: Some(_), .. } => self.over(Standing::FailedStopped, cx),
            // What was said to systemd must be heard before we go.
            Step::Calling(_) | Step::Closing { .. } => {}
            Step::Restoring => self.step = Step::Over,
            Step::Waiting | Step::Looking | Step::Arming { .. } | Step::Over => {}
        }
    }

    /// The group was read.
    pub(in crate::roll) fn is_seen(&mut self, state: &UnitState) {
        if !self.is_busy() {
            self.state = state.clone();
        }
    }

    /// Is it, having served, still what it was?
    pub(in crate::roll) fn look_back(&mut self, state: &UnitState, cx: &mut Context) {
        if self.phase != Phase::Serving {
            return;
        }
        if let Some(failure) = self.run.and_then(|run| run.strayed(state)) {
            self.fail(failure, cx);
        }
    }

    /// Signals and answers may have been missed.
    pub(in crate::roll) fn reconnected(&mut self, cx: &mut Context) {
        if self.is_busy() {
            self.look(cx);
        }
    }

    /// systemd says that something of it changed, and not what.
    pub(in crate::roll) fn changed(&mut self) {
        self.is_news = self.is_busy();
    }

    pub(in crate::roll) fn queued(&mut self, job: JobId, cx: &mut Context) {
        match &mut self.step {
            Step::Calling(verb) => {
                let verb = *verb;
                self.work(verb, Some(job), cx);
            }
            Step::Closing { called, job: queued, .. } if *called && queued.is_none() => {
                *queued = Some(job);
                self.closing_was_heard(cx);
            }
            _ => {}
        }
    }

    pub(in crate::roll) fn unheard(&mut self, cx: &mut Context) {
        match &mut self.step {
            Step::Calling(verb) => {
                let verb = *verb;
                self.note("systemd's answer was lost, looking what it did".to_owned(), cx);
                self.work(verb, None, cx);
            }
            Step::Closing { called, again, job: None, .. } if *called => {
                *called = false;
                *again = cx.now + START_AGAIN;
                self.look_afresh(cx);
            }
            _ => {}
        }
    }

    /// What replaces other jobs is never refused for one: then it is not our own call.
    pub(in crate::roll) fn found_a_job_in_the_way(&mut self, cx: &mut Context) {
        match &self.step {
            Step::Calling(Verb::Start) | Step::Closing { .. } => {
                self.refused("another job is in the way".to_owned(), cx);
            }
            Step::Calling(_) => self.fail(taken_over("another job was in the way"), cx),
            _ => {}
        }
    }

    pub(in crate::roll) fn refused(&mut self, why: String, cx: &mut Context) {
        match &mut self.step {
            Step::Calling(verb) => {
                let verb = *verb;
                self.call_was_refused(verb, why, cx);
            }
            Step::Closing { verb: Verb::Start, called, again, .. } => {
                *called = false;
                *again = cx.now + START_AGAIN;
                self.note(format!("systemd refused to start it ({why}), trying again in 1s"), cx);
            }
            Step::Closing { .. } => self.stop_was_refused(cx),
            _ => {}
        }
    }

    pub(in crate::roll) fn removed(&mut self, job: JobId, result: JobResult, cx: &mut Context) {
        match &mut self.step {
            Step::Calling(_) => self.early_ends.push((job, result)),
            Step::Working { work, .. } => {
                // The end of our stop can be told after the start was asked for.
                let may_be = Some(job) > self.newest_job && !self.missed_its_stop;
                let ours = work.job.map_or(may_be, |ours| ours == job);
                if ours && work.result.is_none() {
                    work.result = Some(result);
                    self.look_afresh(cx);
                }
            }
            Step::Closing { job: Some(ours), .. } if *ours == job => self.look_afresh(cx),
            _ => {}
        }
    }

    pub(in crate::roll) fn probed(&mut self, ticket: Ticket, verdict: Verdict, cx: &mut Context) {
        let Step::Proving { run, watched, asked, again, wait } = &mut self.step else { return };
        if asked.is_none_or(|asked| asked.ticket != ticket) {
            return;
        }
        *asked = None;
        let (run, is_watched) = (*run, *watched);
        match verdict {
            Verdict::Passed => self.passed(run, is_watched, cx),
            Verdict::Unsure(why) if cx.policy.is_attended && !self.in_a_hurry => {
                self.doubt(run, is_watched, why, cx);
            }
            Verdict::NotYet(why) | Verdict::Unsure(why) => {
                *again = cx.now + *wait;
                *wait = (*wait * 2).min(PROBE_WAITS.1);
                self.note(format!("{why}, trying again"), cx);
                self.last_verdict = Some(why);
            }
            // The group's sockets are down, and it is none the worse: the roll will find out.
            Verdict::NoSocket(_) if is_watched => self.accept(run, cx),
            Verdict::NoSocket(what) => self.fail(Failure::NoSocket { what }, cx),
        }
    }

    /// The answer to a read.
    pub(in crate::roll) fn read(&mut self, ticket: Ticket, state: UnitState, cx: &mut Context) {
        if ticket < self.valid_from || !self.is_busy() {
            return;
        }
        // What it says of itself before its turn is not about the roll.
        let is_first = matches!(self.step, Step::Looking);
        let before = std::mem::replace(&mut self.state, state);
        self.take_in(&before, cx);
        if !is_first {
            self.tell_status(&before, cx);
        }
    }

    /// What follows from a read; `before` is what was read before it.
    fn take_in(&mut self, before: &UnitState, cx: &mut Context) {
        match &self.step {
            Step::Looking => self.looked(before.active, cx),
            Step::Arming { .. } => {
                if let Some(failure) = self.meddled_with() {
                    self.fail(failure, cx);
                }
            }
            Step::Hooking { run: None, .. } => {
                if let Some(failure) = self.meddled_with() {
                    self.fail(failure, cx);
                }
            }
            Step::Working { .. } => self.read_at_work(cx),
            Step::Holding { .. } => self.read_while_down(cx),
            Step::Proving { run, .. }
            | Step::Doubting { run, .. }
            | Step::Hooking { run: Some(run), .. } => {
                if let Some(failure) = run.strayed(&self.state) {
                    self.fail(failure, cx);
                }
            }
            Step::Accepted { run } => match run.strayed(&self.state) {
                Some(failure) => self.fail(failure, cx),
                None => self.serve(cx),
            },
            Step::Watching { run, until } => match run.strayed(&self.state) {
                Some(failure) => self.fail(failure, cx),
                None if cx.now >= *until => {
                    let run = *run;
                    self.ask_the_gates(run, true, cx);
                }
                None => {}
            },
            Step::Closing { .. } => self.read_while_closing(cx),
            Step::Waiting | Step::Calling(_) | Step::Restoring | Step::Over => {}
        }
    }

    /// The moment that it waits for, [`Instance::wake_at`], has come.
    pub(in crate::roll) fn tick(&mut self, cx: &mut Context) {
        match &self.step {
            Step::Holding { until } if cx.now >= *until => return self.call(Verb::Start, cx),
            Step::Arming { again } if cx.now >= *again => self.arm(cx),
            Step::Closing { verb, called: false, again, .. } if cx.now >= *again => {
                let verb = *verb;
                self.call_to_close(verb, cx);
            }
            _ => {}
        }
        if cx.now >= self.deadline {
            return self.time_is_up(cx);
        }
        self.probe_if_due(cx);
        if cx.now >= self.next_read() || self.wants_its_last_read(cx.now) {
            self.look(cx);
        }
    }
}
