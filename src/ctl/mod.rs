//! The edge of a roll: everything that touches systemd, sockets, files and the terminal.
//!
//! ```text
//! patterns ─► select ─► plan ─► lock ─► drive ─► outcome
//!             systemd            flock   the heart decides, the driver acts, reports listen
//! ```

mod driver;
mod error;
mod exit;
mod gates;
mod lock;
mod pattern;
mod report;
mod restart;
mod scope;
mod select;
mod signals;
mod systemd;
mod unit_name;

#[cfg(feature = "cli")]
pub mod cli;

pub use driver::drive;
pub use error::Error;
pub use exit::ExitStatus;
pub use gates::{Gates, Health, HealthUrl};
pub use lock::Lock;
pub use pattern::{BadPattern, InstancePattern};
pub use report::{Output, Report};
pub use restart::{Request, restart};
pub use scope::Scope;
pub use select::{Group, Instance, LeftOut, Socket, all_groups, select};
pub use systemd::{CallError, Systemd};
