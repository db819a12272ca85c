//! What a `PropertiesChanged` says of a unit: one half of its state comes with each of two
//! interfaces, every property of the half in every signal.

use std::collections::HashMap;

use zbus::{Message, Variant};

use super::properties::Properties;
use crate::roll::UnitState;

/// One half of a unit's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    half: Half,
    /// The other half is empty.
    state: UnitState,
}

/// Which half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Half {
    /// What every unit has: its state, its run, its job.
    Unit,
    /// What a service has: its process, its `STATUS=` text, how it ended.
    Service,
}

impl News {
    /// What is known of one half.
    pub(in crate::ctl) fn new(half: Half, state: UnitState) -> Self {
        Self { half, state }
    }

    /// `None`: it is about something else, or this systemd does not tell all that is needed.
    pub(super) fn read(message: &Message) -> Option<Self> {
        let body = message.body();
        let (interface, told, _): (&str, HashMap<&str, Variant<'_>>, Vec<&str>) =
            body.deserialize().ok()?;
        let half = Half::of(interface)?;
        let one = |name: &str| Some((name.to_owned(), told.get(name)?.try_to_owned().ok()?));
        let all: Option<HashMap<_, _>> = half.properties().into_iter().map(one).collect();
        Some(Self { half, state: Properties::new(all?).state() })
    }

    /// Which half it is.
    pub fn half(&self) -> Half {
        self.half
    }

    /// Brings what was known up to date.
    pub fn put_into(self, known: &mut UnitState) {
        let new = self.state;
        *known = match self.half {
            Half::Unit => UnitState {
                restarts: known.restarts,
                main_pid: known.main_pid,
                status: std::mem::take(&mut known.status),
                result: std::mem::take(&mut known.result),
                ..new
            },
            Half::Service => UnitState {
                active: known.active,
                sub: std::mem::take(&mut known.sub),
                invocation: known.invocation,
                job: known.job,
                ..new
            },
        };
    }
}

impl Half {
    fn of(interface: &str) -> Option<Self> {
        [Self::Unit, Self::Service].into_iter().find(|half| half.interface() == interface)
    }

    pub(super) fn interface(self) -> &'static str {
        match self {
            Self::Unit => "org.freedesktop.systemd1.Unit",
            Self::Service => "org.freedesktop.systemd1.Service",
        }
    }

    fn properties(self) -> [&'static str; 4] {
        match self {
            Self::Unit => ["ActiveState", "SubState", "Job", "InvocationID"],
            Self::Service => ["NRestarts", "MainPID", "StatusText", "Result"],
        }
    }
}
