//! A systemd that keeps its promises and breaks everything else: units, jobs, signals, strangers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use fastrand::Rng;
use rollctl::roll::{
    Action, ActiveState, Decision, Event, GroupState, Guard, Hook, Invocation, JobId, JobResult,
    Moment, Plan, Record, Slot, Ticket, UnitState, Verdict,
};

use super::faults::Faults;

const SOCKET: &str = "worker.socket";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Stop,
    Start,
    Restart,
}

/// One unit of the world.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) state: UnitState,
    pub(crate) job: Option<(JobId, Job)>,
    /// The run whose probe passes from this moment on; `None`: never.
    pub(crate) healthy_from: Option<Moment>,
    /// It is not up because a job of ours took it down.
    pub(crate) down_by_us: bool,
    /// A stranger or a crash meddled with it.
    pub(crate) meddled: bool,
    /// Its last start was made, and failed by itself.
    pub(crate) start_failed: bool,
    /// The run that passed the probe last.
    pub(crate) passed: Option<Invocation>,
    /// A guard that waits for the end of its stop.
    wait: Option<(Duration, u64)>,
    /// When it last fell, or began to stop or start.
    pub(crate) changed_at: Moment,
    /// When it came up last; `None` if it was never started here.
    pub(crate) up_since: Option<Moment>,
    /// Steps of the world for older jobs and runs are void.
    era: u64,
}

/// What happens later.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Later {
    Tell(Event),
    Stopped {
        unit: usize,
        era: u64,
    },
    Started {
        unit: usize,
        era: u64,
    },
    Crashed {
        unit: usize,
        era: u64,
    },
    RestartedItself {
        unit: usize,
        era: u64,
    },
    Stranger {
        unit: usize,
        job: Job,
    },
    SocketDown,
    BusGone,
    BusBack,
    LogFails,
    GuardActs {
        unit: usize,
        guard: Guard,
        number: u64,
    },
    /// The clock that the heart is told jumps: the machine slept, or was far too busy.
    ClockJumps(Duration),
}

