//! The policy of a roll: what `[X-Roll]` and the command line say, and which of them counts.
//!
//! ```text
//! default ─► unit files ─► drop-ins ─► command line        (later wins, an empty value resets)
//!             group's and instance's; the one that a setting is about comes last of the two
//! ```

mod command_line;
mod effect;
mod layers;
mod settings;
mod specifiers;
mod unit_file;

pub use command_line::{CommandLine, HookCommand};
pub use layers::{Policies, UnitFiles};
pub use settings::{About, Given, Key, Limit, Origin, Settings};
pub(in crate::ctl) use specifiers::expand;
