//! The words that the heart and the driver speak: events in, actions out.

use std::ops::Add;
use std::time::Duration;

use serde::Serialize;

use super::outcome::{Outcome, Reason};
use super::policy::Hook;
use super::record::Record;
use super::unit::{Invocation, JobId, JobResult, UnitState};

/// A moment of the roll: the time since it began, on a clock that never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Moment(pub Duration);

impl Moment {
    /// The time from `earlier` to this moment; zero if `earlier` is not earlier.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, span: Duration) -> Moment {
        Moment(self.0.saturating_add(span))
    }
}

/// The place of an instance in the plan's list of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub usize);

/// The number of a question, so that an answer to an older one is known as such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The two guards of an instance that is stopped and started in two jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Guard {
    /// Armed before its stop, which it has to outlast.
    UntilDown,
    /// Armed during its stop: the time counts from when it is down.
    UntilUp,
}

/// What the gates say of an instance that says it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every gate is passed.
    Passed,
    /// Not yet, and why; it is asked again.
    NotYet(String),
    /// A check could not tell, and why: somebody is asked, or else it is asked again.
    Unsure(String),
    /// A socket of the group is down, which no waiting heals: which one, and what it is instead.
    NoSocket(String),
}

/// What a person says when a check cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It serves.
    Accept,
    /// Check again.
    Retry,
    /// It has failed.
    Reject,
}

/// The group as a whole at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupState {
    /// Sockets of the group that are not active, by name.
    pub sockets_down: Vec<String>,
    /// The plan's members, in the plan's order.
    pub members: Vec<UnitState>,
    /// The plan's bystanders, in the plan's order.
    pub bystanders: Vec<UnitState>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time passed: [`Roll::wake_at`](super::Roll::wake_at) is here, or the roll begins.
    Tick,
    /// The answer to [`Action::ReadGroup`].
    Group {
        /// The question's number.
        ticket: Ticket,
        /// The answer.
        state: GroupState,
    },
    /// The answer to [`Action::ReadUnit`].
    Unit {
        /// The instance.
        slot: Slot,
        /// The question's number.
        ticket: Ticket,
        /// The answer.
        state: UnitState,
    },
    /// systemd took the stop, start or restart, as this job.
    JobQueued {
        /// The instance.
        slot: Slot,
        /// Its job.
        job: JobId,
    },
    /// systemd refused the stop, start or restart.
    JobRefused {
        /// The instance.
        slot: Slot,
        /// systemd's reason.
        why: String,
    },
    /// systemd refused the stop or restart, for somebody else's job is in the way.
    JobInTheWay {
        /// The instance.
        slot: Slot,
    },
    /// The answer to a stop, start or restart was lost: it may or may not have been taken.
    JobUnheard {
        /// The instance.
        slot: Slot,
    },
    /// A job of this instance ended; ours or not, and possibly before [`Event::JobQueued`].
    JobRemoved {
        /// The instance.
        slot: Slot,
        /// The job.
        job: JobId,
        /// How it ended.
        result: JobResult,
    },
    /// Something of this instance changed: its state, or its `STATUS=` text.
    Changed {
        /// The instance.
        slot: Slot,
    },
    /// systemd has the guard.
    Armed {
        /// The instance.
        slot: Slot,
        /// Which of its guards.
        guard: Guard,
    },
    /// systemd refused the guard.
    NotArmed {
        /// The instance.
        slot: Slot,
        /// Which of its guards.
        guard: Guard,
        /// systemd's reason.
        why: String,
    },
    /// The answer to [`Action::BringBack`].
    BroughtBack {
        /// The instance.
        slot: Slot,
        /// Those that had gone down with it, and are up again.
        up: Vec<String>,
        /// Those that had gone down with it, and are still down.
        down: Vec<String>,
    },
    /// The answer to [`Action::Probe`].
    Probed {
        /// The instance.
        slot: Slot,
        /// The question's number.
        ticket: Ticket,
        /// The answer.
        verdict: Verdict,
    },
    /// A person decided about the instance that has been in doubt for longest.
    Decided(Decision),
    /// A hook printed a line.
    HookSaid {
        /// The hook.
        hook: Hook,
        /// The instance, if it is one's.
        slot: Option<Slot>,
        /// The line.
        line: String,
    },
    /// The answer to [`Action::RunHook`].
    HookEnded {
        /// The question's number.
        ticket: Ticket,
        /// Why it failed, as the rest of a sentence, if it did.
        result: Result<(), String>,
    },
    /// The connection to systemd is back: signals and answers may have been missed.
    Reconnected,
    /// systemd cannot be reached any more, and the driver has given up trying.
    Unreachable {
        /// The last error.
        why: String,
    },
    /// Ctrl-C or SIGTERM: the first finishes the instance in hand, the second lets go.
    Interrupted,
    /// Somebody wants what the first [`Event::Interrupted`] does, however often it is said.
    Abort {
        /// Who.
        by: String,
    },
    /// Somebody wants nothing new to begin for now.
    Pause {
        /// Who.
        by: String,
    },
    /// Somebody wants it to go on.
    Resume {
        /// Who.
        by: String,
    },
    /// Wait so much longer between two batches.
    Longer(Duration),
    /// Wait so much shorter between two batches.
    Shorter(Duration),
    /// What was to be told could not be written down: nothing new may begin.
    LogFailed {
        /// What happened.
        what: String,
        /// The instances whose job was not asked for, because it was not written down.
        held_back: Vec<Slot>,
        /// Whether the very first hook was not run either.
        opening: bool,
    },
}

/// What is to be done. Every action but `Record` and `Finish` is answered by an event, or never;
/// the heart has a deadline for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the sockets and every instance of the group.
    ReadGroup {
        /// To be given back.
        ticket: Ticket,
    },
    /// Read one instance.
    ReadUnit {
        /// The instance.
        slot: Slot,
        /// To be given back.
        ticket: Ticket,
    },
    /// Stop the instance and start it, in one job. Clear its start counter first.
    Restart(Slot),
    /// Leave the instance to systemd to start, should we not come back in time.
    Arm {
        /// The instance.
        slot: Slot,
        /// Which of its guards.
        guard: Guard,
        /// So long from now.
        within: Duration,
    },
    /// The instance's guards are not needed any more.
    Disarm(Slot),
    /// Stop the instance.
    Stop(Slot),
    /// Stop an instance that failed; this may replace whatever job it has.
    StopForGood(Slot),
    /// Start the instance. Clear its start counter first. It may replace our own stop job.
    Start(Slot),
    /// Start the units that went down with the instance.
    BringBack(Slot),
    /// Ask every gate whether this run of the instance serves.
    Probe {
        /// The instance.
        slot: Slot,
        /// To be given back.
        ticket: Ticket,
        /// The run that must answer.
        invocation: Invocation,
        /// Its main process.
        main_pid: Option<u32>,
        /// Nobody waits for the answer any longer.
        within: Duration,
    },
    /// Run a hook, and kill all of it when its time is over or the roll is.
    RunHook {
        /// The hook.
        hook: Hook,
        /// The instance, if it is one's.
        slot: Option<Slot>,
        /// To be given back.
        ticket: Ticket,
        /// It may take so long.
        within: Duration,
        /// How the roll ended, for [`Hook::AfterRoll`].
        result: Option<Reason>,
    },
    /// Tell whoever listens: progress, JSON, journal.
    Record(Record),
    /// The roll is over; nothing follows.
    Finish(Outcome),
}
