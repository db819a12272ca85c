//! The questions and orders of a roll, each a task that brings its answer back.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tokio::time::timeout;

use super::{Driver, Happening};
use crate::ctl::command;
use crate::ctl::gates::Question;
use crate::ctl::select::bring_back;
use crate::ctl::systemd::{AT_ONCE, CallError, Row, Systemd, Wish};
use crate::roll::{Event, GroupState, Guard, Hook, Reason, Slot, Ticket, UnitState};

/// A roll that is over does not wait for a systemd that is away.
const DISARM_LIMIT: Duration = Duration::from_secs(2);

impl Driver<'_> {
    pub(super) fn call(&mut self, slot: Slot, wish: Wish) {
        let (systemd, unit) = (self.systemd.clone(), self.unit(slot));
        self.spawn(async move {
            Some(match systemd.queue(wish, &unit).await {
                Ok(job) => Event::JobQueued { slot, job },
                Err(error) if error.is_about_another_job() => Event::JobInTheWay { slot },
                Err(error @ CallError::Refused { .. }) => {
                    Event::JobRefused { slot, why: error.to_string() }
                }
                Err(_) => Event::JobUnheard { slot },
            })
        });
    }

    pub(super) fn arm(&mut self, slot: Slot, guard: Guard, within: Duration) {
        let (systemd, unit) = (self.systemd.clone(), self.unit(slot));
        let dependents = self.dependents.get(&unit).into_iter().flatten();
        let others: Vec<String> = dependents.map(|it| it.unit.clone()).collect();
        self.spawn(async move {
            match systemd.arm(guard, &unit, &others, within).await {
                Ok(()) => Some(Event::Armed { slot, guard }),
                Err(error @ CallError::Refused { .. }) => {
                    Some(Event::NotArmed { slot, guard, why: error.to_string() })
                }
                Err(_) => None,
            }
        });
    }

    pub(super) fn disarm(&mut self, slot: Slot) {
        let (systemd, unit) = (self.systemd.clone(), self.unit(slot));
        self.disarming.push(tokio::spawn(async move { systemd.disarm(&unit).await }));
    }

    /// One that nobody disarmed would start what somebody may stop right after the roll.
    pub(super) async fn let_guards_go(&mut self) {
        let all = join_all(self.disarming.drain(..));
        // Without systemd there is nobody to tell.
        let _ = timeout(DISARM_LIMIT, all).await;
    }

    pub(super) fn bring_back(&mut self, slot: Slot) {
        let (systemd, unit) = (self.systemd.clone(), self.unit(slot));
        let dependents = self.dependents.get(&unit).cloned().unwrap_or_default();
        self.spawn(async move {
            let (up, down) = bring_back(&systemd, &unit, &dependents).await;
            Some(Event::BroughtBack { slot, up, down })
        });
    }

    /// Reads those that the heart has asked for since: one question for all of them.
    pub(super) fn read_units(&mut self) {
        let asked = std::mem::take(&mut self.to_read);
        if asked.is_empty() {
            return;
        }
        let systemd = self.systemd.clone();
        let units: Vec<String> = asked.iter().map(|(slot, _)| self.unit(*slot)).collect();
        self.tasks.push(Box::pin(async move {
            match systemd.rows(&units).await {
                Ok(rows) => Happening::Units { asked, rows },
                Err(_) => Happening::Answer(None),
            }
        }));
    }

    /// Whoever is not known well enough is read.
    pub(super) fn take_units(&mut self, asked: Vec<(Slot, Ticket)>, rows: &HashMap<String, Row>) {
        for (slot, ticket) in asked {
            let Some(row) = rows.get(&self.roll.plan().member(slot).unit) else {
                self.read_whole(slot, ticket);
                continue;
            };
            match self.known.state(slot, row) {
                Some(state) => self.events.push_back(Event::Unit { slot, ticket, state }),
                None => self.read_the_rest(slot, ticket, row.clone()),
            }
        }
    }

    fn read_the_rest(&mut self, slot: Slot, ticket: Ticket, row: Row) {
        self.known.asks(ticket);
        let (systemd, unit) = (self.systemd.clone(), self.unit(slot));
        let wanted = self.known.wanted(slot);
        self.tasks.push(Box::pin(async move {
            match systemd.state(&unit, &row, wanted).await {
                Ok(state) => Happening::Pieces { slot, ticket, state },
                Err(_) => Happening::Answer(None),
            }
        }));
    }

    /// What changed while it was read has pieces of before and after.
    pub(super) fn take_pieces(&mut self, slot: Slot, ticket: Ticket, state: UnitState) {
        match self.known.learns(ticket, slot, &state) {
            true => self.events.push_back(Event::Unit { slot, ticket, state }),
            false => self.read_whole(slot, ticket),
        }
    }

    fn read_whole(&mut self, slot: Slot, ticket: Ticket) {
        self.known.asks(ticket);
        let (systemd, unit) = (self.systemd.clone(), self.unit(slot));
        self.spawn(async move {
            let state = systemd.properties(&unit).await.ok()?.state();
            Some(Event::Unit { slot, ticket, state })
        });
    }

    pub(super) fn read_group(&mut self, ticket: Ticket) {
        let systemd = self.systemd.clone();
        let units =
            [&self.members()[..], self.roll.plan().bystanders(), self.gates.needed_sockets()];
        let units = units.concat();
        self.tasks.push(Box::pin(async move {
            match systemd.rows(&units).await {
                Ok(rows) => Happening::Group { ticket, rows },
                Err(_) => Happening::Answer(None),
            }
        }));
    }

    pub(super) fn take_group(&mut self, ticket: Ticket, rows: &HashMap<String, Row>) {
        self.known.asks(ticket);
        let is_up = |unit: &&String| rows.get(*unit).is_some_and(|row| row.active.is_up());
        let of = |unit: &String| rows.get(unit).map(Row::state).unwrap_or_default();
        let sockets_down = self.gates.needed_sockets().iter().filter(|unit| !is_up(unit));
        let sockets_down = sockets_down.cloned().collect();
        let bystanders = self.roll.plan().bystanders().iter().map(of).collect();
        let units = self.members();
        let state = |(at, unit)| self.known.state_in_group(Slot(at), rows.get(unit)?);
        let sure = units.iter().enumerate().map(state).collect();
        let systemd = self.systemd.clone();
        self.spawn(async move {
            let members = complete(&systemd, &units, sure).await?;
            let state = GroupState { sockets_down, members, bystanders };
            Some(Event::Group { ticket, state })
        });
    }

    fn members(&self) -> Vec<String> {
        self.roll.plan().members().iter().map(|it| it.unit.clone()).collect()
    }

    pub(super) fn probe(&mut self, slot: Slot, ticket: Ticket, question: Question) {
        let (systemd, gates) = (self.systemd.clone(), self.gates.clone());
        self.spawn(async move {
            let verdict = gates.probe(&systemd, &question).await?;
            Some(Event::Probed { slot, ticket, verdict })
        });
    }

    /// Its lines are events of their own, while it runs.
    pub(super) fn run_hook(
        &mut self,
        hook: Hook,
        slot: Option<Slot>,
        ticket: Ticket,
        within: Duration,
        result: Option<&Reason>,
    ) {
        let unit = slot.map(|slot| self.unit(slot));
        let order = self.hooks.order(hook, unit.as_deref(), within, result);
        let said = self.said.0.clone();
        // Nobody is told any more once the roll is over.
        let tell = move |event| _ = said.send(event);
        self.spawn(async move {
            let say = |line| tell(Event::HookSaid { hook, slot, line });
            let ended = command::run(&order, say).await;
            // Behind its last line.
            tell(Event::HookEnded { ticket, result: ended.result() });
            None
        });
    }

    pub(super) fn unit(&self, slot: Slot) -> String {
        self.roll.plan().member(slot).unit.clone()
    }

    fn spawn(&mut self, answer: impl Future<Output = Option<Event>> + 'static) {
        self.tasks.push(Box::pin(async move { Happening::Answer(answer.await) }));
    }
}

/// These states, with those that are missing read; `None` if any could not be.
async fn complete(
    systemd: &Systemd,
    units: &[String],
    sure: Vec<Option<UnitState>>,
) -> Option<Vec<UnitState>> {
    let states = units.iter().zip(sure).map(|(unit, sure)| async move {
        match sure {
            Some(state) => Some(state),
            None => Some(systemd.properties(unit).await.ok()?.state()),
        }
    });
    let states: Vec<Option<UnitState>> = stream::iter(states).buffered(AT_ONCE).collect().await;
    states.into_iter().collect()
}
