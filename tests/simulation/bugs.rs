//! Bugs that are planted between the heart and the world: what it decides is changed on the way
//! out, what it is told on the way in. Each must be caught by an invariant; else it proves nothing.

use std::time::Duration;

use rollctl::roll::{
    Action, ActiveState, Event, Failure, Hook, Invocation, Moment, OnFailure, Phase, Plan, Policy,
    Reason, Record, Roll, Share, Slot, Ticket, UnitState, Verdict,
};

/// What the heart gets wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    TakesOneTooMany,
    GoesOnAfterAFailure,
    GoesOnBelowTheFloor,
    GoesOnAfterAnInterrupt,
    BeginsWithoutTheSocket,
    NeverLooksBack,
    TakesAnyProbeForPassed,
    TakesDoubtForPassed,
    ForgetsToStart,
    RetriesBlindly,
    NeverWakes,
    StopsWithoutItsHook,
    ServesWithoutItsHook,
    DrainsTheFailed,
    IgnoresTheVeto,
    ForgetsTheLastHook,
    TellsTheLastHookALie,
    StopsWithoutAGuard,
    BeginsWhilePaused,
    GoesOnWithoutALog,
}

impl Bug {
    pub(crate) const ALL: [Self; 20] = [
        Self::TakesOneTooMany,
        Self::GoesOnAfterAFailure,
        Self::GoesOnBelowTheFloor,
        Self::GoesOnAfterAnInterrupt,
        Self::BeginsWithoutTheSocket,
        Self::NeverLooksBack,
        Self::TakesAnyProbeForPassed,
        Self::TakesDoubtForPassed,
        Self::ForgetsToStart,
        Self::RetriesBlindly,
        Self::NeverWakes,
        Self::StopsWithoutItsHook,
        Self::ServesWithoutItsHook,
        Self::DrainsTheFailed,
        Self::IgnoresTheVeto,
        Self::ForgetsTheLastHook,
        Self::TellsTheLastHookALie,
        Self::StopsWithoutAGuard,
        Self::BeginsWhilePaused,
        Self::GoesOnWithoutALog,
    ];
}

/// A heart, with a bug or without.
pub(crate) struct Heart {
    roll: Roll,
    bug: Option<Bug>,
    /// The ticket of the first hook.
    opening: Option<Ticket>,
    /// What it would have to be told at once, in place of an answer of the world's.
    made_up: Vec<Event>,
    /// The run that was probed last, of those that serve.
    proved: Vec<Option<Invocation>>,
    probed: Vec<Option<Invocation>>,
}

impl Heart {
    pub(crate) fn new(plan: &Plan, bug: Option<Bug>) -> Self {
        let plan = bug.map_or_else(|| plan.clone(), |bug| misread(plan, bug));
        let none = vec![None; plan.members().len()];
        Self {
            roll: Roll::new(plan),
            bug,
            opening: None,
            made_up: Vec::new(),
            proved: none.clone(),
            probed: none,
        }
    }

    pub(crate) fn wake_at(&self) -> Option<Moment> {
        match self.bug {
            Some(Bug::NeverWakes) => Some(Moment(Duration::MAX)),
            _ => self.roll.wake_at(),
        }
    }

    pub(crate) fn handle(&mut self, event: Event, now: Moment) -> Vec<Action> {
        let Some(bug) = self.bug else { return self.roll.handle(event, now) };
        let Some(event) = self.misheard(bug, event) else { return Vec::new() };
        let mut done = Vec::new();
        let mut todo = self.roll.handle(event, now);
        loop {
            for action in todo {
                done.extend(self.misdone(bug, action));
            }
            let Some(event) = self.made_up.pop() else { return done };
            todo = self.roll.handle(event, now);
        }
    }

    fn misheard(&mut self, bug: Bug, event: Event) -> Option<Event> {
        Some(match (bug, event) {
            (Bug::GoesOnAfterAnInterrupt, Event::Interrupted) => return None,
            (Bug::GoesOnWithoutALog, Event::LogFailed { .. }) => return None,
            (Bug::BeginsWhilePaused, Event::Pause { by }) => {
                self.made_up.push(Event::Resume { by: by.clone() });
                Event::Pause { by }
            }
            (Bug::BeginsWithoutTheSocket, Event::Group { ticket, mut state }) => {
                state.sockets_down.clear();
                Event::Group { ticket, state }
            }
            (Bug::NeverLooksBack, Event::Group { ticket, mut state }) => {
                for (member, proved) in state.members.iter_mut().zip(&self.proved) {
                    if let Some(run) = proved {
                        *member = as_proved(*run);
                    }
                }
                Event::Group { ticket, state }
            }
            (Bug::GoesOnBelowTheFloor, Event::Group { ticket, mut state }) => {
                for member in state.members.iter_mut().chain(&mut state.bystanders) {
                    member.active = ActiveState::Active;
                }
                Event::Group { ticket, state }
            }
            (Bug::TakesAnyProbeForPassed, Event::Probed { slot, ticket, .. }) => {
                Event::Probed { slot, ticket, verdict: Verdict::Passed }
            }
            (
                Bug::TakesDoubtForPassed,
                Event::Probed { slot, ticket, verdict: Verdict::Unsure(_) },
            ) => Event::Probed { slot, ticket, verdict: Verdict::Passed },
            (Bug::IgnoresTheVeto, Event::HookEnded { ticket, .. })
                if self.opening == Some(ticket) =>
            {
                Event::HookEnded { ticket, result: Ok(()) }
            }
            (_, event) => event,
        })
    }

