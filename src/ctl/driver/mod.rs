//! The one `select!` of a roll: it performs what the heart decides, and tells it what happened.
//!
//! ```text
//!        ┌─ actions ─► event log, on disk ─► reports ─┐
//!        │                                            ▼
//!      Roll ◄── events ── calls and probes, job signals, orders, the clock
//! ```
//!
//! What happened at the same time is taken in together, so that a batch of a hundred instances
//! waits for the disk a few times, not hundreds.

mod known;
mod ledger;
mod process;
mod tasks;

use std::collections::{HashMap, VecDeque};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::ctl::gates::{Gates, Question};
use crate::ctl::hooks::Hooks;
use crate::ctl::log::EventLog;
use crate::ctl::orders::{Acknowledge, Orders};
use crate::ctl::report::Report;
use crate::ctl::select::Dependent;
use crate::ctl::systemd::{CallError, Heard, Reach, Row, Systemd, Watch, Wish, object_path};
use crate::roll::{Action, Event, Moment, Outcome, Plan, Roll, Slot, Ticket, UnitState};
use known::Known;
use ledger::Ledger;

/// Walks the plan to its end.
///
/// The roll listens before it acts: `systemd`'s signals are subscribed to before the first call.
pub async fn drive(
    systemd: Systemd,
    plan: Plan,
    edge: Edge,
    orders: &mut Orders,
    log: &mut EventLog,
    report: &mut dyn Report,
) -> Outcome {
    let mut driver = Driver::new(systemd, plan, edge, Ledger::new(log, report));
    // The roll of the group before may have been over when it was paused.
    driver.events.extend(orders.pause());
    driver.open_watch().await;
    loop {
        if let Some(outcome) = driver.feed_the_heart() {
            driver.let_guards_go().await;
            return outcome;
        }
        driver.wait(orders).await;
        driver.take_all_that_is_ready();
    }
}

/// What the roll of a group has to do with beside systemd and the plan.
#[derive(Debug)]
pub struct Edge {
    /// Whether an instance serves.
    pub gates: Gates,
    /// The administrator's commands.
    pub hooks: Hooks,
    /// What goes down with an instance, by its unit.
    pub dependents: HashMap<String, Vec<Dependent>>,
}

/// With no more than so many in hand at once each is heard of at every moment. A large batch is read
/// once a second, for its signals would take as long as systemd's own work: a dozen for a restart.
const HEARD_AT_ONCE: usize = 16;

type Task = Pin<Box<dyn Future<Output = Happening>>>;

/// What a task brings back.
enum Happening {
    /// An answer, or none at all: the heart asks again by itself.
    Answer(Option<Event>),
    /// What a list says of those that the heart has asked for.
    Units { asked: Vec<(Slot, Ticket)>, rows: HashMap<String, Row> },
    /// What one of them is, read piece by piece.
    Pieces { slot: Slot, ticket: Ticket, state: UnitState },
    /// What a list says of the group.
    Group { ticket: Ticket, rows: HashMap<String, Row> },
    /// The way back to systemd ended, well or not.
    Back(Box<Result<(Systemd, Watch), CallError>>),
}

struct Driver<'a> {
    roll: Roll,
    /// Which instance a signal's object path is about.
    slots: HashMap<String, Slot>,
    begun: Instant,
    systemd: Systemd,
    /// `None` while systemd is away.
    watch: Option<Watch>,
    gates: Arc<Gates>,
    hooks: Hooks,
    dependents: HashMap<String, Vec<Dependent>>,
    known: Known,
    /// Whom the heart has asked for just now.
    to_read: Vec<(Slot, Ticket)>,
    /// What hooks say while they run.
    said: (UnboundedSender<Event>, UnboundedReceiver<Event>),
    tasks: FuturesUnordered<Task>,
    /// Guards that are being disarmed.
    disarming: Vec<JoinHandle<()>>,
    events: VecDeque<Event>,
    /// Who waits to hear that an order was taken in.
    to_acknowledge: Vec<Acknowledge>,
    ledger: Ledger<'a>,
}

impl<'a> Driver<'a> {
    fn new(systemd: Systemd, plan: Plan, edge: Edge, ledger: Ledger<'a>) -> Self {
        let units = plan.members().iter().map(|member| object_path(&member.unit));
        let slots = units.enumerate().map(|(i, path)| (path, Slot(i))).collect();
        let at_once = plan.parts().iter().map(|part| part.slots.len()).max();
        let reach = if at_once <= Some(HEARD_AT_ONCE) { Reach::All } else { Reach::Own };
        let names = plan.members().iter().map(|member| member.unit.clone()).collect();
        let known = Known::new(reach, names);
        Self {
            roll: Roll::new(plan),
            slots,
            begun: Instant::now(),
            systemd,
            watch: None,
            gates: Arc::new(edge.gates),
            hooks: edge.hooks,
            dependents: edge.dependents,
            known,
            to_read: Vec::new(),
            said: unbounded_channel(),
            tasks: FuturesUnordered::new(),
            disarming: Vec::new(),
            events: VecDeque::from([Event::Tick]),
            to_acknowledge: Vec::new(),
            ledger,
        }
    }

    async fn open_watch(&mut self) {
        match Watch::open(&self.systemd, self.known.reach()).await {
            Ok(watch) => self.watch = Some(watch),
            Err(_) => self.find_the_way_back(),
        }
    }

