//! The edge of a roll: everything that touches systemd, sockets, files and the terminal.
//!
//! ```text
//! patterns ─► select ─► plan ─► lock ─► drive ─► outcome
//!             systemd            flock   the heart decides, the driver acts, reports listen
//! ```

mod advice;
mod control;
mod driver;
mod error;
mod exit;
mod gates;
mod journal;
mod lock;
mod look;
mod log;
mod orders;
mod outdated;
mod pattern;
mod report;
mod restart;
mod scope;
mod select;
mod signals;
mod systemd;
mod unit_name;
mod user;

#[cfg(feature = "cli")]
pub mod cli;

pub use advice::advice;
pub use control::{Command, Control, give, owner};
pub use driver::drive;
pub use error::Error;
pub use exit::ExitStatus;
pub use gates::{
    Answer, Gates, Health, HealthUrl, InstanceGates, Listener, Probe, Target, ask_health,
};
pub use lock::Lock;
pub use look::{Fate, Look, last_roll};
pub use log::{Beginning, EventLog, Header, Life, Line, Shelf, Told};
pub use pattern::{BadPattern, Choice, InstancePattern, Wanted};
pub use report::{Ending, Output, Report};
pub use restart::{Request, restart};
pub use scope::Scope;
pub use select::{Group, Instance, LeftOut, Socket, all_groups, select};
pub use orders::{Order, Orders};
pub use systemd::{CallError, Heard, Properties, Systemd, UnitFile, Watch, Wish};
pub use unit_name::{UnitName, natural};
