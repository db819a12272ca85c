//! The administrator's own part: hooks around its stop and start, and what a check cannot tell.

use std::time::Duration;

use super::{Context, Instance, Step};
use crate::roll::event::{Action, Decision, Moment, Ticket};
use crate::roll::judge::Run;
use crate::roll::outcome::{Failure, Standing};
use crate::roll::phase::Phase;
use crate::roll::policy::Hook;
use crate::roll::record::Record;

/// The driver ends a hook when its time is over; so much later it is not waited for any longer.
pub(in crate::roll) const HOOK_GRACE: Duration = Duration::from_secs(10);

impl Instance {
    pub(super) fn run_hook(&mut self, hook: Hook, run: Option<Run>, cx: &mut Context) {
        if hook == Hook::BeforeStop {
            self.is_drained = true;
            self.enter(Phase::Stopping, cx);
        }
        let (ticket, within) = (cx.ticket(), cx.policy.hook_timeout);
        self.deadline = cx.now + within + HOOK_GRACE;
        self.step = Step::Hooking { hook, ticket, run, began: cx.now };
        let instance = Some(self.member.unit.clone());
        cx.record(Record::HookBegan { hook, instance });
        let slot = Some(self.slot);
        cx.actions.push(Action::RunHook { hook, slot, ticket, within, result: None });
    }

    pub(in crate::roll) fn waits_for(&self, hook: Ticket) -> bool {
        matches!(&self.step, Step::Hooking { ticket, .. } if *ticket == hook)
    }

    pub(in crate::roll) fn hook_ended(&mut self, result: Result<(), String>, cx: &mut Context) {
        let Step::Hooking { hook, run, began, .. } = &self.step else { return };
        let (hook, run, after) = (*hook, *run, cx.now.since(*began));
        let error = result.err();
        let instance = Some(self.member.unit.clone());
        cx.record(Record::HookEnded { hook, instance, error: error.clone(), after });
        match (error, run) {
            (Some(error), _) => self.fail(Failure::Hook { hook, error }, cx),
            (None, Some(run)) => self.watch(run, cx),
            // Much may have happened meanwhile.
            (None, None) => {
                self.deadline = cx.now + self.member.turn.timeout;
                self.step = Step::Looking;
                self.look_afresh(cx);
            }
        }
    }

    /// It is up, but a balancer may not know.
    pub(super) fn cut_short(&mut self, cx: &mut Context) {
        let (cut, standing) = match &self.step {
            Step::Hooking { hook: Hook::AfterStart, .. } => ("AfterStart=", Standing::ComingUp),
            _ => ("BeforeStop=", Standing::Untouched),
        };
        self.note(format!("left alone after its {cut} had begun: see to its balancer"), cx);
        self.over(standing, cx);
    }

    // ---- doubts ----

    /// The clock of its deadline stands still while a person thinks.
    pub(super) fn doubt(&mut self, run: Run, watched: bool, text: String, cx: &mut Context) {
        cx.record(Record::InDoubt { instance: self.member.unit.clone(), text: text.clone() });
        self.deadline = Moment(Duration::MAX);
        self.step = Step::Doubting { run, watched, since: cx.now, text };
    }

    /// Since when a person is asked about it.
    pub(in crate::roll) fn in_doubt_since(&self) -> Option<Moment> {
        match &self.step {
            Step::Doubting { since, .. } => Some(*since),
            _ => None,
        }
    }

    /// It may have been read last long ago.
    pub(super) fn accept(&mut self, run: Run, cx: &mut Context) {
        self.step = Step::Accepted { run };
        self.look_afresh(cx);
    }

    pub(in crate::roll) fn decided(&mut self, decision: Decision, cx: &mut Context) {
        let Step::Doubting { run, watched, text, .. } = &self.step else { return };
        let (run, watched, last) = (*run, *watched, text.clone());
        self.deadline = cx.now + self.health_timeout();
        match decision {
            Decision::Accept if watched => self.accept(run, cx),
            Decision::Accept => self.passed(run, watched, cx),
            Decision::Retry => self.ask_the_gates(run, watched, cx),
            Decision::Reject => self.fail(Failure::Rejected { last }, cx),
        }
    }
}
