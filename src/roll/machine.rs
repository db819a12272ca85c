//! The walk over the batches: what begins when, and when it is over.

use super::event::{Action, Event, Moment};
use super::plan::Plan;

/// A roll under way.
#[derive(Debug)]
pub struct Roll {
    plan: Plan,
}

impl Roll {
    /// A roll that has not begun; the first [`Event::Tick`] begins it.
    pub fn new(plan: Plan) -> Self {
        Self { plan }
    }

    /// What it walks.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes what happened and what time it is, and returns what to do, in order.
    pub fn handle(&mut self, _event: Event, _now: Moment) -> Vec<Action> {
        Vec::new()
    }

    /// When it wants an [`Event::Tick`] if nothing happens before; `None` once it is over.
    pub fn wake_at(&self) -> Option<Moment> {
        None
    }
}
