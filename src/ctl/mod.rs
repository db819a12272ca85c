//! The edge of a roll: everything that touches systemd, sockets, files and the terminal.
//!
//! ```text
//! patterns ─► select ─► plan ─► lock ─► drive ─► outcome
//!             systemd            flock   the heart decides, the driver acts, reports listen
//! ```

mod advice;
mod command;
mod control;
mod deployers;
mod driver;
mod error;
mod exit;
mod explain;
mod frozen;
mod gates;
mod hooks;
mod journal;
mod keys;
mod lock;
mod log;
mod look;
mod one_roll;
mod orders;
mod outdated;
mod pattern;
mod policy;
#[cfg(feature = "prove")]
mod prove;
mod reload;
mod report;
mod restart;
mod scope;
mod select;
mod signals;
mod systemd;
mod typed;
mod unit_name;
mod user;

#[cfg(feature = "cli")]
pub mod cli;

pub use advice::advice;
pub use control::{Command, Control, give, owner};
pub use driver::{Edge, drive};
pub use error::Error;
pub use exit::ExitStatus;
pub use frozen::{Frozen, freeze, frozen, thaw};
pub use gates::{
    Answer, Check, Gates, Health, HealthUrl, InstanceGates, Listener, Probe, Target, ask_health,
};
pub use hooks::Hooks;
pub use keys::is_attended;
pub use lock::Lock;
pub use log::{Beginning, EventLog, Header, Life, Line, Shelf, Tail, Told};
pub use look::{Fate, Look, last_roll};
pub use orders::{Order, Orders};
pub use pattern::{BadPattern, Choice, InstancePattern, Wanted};
pub use policy::{
    About, CommandLine, Given, HookCommand, Key, Limit, Origin, Policies, Settings, UnitFiles,
};
#[cfg(feature = "prove")]
use prove::grouped;
#[cfg(feature = "prove")]
pub use prove::{
    Figures, Instead, Measure, Picture, Proof, ProofUrl, Proved, Window, prove, prove_command,
};
pub use report::{Ending, Output, Report};
pub use restart::{Request, Resumed, restart};
pub use scope::Scope;
pub use select::{Dependent, Depth, Group, Instance, LeftOut, Service, Socket, all_groups, select};
pub use systemd::{CallError, Heard, Properties, Ran, Reach, Systemd, UnitFile, Watch, Wish};
pub use unit_name::{UnitName, natural};
