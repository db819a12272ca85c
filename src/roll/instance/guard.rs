//! The guard: systemd itself starts the instance again, should we not be there to do it.
//!
//! ```text
//! Looking ─► Arming ─► stop ─► Stopped ─► start ─► up
//!            └──────── UntilDown ───────────────── disarmed, when what went down with it is up, too
//!                      └── UntilUp ─────────────── disarmed, likewise
//! ```
//!
//! A restart is one job, which systemd brings to its end without us. A stop with a pause behind it
//! is not, so no such stop is asked for before its guard is armed. The first guard has to outlast
//! the stop, however long that takes. The second is armed as soon as systemd has the stop: its clock
//! begins when the instance is down, and it is as quick as the pause allows.

use std::time::Duration;

use super::{Context, Instance, START_AGAIN, Step};
use crate::roll::event::{Action, Guard};
use crate::roll::judge::Verb;
use crate::roll::outcome::Failure;

/// How much later than ourselves the guard starts the instance.
const GUARD_MARGIN: Duration = Duration::from_secs(2);

impl Instance {
    pub(super) fn arm(&mut self, cx: &mut Context) {
        self.step = Step::Arming { again: cx.now + START_AGAIN };
        self.arm_guard(Guard::UntilDown, self.member.turn.timeout, cx);
    }

    /// systemd has the stop, or it is complete.
    pub(super) fn arm_the_quick_one(&mut self, cx: &mut Context) {
        if self.is_guarded && !std::mem::replace(&mut self.has_quick_guard, true) {
            self.arm_guard(Guard::UntilUp, Duration::ZERO, cx);
        }
    }

    fn arm_guard(&mut self, guard: Guard, stop: Duration, cx: &mut Context) {
        self.is_guarded = true;
        let within = stop + self.member.turn.stop_pause + GUARD_MARGIN;
        cx.actions.push(Action::Arm { slot: self.slot, guard, within });
    }

    pub(super) fn disarm(&mut self, cx: &mut Context) {
        if std::mem::take(&mut self.is_guarded) {
            cx.actions.push(Action::Disarm(self.slot));
        }
    }

    /// It is up, or systemd has its start; what went down with it is not yet back.
    pub(super) fn disarm_unless_needed(&mut self, cx: &mut Context) {
        if !self.member.turn.has_dependents {
            self.disarm(cx);
        }
    }

    /// systemd has the guard.
    pub(in crate::roll) fn armed(&mut self, guard: Guard, cx: &mut Context) {
        if matches!((&self.step, guard), (Step::Arming { .. }, Guard::UntilDown)) {
            self.call(Verb::Stop, cx);
        }
    }

    /// systemd will not have it: then it is not stopped either.
    pub(in crate::roll) fn not_armed(&mut self, guard: Guard, why: String, cx: &mut Context) {
        match (&self.step, guard) {
            (Step::Arming { .. }, Guard::UntilDown) => {
                self.is_guarded = false;
                self.fail(Failure::Refused { error: format!("no guard for its stop: {why}") }, cx);
            }
            (Step::Working { .. } | Step::Holding { .. }, Guard::UntilUp) => {
                self.note(format!("its guard will be slow, the quick one was refused: {why}"), cx);
            }
            _ => {}
        }
    }
}
