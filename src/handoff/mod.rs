//! How live connections move to a sibling: the protocol, and who owns a connection at each moment.
//! It decides and never acts; [`crate::worker`] has the sockets.
//!
//! ```text
//!  giver (it drains)                               taker (a ready sibling)
//!    connect ───────────────────────────────────────► accept: the same user?
//!    the same group? ◄─────────────────────── HELLO ─ group, connections, room
//!    waiting ─► sent ── CONNS 1: descriptors, bytes ► first k taken, once ACK is queued
//!       ▲         │ ◄──────────────────────── ACK 1 k ─┘
//!       │         ├─► first k: given, our duplicate is closed
//!       └─────────┴─  the rest; and all that is not acknowledged when the link ends
//!
//!  newcomer (just ready)                           sibling
//!    connect ───────────────────────────────────────► accept: the same user?
//!    the same group? its share? ◄──────────── HELLO ─ group, connections, room
//!    HELLO, PULL n ─────────────────────────────────► the same group? up to n of those at rest are
//!                                                     given on this link, as above
//! ```
//!
//! At every moment one process owns a connection:
//!
//! - The taker neither reads nor writes before its acknowledgement is queued. If that fails because
//!   the giver is gone, the connections are the taker's all the same.
//! - The giver keeps a duplicate until then. It takes back what a link ended without acknowledging,
//!   having read the link to its end; a time limit never makes it do so.

mod frame;
mod giver;
mod share;
mod taker;

pub use frame::{Conn, Frame, Hello, Malformed, Record};
pub use giver::{Cargo, Fault, Giver, Sending};
pub use share::{may_go, shares};
pub use taker::{OutOfOrder, Taker};

/// The most connections in a message. (The kernel takes up to 253 descriptors; more than 64 were
/// measured to gain little.)
pub const MAX_BATCH: usize = 64;

/// The most bytes of a connection that were read and not answered: as much as a head may have.
pub const MAX_UNREAD: usize = 64 * 1024;

/// The most bytes of a message behind its header.
pub const MAX_PAYLOAD: usize = 128 * 1024;

/// The longest message.
pub const MAX_MESSAGE: usize = frame::HEADER + MAX_PAYLOAD;

/// So many messages may be on their way on a link.
pub const WINDOW: usize = 16;

/// A connection that was passed on so often, at once each time, is passed on no more.
pub const MAX_HOPS: u8 = 16;
