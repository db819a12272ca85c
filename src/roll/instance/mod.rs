//! One instance on its way through a roll.
//!
//! ```text
//! Waiting ─► Looking ─► Calling ─► Working ─► Proving ─► Watching ─► Proving ─► Over
//!             │   ▲        ▲          │ stop-pause                               ▲
//!      Hooking┘   └Hooking └─ Holding ◄┘                  any failure ─► Closing ┘
//! ```
//!
//! `BeforeStop=` is run between two looks, `AfterStart=` between the gates and the watching. A
//! check that cannot tell leads from Proving to Doubting and back, where there is a person to ask.
//!
//! A signal is only a hint to look; what a read says decides. So a signal that is lost or comes
//! twice costs a second, never the roll.

mod bearing;
mod ending;
mod guard;
mod hooks;
mod steps;
mod told;

pub(super) use bearing::Bearing;
pub(super) use hooks::HOOK_GRACE;

use std::time::Duration;

use super::event::{Action, Moment, Slot, Ticket};
use super::judge::{Run, Verb, Work};
use super::outcome::{Failure, InstanceOutcome, Standing};
use super::phase::Phase;
use super::plan::Member;
use super::policy::{Hook, Policy};
use super::record::Record;
use super::unit::{ActiveState, Invocation, JobId, JobResult, UnitState};

/// An instance in flight is read at least this often, for signals can be lost.
pub(super) const READ_INTERVAL: Duration = Duration::from_secs(1);
/// News of an instance comes in bursts, and is read no more often than this; the more there are in
/// a batch, the more seldom.
const NEWS_INTERVAL: Duration = Duration::from_millis(50);
/// So many instances are read as often as each of them wants.
const FEW: u32 = 10;
/// The waits between two probes grow from the first to the last.
const PROBE_WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// The wait before a refused start is tried again.
const START_AGAIN: Duration = Duration::from_secs(1);
/// What went down with an instance is not waited for any longer.
const RESTORE_LIMIT: Duration = Duration::from_secs(30);
/// So many reads without a trace of our job mean that it is gone, not late.
const BLIND_READS: u8 = 2;

/// What an instance needs from the roll to take its next step.
pub(super) struct Context<'a> {
    pub(super) now: Moment,
    pub(super) policy: &'a Policy,
    pub(super) bearing: Bearing<'a>,
    pub(super) last_ticket: &'a mut Ticket,
    pub(super) actions: &'a mut Vec<Action>,
}

impl Context<'_> {
    fn ticket(&mut self) -> Ticket {
        self.last_ticket.0 += 1;
        *self.last_ticket
    }

    fn record(&mut self, record: Record) {
        self.actions.push(Action::Record(record));
    }
}

#[derive(Debug)]
enum Step {
    /// Its turn has not come.
    Waiting,
    /// It is read before it is touched.
    Looking,
    /// A guard is asked for, and asked for again when nothing is heard.
    Arming { again: Moment },
    /// systemd was asked and has not answered.
    Calling(Verb),
    /// systemd took the job, or may have.
    Working { work: Work, blind_reads: u8 },
    /// It is down by our hand until then.
    Holding { until: Moment },
    /// The gates are asked; and once more when it was watched, for it may have sickened since.
    Proving { run: Run, watched: bool, asked: Option<Asked>, again: Moment, wait: Duration },
    /// The check cannot tell, and a person is asked.
    Doubting { run: Run, watched: bool, since: Moment, text: String },
    /// It is taken for healthy though no gate has just said so: it is read once more.
    Accepted { run: Run },
    /// A hook of the administrator's is at work; `run`: the one that passed the gates.
    Hooking { hook: Hook, ticket: Ticket, run: Option<Run>, began: Moment },
    /// It passed, and is watched until then.
    Watching { run: Run, until: Moment },
    /// A last stop or start, after a failure or when we let go; `None`: not answered yet.
    Closing { verb: Verb, job: Option<JobId>, called: bool, again: Moment },
    /// What went down with it is brought back.
    Restoring,
    /// Nothing more to do.
    Over,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    ticket: Ticket,
    at: Moment,
}

#[derive(Debug)]
pub(super) struct Instance {
    slot: Slot,
    member: Member,
    step: Step,
    phase: Phase,
    phase_since: Moment,
    began: Moment,
    ended: Moment,
    deadline: Moment,
    last_read: Moment,
    news_interval: Duration,
    /// Something of it changed since.
    is_news: bool,
    /// Answers to questions older than this one are about the past.
    valid_from: Ticket,
    state: UnitState,
    old: Option<Invocation>,
    /// Whether it was up when its turn came, and was reckoned with so.
    was_up: bool,
    /// How often systemd had restarted it when it was first looked at.
    found_restarts: u32,
    /// It was taken out of a balancer, and is to be finished.
    is_drained: bool,
    /// The run that passed the gates.
    run: Option<Run>,
    /// Jobs that ended before we knew them to be ours.
    early_ends: Vec<(JobId, JobResult)>,
    /// The newest job known to be ours; systemd counts them up.
    newest_job: Option<JobId>,
    /// Our stop is complete, and which job it was is not known: its end may be told at any time.
    missed_its_stop: bool,
    last_note: String,
    /// What the gates said last, while it does not pass them.
    last_verdict: Option<String>,
    /// systemd would start it without us.
    is_guarded: bool,
    /// And as soon as it may.
    has_quick_guard: bool,
    /// We stopped it and owe it a start.
    stopped_by_us: bool,
    in_a_hurry: bool,
    letting_go: bool,
    standing: Standing,
    failure: Option<Failure>,
}