    fn misdone(&mut self, bug: Bug, action: Action) -> Vec<Action> {
        match (bug, action) {
            (Bug::ForgetsToStart, Action::Start(_)) => Vec::new(),
            (Bug::StopsWithoutAGuard, Action::Arm { slot, guard, .. }) => {
                self.made_up.push(Event::Armed { slot, guard });
                Vec::new()
            }
            (Bug::BeginsWhilePaused, Action::Record(Record::Resumed { .. })) => Vec::new(),
            (Bug::RetriesBlindly, Action::Record(record)) => self.retried(record),
            (Bug::StopsWithoutItsHook, Action::RunHook { hook: Hook::BeforeStop, ticket, .. })
            | (Bug::ServesWithoutItsHook, Action::RunHook { hook: Hook::AfterStart, ticket, .. })
            | (Bug::ForgetsTheLastHook, Action::RunHook { hook: Hook::AfterRoll, ticket, .. }) => {
                self.made_up.push(Event::HookEnded { ticket, result: Ok(()) });
                Vec::new()
            }
            (Bug::DrainsTheFailed, Action::Record(record)) => self.drained(record),
            (
                Bug::TellsTheLastHookALie,
                Action::RunHook { hook: Hook::AfterRoll, slot, ticket, within, .. },
            ) => {
                let result = Some(Reason::Interrupted);
                vec![Action::RunHook { hook: Hook::AfterRoll, slot, ticket, within, result }]
            }
            (_, action) => {
                self.remember(&action);
                vec![action]
            }
        }
    }

    fn remember(&mut self, action: &Action) {
        match action {
            Action::RunHook { hook: Hook::BeforeRoll, ticket, .. } => self.opening = Some(*ticket),
            Action::Probe { slot, invocation, .. } => self.probed[slot.0] = Some(*invocation),
            Action::Record(Record::PhaseChanged { instance, phase: Phase::Serving, .. }) => {
                if let Some(Slot(i)) = self.slot(instance) {
                    self.proved[i] = self.probed[i];
                }
            }
            _ => {}
        }
    }

    fn retried(&self, record: Record) -> Vec<Action> {
        let again = match &record {
            Record::InstanceFailed { instance, failure: Failure::TakenOver { .. } } => {
                self.slot(instance).map(Action::Restart)
            }
            _ => None,
        };
        [Action::Record(record)].into_iter().chain(again).collect()
    }

    /// An instance that failed is put back into its balancer.
    fn drained(&self, record: Record) -> Vec<Action> {
        let back = match &record {
            Record::InstanceFailed { instance, .. } => self.slot(instance),
            _ => None,
        };
        let back = back.map(|slot| Action::RunHook {
            hook: Hook::AfterStart,
            slot: Some(slot),
            ticket: Ticket(u64::MAX),
            within: Duration::from_secs(1),
            result: None,
        });
        [Action::Record(record)].into_iter().chain(back).collect()
    }

    fn slot(&self, unit: &str) -> Option<Slot> {
        self.roll.plan().members().iter().position(|member| member.unit == unit).map(Slot)
    }
}

fn as_proved(run: Invocation) -> UnitState {
    UnitState { active: ActiveState::Active, invocation: Some(run), ..UnitState::default() }
}

/// The plan as a heart with this bug understands it.
fn misread(plan: &Plan, bug: Bug) -> Plan {
    let policy = plan.policy().clone();
    let policy = match bug {
        Bug::TakesOneTooMany => {
            let one_more = Share::Number(plan.allowed_down() + 1);
            Policy { max_unavailable: Some(one_more), batches: None, ..policy }
        }
        Bug::GoesOnAfterAFailure => Policy { on_failure: OnFailure::Continue, ..policy },
        _ => policy,
    };
    let (members, bystanders) = (plan.members().to_vec(), plan.bystanders().to_vec());
    Plan::new(members, bystanders, policy).unwrap_or_else(|_| plan.clone())
}
