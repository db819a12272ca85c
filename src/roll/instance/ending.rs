//! The way out: what failed is stopped for good, what we stopped is started again.

use super::{Context, Instance, READ_INTERVAL, Step};
use crate::roll::event::Action;
use crate::roll::judge::Verb;
use crate::roll::outcome::{Failure, Standing};
use crate::roll::phase::Phase;
use crate::roll::record::Record;
use crate::roll::unit::ActiveState;

impl Instance {
    pub(super) fn time_is_up(&mut self, cx: &mut Context) {
        let within = self.member.turn.timeout;
        match &self.step {
            Step::Hooking { hook, .. } => {
                let (hook, error) = (*hook, "gave no answer".to_owned());
                self.fail(Failure::Hook { hook, error }, cx);
            }
            Step::Restoring => self.brought_back(Vec::new(), Vec::new(), cx),
            Step::Closing { .. } if self.failure.is_none() => self.over(Standing::Unknown, cx),
            Step::Closing { .. } => self.over(Standing::FailedLeft, cx),
            Step::Proving { .. } => match self.last_verdict.take() {
                Some(last) => {
                    self.fail(Failure::Unhealthy { last, within: self.health_timeout() }, cx);
                }
                None => self.fail(Failure::TimedOut { phase: self.phase, within }, cx),
            },
            _ => self.fail(Failure::TimedOut { phase: self.phase, within }, cx),
        }
    }

    pub(super) fn fail(&mut self, failure: Failure, cx: &mut Context) {
        let way_out = self.way_out(&failure, cx);
        self.enter(Phase::Failed, cx);
        cx.record(Record::InstanceFailed {
            instance: self.member.unit.clone(),
            failure: failure.clone(),
        });
        // What is stopped for good, is in other hands, or was never stopped is not systemd's to start.
        let is_not_its = match failure {
            Failure::TakenOver { .. } => true,
            Failure::Refused { .. } => !self.stopped_by_us,
            _ => way_out == Some(Verb::Stop),
        };
        if is_not_its || matches!(self.step, Step::Arming { .. }) {
            self.disarm(cx);
        }
        self.failure = Some(failure);
        match way_out {
            Some(verb) => self.close(verb, cx),
            None => self.over(Standing::FailedLeft, cx),
        }
    }

    /// What to do with an instance that failed: bring back what we stopped, stop what is sick
    /// (its crash loop could take the shared socket down), leave what is not ours.
    pub(super) fn way_out(&mut self, failure: &Failure, cx: &mut Context) -> Option<Verb> {
        let at = match &self.step {
            Step::Calling(verb) => Some(*verb),
            Step::Working { work, .. } => Some(work.verb),
            _ => None,
        };
        let is_old = self.state.invocation == self.old;
        match (failure, at) {
            (Failure::Refused { .. } | Failure::TakenOver { .. } | Failure::NotNew, _) => None,
            // Stopped, it could not be started again; as it is, it may still serve.
            (Failure::NoSocket { .. }, _) => None,
            // It serves, in its old run or its new one: only a balancer does not know.
            (Failure::Hook { .. }, _) => None,
            (_, Some(Verb::Stop)) => Some(Verb::Start),
            // Whether systemd ever heard of the start that we owe is not known.
            (Failure::TimedOut { .. }, Some(Verb::Start)) if self.owes_a_start() => {
                Some(Verb::Start)
            }
            // It still drains: the same job will start it again.
            (Failure::TimedOut { .. }, Some(Verb::Restart)) if is_old => None,
            (Failure::TimedOut { .. }, _) if self.is_untouched() => None,
            _ if cx.bearing.may_stop_for_good() => Some(Verb::Stop),
            _ => {
                self.note("not stopped: too few others of the group serve".to_owned(), cx);
                None
            }
        }
    }

    fn owes_a_start(&self) -> bool {
        let is_heard = matches!(&self.step, Step::Working { work, .. } if work.job.is_some());
        self.stopped_by_us && !is_heard && self.state.active.is_down()
    }

    pub(super) fn close(&mut self, verb: Verb, cx: &mut Context) {
        self.deadline = cx.now + self.member.turn.timeout;
        self.step = Step::Closing { verb, job: None, called: false, again: cx.now };
        self.call_to_close(verb, cx);
    }

    pub(super) fn call_to_close(&mut self, verb: Verb, cx: &mut Context) {
        self.step = Step::Closing { verb, job: None, called: true, again: cx.now };
        cx.actions.push(if verb == Verb::Stop {
            Action::StopForGood(self.slot)
        } else {
            Action::Start(self.slot)
        });
    }

    /// A start that systemd took needs no watching; a stop is waited for.
    pub(super) fn closing_was_heard(&mut self, cx: &mut Context) {
        match &self.step {
            Step::Closing { verb: Verb::Start, .. } => {
                self.disarm_unless_needed(cx);
                self.over(Standing::ComingUp, cx);
            }
            _ if self.letting_go => self.over(Standing::FailedStopped, cx),
            _ => self.look_afresh(cx),
        }
    }

    /// An earlier call, whose answer was lost, may have stopped it: look, and leave it.
    pub(super) fn stop_was_refused(&mut self, cx: &mut Context) {
        self.deadline = cx.now + READ_INTERVAL * 2;
        self.look_afresh(cx);
    }

    pub(super) fn read_while_closing(&mut self, cx: &mut Context) {
        let Step::Closing { verb, called, .. } = &self.step else { return };
        if self.state.job.is_some() {
            return;
        }
        match verb {
            Verb::Stop if self.state.active.is_down() => self.over(Standing::FailedStopped, cx),
            // The call was lost or refused, and yet it starts.
            Verb::Start if !called && self.is_coming_up() => self.over(Standing::ComingUp, cx),
            _ => {}
        }
    }

    fn is_coming_up(&self) -> bool {
        self.state.active.is_up() || self.state.active == ActiveState::Activating
    }
}