impl Instance {
    pub(super) fn new(slot: Slot, member: Member) -> Self {
        let active = if member.up { ActiveState::Active } else { ActiveState::Inactive };
        Self {
            slot,
            member,
            step: Step::Waiting,
            phase: Phase::Pending,
            phase_since: Moment::default(),
            began: Moment::default(),
            ended: Moment::default(),
            deadline: Moment::default(),
            last_read: Moment::default(),
            news_interval: NEWS_INTERVAL,
            is_news: false,
            valid_from: Ticket::default(),
            state: UnitState { active, ..UnitState::default() },
            old: None,
            was_up: false,
            found_restarts: 0,
            is_drained: false,
            run: None,
            early_ends: Vec::new(),
            newest_job: None,
            missed_its_stop: false,
            last_note: String::new(),
            last_verdict: None,
            is_guarded: false,
            has_quick_guard: false,
            stopped_by_us: false,
            in_a_hurry: false,
            letting_go: false,
            standing: Standing::Untouched,
            failure: None,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Whether its turn has begun and something is still to be done for it.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.step, Step::Waiting | Step::Over)
    }

    /// Whether nothing was asked for it yet but to look, and to guard it.
    fn is_untouched(&self) -> bool {
        matches!(self.step, Step::Looking | Step::Arming { .. })
    }

    /// Stopped for good, on the way there, or down by itself.
    pub(super) fn has_failed_and_is_down(&self) -> bool {
        let is_being_stopped = matches!(self.step, Step::Closing { verb: Verb::Stop, .. });
        let is_stopped = is_being_stopped || self.standing == Standing::FailedStopped;
        is_stopped || self.failure.is_some() && !self.state.active.is_up()
    }

    pub(super) fn has_begun(&self) -> bool {
        match self.step {
            Step::Waiting => false,
            Step::Over => self.standing != Standing::Untouched,
            _ => true,
        }
    }

    pub(super) fn outcome(&self) -> InstanceOutcome {
        InstanceOutcome {
            instance: self.member.unit.clone(),
            standing: match self.step {
                Step::Restoring => self.standing,
                _ if self.is_busy() => Standing::Unknown,
                _ => self.standing,
            },
            is_up: self.state.active.is_up(),
            failure: self.failure.clone(),
            took: self.ended.since(self.began),
        }
    }

    /// When it wants to be ticked, if it is busy.
    pub(super) fn wake_at(&self) -> Option<Moment> {
        let timer = match &self.step {
            Step::Waiting | Step::Over => return None,
            Step::Holding { until } => *until,
            Step::Arming { again } => *again,
            Step::Watching { until, .. } if !self.was_read_since(*until) => *until,
            Step::Proving { asked: None, again, .. } => *again,
            Step::Proving { asked: Some(asked), .. } => asked.at + self.member.turn.probe_limit,
            Step::Closing { again, called: false, .. } => *again,
            _ => self.deadline,
        };
        Some(timer.min(self.next_read()).min(self.deadline))
    }

    fn wants_its_last_read(&self, now: Moment) -> bool {
        matches!(self.step, Step::Watching { until, .. } if now >= until && !self.was_read_since(until))
    }

    fn was_read_since(&self, moment: Moment) -> bool {
        self.last_read >= moment
    }

    fn is_one_of_many(&self) -> bool {
        self.news_interval > NEWS_INTERVAL
    }

    fn next_read(&self) -> Moment {
        self.last_read + if self.is_news { self.news_interval } else { READ_INTERVAL }
    }

    pub(super) fn look(&mut self, cx: &mut Context) {
        let ticket = cx.ticket();
        self.last_read = cx.now;
        self.is_news = false;
        cx.actions.push(Action::ReadUnit { slot: self.slot, ticket });
    }

    /// Reads, and takes no answer to an earlier question: it would be about the past.
    pub(super) fn look_afresh(&mut self, cx: &mut Context) {
        self.look(cx);
        self.valid_from = *cx.last_ticket;
    }

    pub(super) fn enter(&mut self, phase: Phase, cx: &mut Context) {
        if self.phase == phase {
            return;
        }
        let after = cx.now.since(self.phase_since.max(self.began));
        self.phase = phase;
        self.phase_since = cx.now;
        self.last_note.clear();
        self.last_verdict = None;
        cx.record(Record::PhaseChanged { instance: self.member.unit.clone(), phase, after });
    }

    /// Says it once, however often it is found out.
    pub(super) fn note(&mut self, text: String, cx: &mut Context) {
        if self.last_note != text {
            self.last_note.clone_from(&text);
            cx.record(Record::Note { instance: Some(self.member.unit.clone()), text });
        }
    }

    /// After the phase that comes with it: the new run's text is not about the old one's stop.
    fn tell_status(&mut self, before: &UnitState, cx: &mut Context) {
        if before.status != self.state.status {
            let text = self.state.status.clone();
            cx.record(Record::Status { instance: self.member.unit.clone(), text });
        }
    }
}