pub(crate) struct World {
    pub(crate) units: Vec<Unit>,
    members: usize,
    pub(crate) now: Moment,
    /// How far the heart's clock is ahead of the world's.
    skew: Duration,
    pub(crate) faults: Faults,
    pub(crate) rng: Rng,
    pub(crate) socket_down_since: Option<Moment>,
    bus_is_gone: bool,
    /// What is recorded from now on cannot be written down.
    pub(crate) log_fails: bool,
    /// systemd will start these units, unless it is told not to.
    guards: std::collections::BTreeMap<(usize, Guard), u64>,
    agenda: BinaryHeap<Reverse<(Moment, u64)>>,
    entries: std::collections::HashMap<u64, Later>,
    sequence: u64,
    /// Signals and answers get lost, but nothing really goes wrong.
    pub(crate) is_harmless: bool,
    next_job: u32,
    next_run: u8,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl World {
    /// A world in which the plan's units are as the plan says, with bystanders after the members.
    pub(crate) fn of(plan: &Plan, mut rng: Rng, bystander_up: &[bool]) -> Self {
        let mut world = Self {
            units: Vec::new(),
            members: plan.members().len(),
            now: Moment::default(),
            skew: Duration::ZERO,
            faults: Faults::drawn(&mut rng),
            rng,
            socket_down_since: None,
            bus_is_gone: false,
            log_fails: false,
            guards: std::collections::BTreeMap::new(),
            agenda: BinaryHeap::new(),
            entries: std::collections::HashMap::new(),
            sequence: 0,
            is_harmless: false,
            next_job: 1,
            next_run: 0,
        };
        let ups = plan.members().iter().map(|member| member.up).chain(bystander_up.iter().copied());
        for up in ups {
            let unit = world.unit(up);
            world.units.push(unit);
        }
        world.arrange_incidents();
        world.is_harmless = world.agenda.is_empty() && world.faults.are_of_the_wire();
        world.arrange_pacing();
        world
    }

    fn unit(&mut self, up: bool) -> Unit {
        let active = match up {
            true => ActiveState::Active,
            false => [ActiveState::Inactive, ActiveState::Failed][self.rng.usize(..2)],
        };
        let invocation = (up || self.rng.bool()).then(|| self.new_run());
        Unit {
            state: UnitState {
                active,
                invocation,
                main_pid: up.then_some(1),
                ..Default::default()
            },
            job: None,
            healthy_from: None,
            down_by_us: false,
            meddled: false,
            start_failed: false,
            passed: None,
            wait: None,
            changed_at: Moment::default(),
            up_since: None,
            era: 0,
        }
    }

    fn arrange_incidents(&mut self) {
        let at = |rng: &mut Rng| Moment(ms(rng.u64(0..20_000)));
        for _ in 0..[0, 0, 0, 0, 1, 2][self.rng.usize(..6)] {
            let unit = self.rng.usize(..self.units.len());
            let job = [Job::Stop, Job::Start, Job::Restart][self.rng.usize(..3)];
            let when = at(&mut self.rng);
            self.later(when, Later::Stranger { unit, job });
        }
        for _ in 0..[0, 0, 0, 0, 0, 1, 2, 3][self.rng.usize(..8)] {
            let when = at(&mut self.rng);
            self.later(when, Later::Tell(Event::Interrupted));
        }
        if self.rng.u32(..25) == 0 {
            let when = at(&mut self.rng);
            self.later(when, Later::Tell(Event::Abort { by: "somebody".to_owned() }));
        }
        if self.rng.u32(..25) == 0 {
            let when = [Moment::default(), at(&mut self.rng)][self.rng.usize(..2)];
            self.later(when, Later::LogFails);
        }
        if self.rng.u32(..25) == 0 {
            let when = [Moment::default(), at(&mut self.rng)][self.rng.usize(..2)];
            self.later(when, Later::SocketDown);
        }
        if self.rng.u32(..15) == 0 {
            let when = at(&mut self.rng);
            self.later(when, Later::BusGone);
            let back = when + ms(self.rng.u64(1..8_000));
            let end = match self.rng.u32(..4) {
                0 => Later::Tell(Event::Unreachable { why: "the bus is gone".to_owned() }),
                _ => Later::BusBack,
            };
            self.later(back, end);
        }
        for _ in 0..[0, 0, 0, 0, 0, 0, 0, 1, 3][self.rng.usize(..9)] {
            let when = at(&mut self.rng);
            let jump = ms([self.rng.u64(0..90_000), 86_400_000][self.rng.usize(..2)]);
            self.later(when, Later::ClockJumps(jump));
        }
        if self.rng.u32(..12) == 0 {
            let unit = self.rng.usize(..self.units.len());
            let when = at(&mut self.rng);
            let era = self.units[unit].era;
            self.later(when, Later::Crashed { unit, era });
        }
    }

    /// People who want it slower or faster, or to wait for them: no harm comes of that.
    fn arrange_pacing(&mut self) {
        let by = || "somebody".to_owned();
        for _ in 0..[0, 0, 0, 1, 2][self.rng.usize(..5)] {
            let pause = Moment(ms(self.rng.u64(0..20_000)));
            let resume = pause + ms(self.rng.u64(0..200_000));
            self.later(pause, Later::Tell(Event::Pause { by: by() }));
            self.later(resume, Later::Tell(Event::Resume { by: by() }));
        }
        for _ in 0..[0, 0, 0, 1, 2][self.rng.usize(..5)] {
            let at = Moment(ms(self.rng.u64(0..20_000)));
            let by = ms(self.rng.u64(0..5_000));
            let pace = if self.rng.bool() { Event::Longer(by) } else { Event::Shorter(by) };
            self.later(at, Later::Tell(pace));
        }
    }

    fn chance(&mut self, of_thousand: u32) -> bool {
        self.rng.u32(..1000) < of_thousand
    }

    fn new_run(&mut self) -> Invocation {
        self.next_run += 1;
        let mut id = [0; 16];
        id[0] = self.next_run;
        Invocation(id)
    }

    fn later(&mut self, at: Moment, what: Later) {
        self.sequence += 1;
        self.agenda.push(Reverse((at, self.sequence)));
        self.entries.insert(self.sequence, what);
    }

    fn after(&mut self, least: u64, most: u64, what: Later) {
        let span = ms(self.rng.u64(least..=most));
        self.later(self.now + span, what);
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<Moment> {
        self.agenda.peek().map(|Reverse((at, _))| *at)
    }

    /// Lets the next thing happen; an event for the heart may come of it.
    pub(crate) fn step(&mut self) -> Option<Event> {
        let Reverse((at, number)) = self.agenda.pop()?;
        self.now = self.now.max(at);
        match self.entries.remove(&number)? {
            Later::Tell(event) => return Some(event),
            Later::Stopped { unit, era } if self.units[unit].era == era => self.stopped(unit),
            Later::Started { unit, era } if self.units[unit].era == era => self.started(unit),
            Later::Crashed { unit, era } if self.units[unit].era == era => self.crashed(unit),
            Later::RestartedItself { unit, era } if self.units[unit].era == era => {
                self.restarted_itself(unit);
            }
            Later::Stranger { unit, job } => {
                self.units[unit].meddled = true;
                self.queue(unit, job, false);
            }
            Later::LogFails => self.log_fails = true,
            Later::GuardActs { unit, guard, number } => self.guard_acts(unit, guard, number),
            Later::SocketDown => self.socket_down_since = Some(self.now),
            Later::ClockJumps(span) => self.skew += span,
            Later::BusGone => self.bus_is_gone = true,
            Later::BusBack => {
                self.bus_is_gone = false;
                return Some(Event::Reconnected);
            }
            _ => {}
        }
        None
    }

    // ---- what the heart asks for ----

    pub(crate) fn perform(&mut self, action: &Action) {
        match action {
            Action::ReadGroup { ticket } => self.answer_group(*ticket),
            Action::ReadUnit { slot, ticket } => {
                let state = self.units[slot.0].state.clone();
                self.answer(Event::Unit { slot: *slot, ticket: *ticket, state });
            }
            Action::Arm { slot, guard, within } => self.arm(*slot, *guard, *within),
            Action::Disarm(slot) => self.disarm(*slot),
            Action::BringBack(slot) => {
                let (slot, up, down) = (*slot, vec!["gw.service".to_owned()], Vec::new());
                self.answer(Event::BroughtBack { slot, up, down });
            }
            Action::Restart(slot) => self.call(*slot, Job::Restart, true),
            Action::Stop(slot) => self.call(*slot, Job::Stop, true),
            Action::StopForGood(slot) => self.call(*slot, Job::Stop, false),
            Action::Start(slot) => self.call(*slot, Job::Start, false),
            Action::Probe { slot, ticket, invocation, .. } => {
                self.probe(*slot, *ticket, *invocation);
            }
            Action::RunHook { hook, slot, ticket, within, .. } => {
                self.run_hook(*hook, *slot, *ticket, *within);
            }
            Action::Record(Record::InDoubt { .. }) => self.ask_a_person(),
            Action::Record(_) | Action::Finish(_) => {}
        }
    }

    fn answer(&mut self, event: Event) {
        if !self.bus_is_gone && !self.chance(self.faults.answer_lost) {
            self.after(0, 30, Later::Tell(event));
        }
    }

    fn answer_group(&mut self, ticket: Ticket) {
        let states = |units: &[Unit]| units.iter().map(|unit| unit.state.clone()).collect();
        let state = GroupState {
            sockets_down: self.socket_down_since.iter().map(|_| SOCKET.to_owned()).collect(),
            members: states(&self.units[..self.members]),
            bystanders: states(&self.units[self.members..]),
        };
        self.answer(Event::Group { ticket, state });
    }

    fn call(&mut self, slot: Slot, job: Job, fails_on_conflict: bool) {
        let conflict = self.units[slot.0].job.is_some_and(|(_, other)| other != job);
        let refused = self.chance(self.faults.call_refused) || (fails_on_conflict && conflict);
        let unheard = self.bus_is_gone || self.chance(self.faults.call_unheard);
        if refused && !unheard {
            let event = match fails_on_conflict && conflict {
                true => Event::JobInTheWay { slot },
                false => Event::JobRefused { slot, why: "no".to_owned() },
            };
            self.after(0, 20, Later::Tell(event));
            return;
        }
        let id = match (unheard, self.bus_is_gone || self.rng.bool()) {
            (true, true) => None,
            _ => Some(self.queue(slot.0, job, true)),
        };
        let event = match id {
            Some(job) if !unheard => Event::JobQueued { slot, job },
            _ => Event::JobUnheard { slot },
        };
        self.after(0, 20, Later::Tell(event));
    }

    fn arm(&mut self, slot: Slot, guard: Guard, within: Duration) {
        if self.bus_is_gone {
            return;
        }
        let refused = self.chance(self.faults.call_refused);
        if !refused {
            self.sequence += 1;
            let (unit, number) = (slot.0, self.sequence);
            self.guards.insert((unit, guard), number);
            let stops = matches!(self.units[unit].job, Some((_, Job::Stop)));
            match guard == Guard::UntilUp && stops {
                // Its clock begins when the stop is complete.
                true => _ = self.units[unit].wait.insert((within, number)),
                false => self.later(self.now + within, Later::GuardActs { unit, guard, number }),
            }
        }
        if !self.chance(self.faults.call_unheard) {
            let event = match refused {
                true => Event::NotArmed { slot, guard, why: "no".to_owned() },
                false => Event::Armed { slot, guard },
            };
            self.after(0, 20, Later::Tell(event));
        }
    }

    fn disarm(&mut self, slot: Slot) {
        if !self.bus_is_gone {
            self.guards.retain(|(unit, _), _| *unit != slot.0);
        }
    }

    fn guard_acts(&mut self, unit: usize, guard: Guard, number: u64) {
        if self.guards.get(&(unit, guard)) == Some(&number) {
            self.guards.remove(&(unit, guard));
            self.queue(unit, Job::Start, false);
        }
    }

    pub(crate) fn is_guarded(&self, slot: Slot) -> bool {
        self.guards.contains_key(&(slot.0, Guard::UntilDown))
    }

    // ---- after a death ----

    /// Nobody asks for anything any more; what is under way goes on.
    pub(crate) fn is_left_alone(&mut self, span: Duration) {
        let end = self.now + span;
        while self.next_at().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = self.now.max(end);
    }

    /// From here on nothing goes wrong, and the units are in this order; the first are the members.
    pub(crate) fn is_well_again(&mut self, order: &[usize], members: usize) {
        let mut all: Vec<Option<Unit>> =
            std::mem::take(&mut self.units).into_iter().map(Some).collect();
        self.units = order.iter().map(|at| all[*at].take().expect("each once")).collect();
        self.members = members;
        self.agenda.clear();
        self.entries.clear();
        self.guards.clear();
        self.faults = Faults::default();
        (self.bus_is_gone, self.log_fails) = (false, false);
        for unit in &mut self.units {
            (unit.meddled, unit.down_by_us, unit.passed) = (false, false, None);
        }
    }

    fn probe(&mut self, slot: Slot, ticket: Ticket, invocation: Invocation) {
        let unit = &mut self.units[slot.0];
        let is_it = unit.state.invocation == Some(invocation) && unit.state.active.is_up();
        let healthy = is_it && unit.healthy_from.is_some_and(|from| self.now >= from);
        let is_unsure = is_it && self.chance(self.faults.unsure);
        let unit = &mut self.units[slot.0];
        if healthy && !is_unsure {
            unit.passed = Some(invocation);
        }
        let verdict = match (healthy, self.socket_down_since) {
            (_, None) if is_unsure => Verdict::Unsure("cannot tell".to_owned()),
            (_, Some(_)) => Verdict::NoSocket(format!("{SOCKET} is not active")),
            (true, None) => Verdict::Passed,
            (false, None) => Verdict::NotYet("probe refused".to_owned()),
        };
        // A probe does not go over the bus.
        if !self.chance(self.faults.probe_lost) {
            self.after(0, 30, Later::Tell(Event::Probed { slot, ticket, verdict }));
        }
    }

    /// The driver kills it when its time is over, and says so.
    fn run_hook(&mut self, hook: Hook, slot: Option<Slot>, ticket: Ticket, within: Duration) {
        if self.chance(self.faults.hook_lost) {
            return;
        }
        let hangs = self.chance(self.faults.hook_hangs);
        let fails = hangs || self.chance(self.faults.hook_fails);
        let takes = if hangs { within } else { ms(self.rng.u64(0..4_000)).min(within) };
        if self.rng.bool() {
            let line = "a line".to_owned();
            self.later(self.now + takes / 2, Later::Tell(Event::HookSaid { hook, slot, line }));
        }
        let result = if fails { Err("failed".to_owned()) } else { Ok(()) };
        self.later(self.now + takes, Later::Tell(Event::HookEnded { ticket, result }));
    }

    /// Who is asked answers, sooner or later.
    fn ask_a_person(&mut self) {
        let decisions = [Decision::Accept, Decision::Retry, Decision::Retry, Decision::Reject];
        let decision = decisions[self.rng.usize(..4)];
        self.after(0, 60_000, Later::Tell(Event::Decided(decision)));
    }

    // ---- clocks ----

    /// What time the heart is told.
    pub(crate) fn told_time(&self) -> Moment {
        self.now + self.skew
    }

    pub(crate) fn has_jumped(&self) -> bool {
        !self.skew.is_zero()
    }

    /// When the heart's clock shows this moment, or now if it has done so.
    pub(crate) fn when_it_is(&self, told: Moment) -> Moment {
        self.now + told.since(self.told_time())
    }

    // ---- what systemd does ----

    fn queue(&mut self, unit: usize, job: Job, ours: bool) -> JobId {
        if let Some((id, other)) = self.units[unit].job {
            if other == job {
                return id;
            }
            self.end_job(unit, JobResult::Canceled);
        }
        let id = JobId(self.next_job);
        self.next_job += 1;
        let it = &mut self.units[unit];
        it.job = Some((id, job));
        it.state.job = Some(id);
        if it.state.active.is_down() {
            return self.begin_again_or_end(unit, job, id);
        }
        if job == Job::Start {
            self.start_what_is_not_down(unit);
            return id;
        }
        it.down_by_us |= ours;
        it.changed_at = self.now;
        it.state.active = ActiveState::Deactivating;
        it.era += 1;
        let era = it.era;
        let most = if self.chance(self.faults.stop_hangs) { 90_000 } else { 800 };
        self.after(1, most, Later::Stopped { unit, era });
        id
    }

    fn begin_again_or_end(&mut self, unit: usize, job: Job, id: JobId) -> JobId {
        match job {
            Job::Stop => self.end_job(unit, JobResult::Done),
            Job::Start | Job::Restart => self.begin_start(unit),
        }
        id
    }

    /// A start of a unit that is up is done at once; of one that stops, it waits for the stop.
    fn start_what_is_not_down(&mut self, unit: usize) {
        if self.units[unit].state.active.is_up() {
            self.end_job(unit, JobResult::Done);
        }
    }

    fn stopped(&mut self, unit: usize) {
        let it = &mut self.units[unit];
        it.state.active = ActiveState::Inactive;
        it.state.main_pid = None;
        match it.job {
            Some((_, Job::Stop)) => self.end_job(unit, JobResult::Done),
            Some(_) => self.begin_start(unit),
            None => {}
        }
    }

    fn begin_start(&mut self, unit: usize) {
        self.tell_of_a_change(unit);
        let run = self.new_run();
        let healthy_from = self.drawn_health();
        let it = &mut self.units[unit];
        it.state.active = ActiveState::Activating;
        it.state.invocation = Some(run);
        it.state.restarts = 0;
        it.start_failed = false;
        it.changed_at = self.now;
        it.healthy_from = healthy_from;
        it.era += 1;
        let era = it.era;
        if self.chance(self.faults.start_depends) {
            self.units[unit].state.active = ActiveState::Inactive;
            self.units[unit].start_failed = true;
            return self.end_job(unit, JobResult::Dependency);
        }
        let most = if self.chance(self.faults.start_hangs) { 90_000 } else { 1_000 };
        self.after(1, most, Later::Started { unit, era });
    }

    fn drawn_health(&mut self) -> Option<Moment> {
        if self.chance(self.faults.sick_for_ever) {
            return None;
        }
        let delay = if self.chance(self.faults.sick) { self.rng.u64(0..10_000) } else { 0 };
        Some(self.now + ms(delay))
    }

    fn started(&mut self, unit: usize) {
        if self.chance(self.faults.start_fails) {
            let timed_out = self.rng.bool();
            self.units[unit].start_failed = true;
            self.end_job(unit, if timed_out { JobResult::Timeout } else { JobResult::Failed });
            return self.fall(unit);
        }
        let it = &mut self.units[unit];
        it.state.active = ActiveState::Active;
        it.state.main_pid = Some(2);
        it.down_by_us = false;
        it.up_since = Some(self.now);
        let era = it.era;
        self.end_job(unit, JobResult::Done);
        if self.chance(self.faults.crashes_later) {
            self.after(1, 3_000, Later::Crashed { unit, era });
        }
    }

    fn crashed(&mut self, unit: usize) {
        if self.units[unit].state.active.is_up() {
            self.units[unit].meddled = true;
            self.fall(unit);
        }
    }

    /// With or without `Restart=always`.
    fn fall(&mut self, unit: usize) {
        let comes_back = self.rng.bool();
        let it = &mut self.units[unit];
        it.era += 1;
        let era = it.era;
        it.changed_at = self.now;
        it.state.main_pid = None;
        it.state.active = if comes_back { ActiveState::Activating } else { ActiveState::Failed };
        if comes_back {
            self.after(100, 500, Later::RestartedItself { unit, era });
        }
    }

    fn restarted_itself(&mut self, unit: usize) {
        let restarts = self.units[unit].state.restarts + 1;
        self.begin_start(unit);
        self.units[unit].state.restarts = restarts;
    }

    /// Now and then there is news, and sometimes of nothing.
    fn tell_of_a_change(&mut self, unit: usize) {
        if unit < self.members && !self.bus_is_gone && self.rng.bool() {
            self.after(0, 100, Later::Tell(Event::Changed { slot: Slot(unit) }));
        }
    }

    fn end_job(&mut self, unit: usize, result: JobResult) {
        if let Some((within, number)) = self.units[unit].wait.take() {
            let guard = Guard::UntilUp;
            self.later(self.now + within, Later::GuardActs { unit, guard, number });
        }
        let it = &mut self.units[unit];
        it.state.job = None;
        let Some((job, _)) = it.job.take() else { return };
        self.tell_of_a_change(unit);
        if unit >= self.members || self.bus_is_gone || self.chance(self.faults.signal_lost) {
            return;
        }
        let signal = Event::JobRemoved { slot: Slot(unit), job, result };
        if self.chance(self.faults.signal_doubled) {
            self.after(0, 50, Later::Tell(signal.clone()));
        }
        self.after(0, 50, Later::Tell(signal));
    }
}
