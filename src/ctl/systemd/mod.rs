//! systemd over D-Bus: the few calls and the two signals that a roll needs.
//!
//! It speaks through the bus and never through systemd's private socket, which zbus cannot use.
//! Source: org.freedesktop.systemd1(5).

mod bus;
mod guard;
mod manager;
mod news;
mod properties;
mod watch;

pub use bus::{CallError, Systemd};
pub(super) use manager::object_path;
pub(super) use manager::{Row, Wanted};
pub use manager::{UnitFile, Wish};
pub(super) use news::{Half, News};
pub use properties::{Properties, Ran};
pub use watch::{Heard, Reach, Watch};

/// So many units are read at once: an answer takes memory until it is taken in.
pub(super) const AT_ONCE: usize = 32;
