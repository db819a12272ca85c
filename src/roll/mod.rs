//! The heart of a roll: it decides and never acts.
//!
//! ```text
//! events, time ─► Roll ─► actions            (the driver in `ctl` performs them)
//!
//! Pending ─► Stopping ─► Stopped ─► Starting ─► Probing ─► Observing ─► Serving
//!               └────────────┴──────────┴─► Failed ◄┴──────────┘
//! ```
//!
//! It knows no clock, no bus and no file. The same events at the same moments give the same
//! actions, so it is tested by simulation (`tests/simulation/`), not by waiting.

mod event;
mod floor;
mod instance;
mod judge;
mod last_word;
mod machine;
mod outcome;
mod phase;
mod plan;
mod policy;
mod record;
mod seconds;
mod share;
mod story;
mod unit;
mod written;

pub use event::{Action, Decision, Event, GroupState, Guard, Moment, Slot, Ticket, Verdict};
pub use last_word::{Explanation, LastWord, Usual};
pub use machine::Roll;
pub use outcome::{Failure, InstanceOutcome, Outcome, Reason, Standing};
pub use phase::Phase;
pub use plan::{BadPlan, Member, Part, Plan};
pub use policy::{Hook, OnFailure, Policy, Turn};
pub use record::{Record, RecordKind};
pub use share::{Batches, Share};
pub use story::{Chapter, Story};
pub use unit::{ActiveState, Invocation, JobId, JobResult, UnitState};
