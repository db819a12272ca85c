//! One instance on its way through a roll.
//!
//! ```text
//! Waiting ─► Looking ─► Calling ─► Working ─► Proving ─► Watching ─► Proving ─► Over
//!                          ▲          │ stop-pause                               ▲
//!                          └─ Holding ◄┘                  any failure ─► Closing ┘
//! ```
//!
//! A signal is only a hint to look; what a read says decides. So a signal that is lost or comes
//! twice costs a second, never the roll.

mod ending;
mod steps;

use std::time::Duration;

use super::event::{Action, Moment, Phase, Record, Slot, Ticket, Verdict};
use super::judge::{Run, Verb, Work};
use super::outcome::{Failure, InstanceOutcome, Standing};
use super::plan::{Member, Policy};
use super::unit::{Invocation, JobId, JobResult, UnitState};

/// An instance in flight is read at least this often, for signals can be lost.
pub(super) const READ_INTERVAL: Duration = Duration::from_secs(1);
/// News of an instance comes in bursts, and is read no more often than this.
const NEWS_INTERVAL: Duration = Duration::from_millis(50);
/// A probe without an answer is asked again after this; the driver's own limit is shorter.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// The waits between two probes grow from the first to the last.
const PROBE_WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// The wait before a refused start is tried again.
const START_AGAIN: Duration = Duration::from_secs(1);
/// So many reads without a trace of our job mean that it is gone, not late.
const BLIND_READS: u8 = 2;

/// What an instance needs from the roll to take its next step.
pub(super) struct Context<'a> {
    pub(super) now: Moment,
    pub(super) policy: &'a Policy,
    /// Whether this instance may be stopped for good, should it fail.
    pub(super) may_stop_for_good: bool,
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
    /// systemd was asked and has not answered.
    Calling(Verb),
    /// systemd took the job, or may have.
    Working { work: Work, blind_reads: u8 },
    /// It is down by our hand until then.
    Holding { until: Moment },
    /// The gates are asked; and once more when it was watched, for it may have sickened since.
    Proving { run: Run, watched: bool, asked: Option<Asked>, again: Moment, wait: Duration },
    /// It passed, and is watched until then.
    Watching { run: Run, until: Moment },
    /// A last stop or start, after a failure or when we let go; `None`: not answered yet.
    Closing { verb: Verb, job: Option<JobId>, called: bool, again: Moment },
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
    /// Something of it changed since.
    is_news: bool,
    /// Answers to questions older than this one are about the past.
    valid_from: Ticket,
    state: UnitState,
    old: Option<Invocation>,
    /// The run that passed the gates.
    run: Option<Run>,
    /// Jobs that ended before we knew them to be ours.
    early_ends: Vec<(JobId, JobResult)>,
    last_note: String,
    /// We stopped it and owe it a start.
    stopped_by_us: bool,
    in_a_hurry: bool,
    letting_go: bool,
    standing: Standing,
    failure: Option<Failure>,
}