    fn feed_the_heart(&mut self) -> Option<Outcome> {
        while !self.events.is_empty() {
            let now = Moment(self.begun.elapsed());
            let events = std::mem::take(&mut self.events);
            let actions = events.into_iter().flat_map(|event| self.roll.handle(event, now));
            let actions = actions.collect();
            let (actions, failed) = self.ledger.enter(actions, now);
            // Before anything else can happen to what was held back.
            failed.into_iter().for_each(|event| self.events.push_front(event));
            self.to_acknowledge.drain(..).for_each(Acknowledge::taken_in);
            for action in actions {
                if let Action::Finish(outcome) = action {
                    return Some(outcome);
                }
                self.perform(action);
            }
        }
        self.read_units();
        None
    }

    async fn wait(&mut self, orders: &mut Orders) {
        let wake = self.roll.wake_at().map(|moment| self.begun + moment.0);
        tokio::select! {
            Some(happening) = self.tasks.next() => self.take(happening),
            Some(said) = self.said.1.recv() => self.events.push_back(said),
            heard = next_signal(&mut self.watch) => self.hear(heard),
            order = orders.next() => {
                self.events.push_back(order.event);
                self.to_acknowledge.extend(order.acknowledge);
            }
            () = until(wake) => self.events.push_back(Event::Tick),
        }
    }

    fn take_all_that_is_ready(&mut self) {
        while let Some(Some(happening)) = self.tasks.next().now_or_never() {
            self.take(happening);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::ReadGroup { ticket } => self.read_group(ticket),
            Action::ReadUnit { slot, ticket } => {
                self.known.comes_to(slot);
                self.to_read.push((slot, ticket));
            }
            Action::Restart(slot) => self.call(slot, Wish::Restart),
            Action::Arm { slot, guard, within } => self.arm(slot, guard, within),
            Action::Disarm(slot) => self.disarm(slot),
            Action::Stop(slot) => self.call(slot, Wish::Stop),
            Action::StopForGood(slot) => self.call(slot, Wish::StopForGood),
            Action::Start(slot) => self.call(slot, Wish::Start),
            Action::Probe { slot, ticket, invocation, main_pid, within } => {
                let unit = self.unit(slot);
                let environment = self.hooks.environment_of_check(&unit, invocation, main_pid);
                let question = Question { unit, invocation, main_pid, within, environment };
                self.probe(slot, ticket, question);
            }
            Action::BringBack(slot) => self.bring_back(slot),
            Action::RunHook { hook, slot, ticket, within, result } => {
                self.run_hook(hook, slot, ticket, within, result.as_ref());
            }
            // Written down by now, or taken out by the caller: there is nothing left to perform.
            Action::Record(_) | Action::Finish(_) => {}
        }
    }

    /// The signals that came before an answer are heard before it: they may be about what led to it.
    fn take(&mut self, happening: Happening) {
        self.hear_all_that_is_ready();
        match happening {
            Happening::Units { asked, rows } => self.take_units(asked, &rows),
            Happening::Pieces { slot, ticket, state } => self.take_pieces(slot, ticket, state),
            Happening::Group { ticket, rows } => self.take_group(ticket, &rows),
            Happening::Answer(event) => {
                event.iter().for_each(|event| self.learn(event));
                self.events.extend(event);
            }
            Happening::Back(way) => self.is_back(*way),
        }
    }

    fn learn(&mut self, event: &Event) {
        match event {
            Event::Unit { slot, ticket, state } => _ = self.known.learns(*ticket, *slot, state),
            Event::Group { ticket, state } => self.known.learns_of_all(*ticket, &state.members),
            _ => {}
        }
    }

    fn is_back(&mut self, way: Result<(Systemd, Watch), CallError>) {
        match way {
            Ok((systemd, watch)) => {
                self.systemd = systemd;
                self.watch = Some(watch);
                self.known.is_told_of_all();
                self.events.push_back(Event::Reconnected);
            }
            Err(error) => self.events.push_back(Event::Unreachable { why: error.to_string() }),
        }
    }

    fn hear_all_that_is_ready(&mut self) {
        while let Some(watch) = &mut self.watch
            && let Some(heard) = watch.next().now_or_never()
        {
            self.hear(heard);
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            // systemd tells what has changed with it first.
            Heard::JobRemoved { job, unit, result } => {
                let slot = self.slots.get(&object_path(&unit)).copied();
                slot.iter().for_each(|slot| self.known.hears_of_its_job(*slot));
                self.events.extend(slot.map(|slot| Event::JobRemoved { slot, job, result }));
            }
            Heard::Changed { path, news } => {
                if let Some(slot) = self.slots.get(&path).copied() {
                    self.known.hears(slot, news);
                    self.events.push_back(Event::Changed { slot });
                }
            }
            Heard::Away => self.find_the_way_back(),
        }
    }

    fn find_the_way_back(&mut self) {
        self.watch = None;
        self.known.forgets_all();
        let scope = self.systemd.scope();
        let way = async move { Happening::Back(Box::new(Systemd::come_back(scope).await)) };
        self.tasks.push(Box::pin(way));
    }
}

async fn next_signal(watch: &mut Option<Watch>) -> Heard {
    match watch {
        Some(watch) => watch.next().await,
        None => pending().await,
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(wake) => sleep_until(wake).await,
        None => pending().await,
    }
}
