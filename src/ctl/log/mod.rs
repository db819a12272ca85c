//! The event log of a roll: every record, one JSON object a line, on disk before the step it tells of.
//!
//! ```text
//! STATE/rollctl/worker/000041.jsonl      one file a roll, numbered, the newest kept
//!                      000042.jsonl      header, records …
//!
//! Header ─► Line Line Line ─► (killed: a torn last line is no line) │ roll_ended
//! ```
//!
//! It feeds `status`, `history`, `resume`, `attach` and `--json`; nothing else is kept of a roll.

mod header;
mod line;
mod read;
mod shelf;
mod write;

pub(super) use header::roll_id;
pub use header::{Beginning, Header, Life};
pub use line::Line;
pub(super) use read::read;
pub use read::{Tail, Told};
pub use shelf::Shelf;
pub(super) use shelf::file_name;
pub use write::EventLog;

/// What is raised when an older rollctl could not read the lines any more.
const FORMAT: u32 = 1;