impl Instance {
    pub(super) fn new(slot: Slot, member: Member) -> Self {
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
            is_news: false,
            valid_from: Ticket::default(),
            state: UnitState::default(),
            old: None,
            run: None,
            early_ends: Vec::new(),
            last_note: String::new(),
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

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether its turn has begun and something is still to be done for it.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.step, Step::Waiting | Step::Over)
    }

    pub(super) fn is_stopped_for_good(&self) -> bool {
        let is_being_stopped = matches!(self.step, Step::Closing { verb: Verb::Stop, .. });
        is_being_stopped || self.standing == Standing::FailedStopped
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
            standing: if self.is_busy() { Standing::Unknown } else { self.standing },
            was_up: self.member.up,
            failure: self.failure.clone(),
            took: self.ended.since(self.began),
        }
    }

    /// When it wants to be ticked, if it is busy.
    pub(super) fn wake_at(&self) -> Option<Moment> {
        let timer = match &self.step {
            Step::Waiting | Step::Over => return None,
            Step::Holding { until } => *until,
            Step::Watching { until, .. } if !self.was_read_since(*until) => *until,
            Step::Proving { asked: None, again, .. } => *again,
            Step::Proving { asked: Some(asked), .. } => asked.at + PROBE_LIMIT,
            Step::Closing { again, called: false, .. } => *again,
            _ => self.deadline,
        };
        Some(timer.min(self.next_read()).min(self.deadline))
    }

    // ---- what the roll tells it ----

    /// Its turn has come; `found` is what it was when the group was found in order.
    pub(super) fn begin(&mut self, found: UnitState, cx: &mut Context) {
        self.old = found.invocation;
        self.state = found;
        self.began = cx.now;
        self.deadline = cx.now + self.member.timeout;
        self.step = Step::Looking;
        self.look_afresh(cx);
    }

    /// The first interrupt: no waiting for its own sake.
    pub(super) fn hurry(&mut self, cx: &mut Context) {
        self.in_a_hurry = true;
        if matches!(self.step, Step::Holding { .. }) {
            self.call(Verb::Start, cx);
        }
    }

    /// Nothing new may begin: not this one either, if it was only looked at.
    pub(super) fn stand_back(&mut self, cx: &mut Context) {
        if matches!(self.step, Step::Looking) {
            self.over(Standing::Untouched, cx);
        }
    }

    /// The second interrupt: start what is stopped, and go.
    pub(super) fn let_go(&mut self, cx: &mut Context) {
        self.letting_go = true;
        match &self.step {
            // A job whose call was not heard may never have been queued.
            Step::Working { work, .. } if work.verb == Verb::Stop || work.job.is_none() => {
                self.close(Verb::Start, cx);
            }
            Step::Holding { .. } => self.close(Verb::Start, cx),
            Step::Working { .. } | Step::Proving { .. } | Step::Watching { .. } => {
                self.over(Standing::ComingUp, cx);
            }
            Step::Closing { job: Some(_), .. } => self.over(Standing::FailedStopped, cx),
            // What was said to systemd must be heard before we go.
            Step::Calling(_) | Step::Closing { .. } => {}
            Step::Waiting | Step::Looking | Step::Over => {}
        }
    }

    /// The group was read: is it, having served, still what it was?
    pub(super) fn look_back(&mut self, state: &UnitState, cx: &mut Context) {
        if self.phase != Phase::Serving {
            return;
        }
        if let Some(failure) = self.run.and_then(|run| run.strayed(state)) {
            self.fail(failure, cx);
        }
    }

    /// Signals and answers may have been missed.
    pub(super) fn reconnected(&mut self, cx: &mut Context) {
        if self.is_busy() {
            self.look(cx);
        }
    }

    /// systemd says that something of it changed, and not what.
    pub(super) fn changed(&mut self) {
        self.is_news = self.is_busy();
    }

    pub(super) fn queued(&mut self, job: JobId, cx: &mut Context) {
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

    pub(super) fn unheard(&mut self, cx: &mut Context) {
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

    pub(super) fn refused(&mut self, why: String, cx: &mut Context) {
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

    pub(super) fn removed(&mut self, job: JobId, result: JobResult, cx: &mut Context) {
        match &mut self.step {
            Step::Calling(_) => self.early_ends.push((job, result)),
            Step::Working { work, .. } => {
                let ours = work.job.is_none_or(|ours| ours == job);
                if ours && work.result.is_none() {
                    work.result = Some(result);
                    self.look_afresh(cx);
                }
            }
            Step::Closing { job: Some(ours), .. } if *ours == job => self.look_afresh(cx),
            _ => {}
        }
    }

    pub(super) fn probed(&mut self, ticket: Ticket, verdict: Verdict, cx: &mut Context) {
        let Step::Proving { run, watched, asked, again, wait } = &mut self.step else { return };
        if asked.is_none_or(|asked| asked.ticket != ticket) {
            return;
        }
        *asked = None;
        match verdict {
            Verdict::Passed if *watched => self.serve(cx),
            Verdict::Passed => {
                let run = *run;
                self.watch(run, cx);
            }
            Verdict::NotYet(why) => {
                *again = cx.now + *wait;
                *wait = (*wait * 2).min(PROBE_WAITS.1);
                self.note(format!("{why}, trying again"), cx);
            }
            Verdict::Never(why) => {
                let within = cx.now.since(self.phase_since);
                self.fail(Failure::Unhealthy { last: why, within }, cx);
            }
        }
    }

    /// The answer to a read.
    pub(super) fn read(&mut self, ticket: Ticket, state: UnitState, cx: &mut Context) {
        if ticket < self.valid_from || !self.is_busy() {
            return;
        }
        self.tell_status(&state, cx);
        let before = std::mem::replace(&mut self.state, state);
        match &self.step {
            Step::Looking => self.looked(before.active, cx),
            Step::Working { .. } => self.read_at_work(cx),
            Step::Holding { .. } => self.read_while_down(cx),
            Step::Proving { run, .. } => {
                if let Some(failure) = run.strayed(&self.state) {
                    self.fail(failure, cx);
                }
            }
            Step::Watching { run, until } => match run.strayed(&self.state) {
                Some(failure) => self.fail(failure, cx),
                None if cx.now >= *until => {
                    let run = *run;
                    self.ask_the_gates(run, true, cx);
                }
                None => {}
            },
            Step::Closing { .. } => self.read_while_closing(cx),
            Step::Waiting | Step::Calling(_) | Step::Over => {}
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, cx: &mut Context) {
        if !self.is_busy() {
            return;
        }
        match &self.step {
            Step::Holding { until } if cx.now >= *until => return self.call(Verb::Start, cx),
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

    fn wants_its_last_read(&self, now: Moment) -> bool {
        matches!(self.step, Step::Watching { until, .. } if now >= until && !self.was_read_since(until))
    }

    fn was_read_since(&self, moment: Moment) -> bool {
        self.last_read >= moment
    }

    fn next_read(&self) -> Moment {
        self.last_read + if self.is_news { NEWS_INTERVAL } else { READ_INTERVAL }
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
        cx.record(Record::PhaseChanged { instance: self.member.unit.clone(), phase, after });
    }

    /// Says it once, however often it is found out.
    pub(super) fn note(&mut self, text: String, cx: &mut Context) {
        if self.last_note != text {
            self.last_note.clone_from(&text);
            cx.record(Record::Note { instance: Some(self.member.unit.clone()), text });
        }
    }

    pub(super) fn tell_status(&mut self, state: &UnitState, cx: &mut Context) {
        if state.status != self.state.status {
            let text = state.status.clone();
            cx.record(Record::Status { instance: self.member.unit.clone(), text });
        }
    }
}
