//! Moving live connections to a sibling: the sockets of [`crate::handoff`].
//!
//! ```text
//! before ──► fetching.rs: what the unit's last run left with systemd ─┐
//! READY ───► taking.rs: handoff.sock, each link a task (desk.rs) ─────┼─► the doorway, as accepted
//!       └──► siblings.rs: how many has each? ─► asking.rs: our share ─┘
//! asked ───► giving.rs ─► the one who asks, or kept
//! SIGTERM ─► siblings.rs: who is there? ─► giving.rs ─► a sibling, the next one, systemd's store
//!                                                       (store.rs), or kept
//! ```
//!
//! A connection that is to move is a [`Parcel`], made by its own task, which waits for what becomes
//! of it: given away it ends, kept it serves on.

mod asking;
mod desk;
mod doors;
mod fetching;
mod giving;
mod locker;
mod parcel;
mod prospects;
mod siblings;
mod socket;
mod store;
mod taking;
mod unit;

use std::path::PathBuf;

use rustix::net::sockopt::socket_cookie;

use super::inherit::Socket;
use super::{Config, DrainMode, env};
use siblings::{Greeting, Sibling};
use store::Store;

pub(crate) use desk::Adopted;
pub(crate) use fetching::Fetching;
pub(crate) use giving::give;
pub(crate) use locker::{Left, is_locker};
pub(crate) use parcel::{Parcel, offer};
pub(crate) use socket::send;
pub(crate) use taking::Taking;

/// What a worker needs to take connections, and to find siblings that do.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The instance's own socket; those of its siblings are in directories beside its own.
    path: PathBuf,
    /// The same for all that accept from the same sockets, and for nobody else on this machine.
    group: u64,
    /// Whether a newcomer asks for its share, and is given it; and who has fewer accepts first.
    balances: bool,
}

impl Place {
    /// `None`: connections are not moved.
    pub(crate) fn of(config: &Config, sockets: &[Socket]) -> Option<Self> {
        if !config.handoff || config.drain_mode == DrainMode::Refuse || sockets.is_empty() {
            return None;
        }
        let path = env::runtime_directory()?.join("handoff.sock");
        Some(Self { path, group: group(sockets)?, balances: config.balance })
    }

    pub(crate) fn group(&self) -> u64 {
        self.group
    }

    pub(crate) fn balances(&self) -> bool {
        self.balances
    }

    /// Our slot of the board ([`super::board`]).
    pub(crate) fn board(&self) -> PathBuf {
        self.path.with_file_name("board")
    }

    /// Those of our siblings.
    pub(crate) fn boards_beside(&self) -> Vec<PathBuf> {
        siblings::beside(&self.board())
    }
}

/// Who takes connections that are to move: siblings, and after them systemd.
#[derive(Debug)]
pub(crate) struct Takers {
    siblings: Vec<Sibling>,
    /// Those who may still say that they take some.
    late: Greeting,
    /// Opened when there are no siblings.
    store: Option<Store>,
}

impl Takers {
    /// `None`: nobody; connections are served to their end.
    pub(crate) async fn find(place: &Place) -> Option<Self> {
        let mut late = Greeting::all(place);
        let mut siblings = late.prompt().await;
        siblings.retain(Sibling::has_room);
        if !siblings.is_empty() {
            return Some(Self { siblings, late, store: None });
        }
        let store = Store::open().await;
        (store.is_some() || !late.is_empty()).then_some(Self { siblings, late, store })
    }
}

/// In whatever order the sockets are passed.
fn group(sockets: &[Socket]) -> Option<u64> {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    sockets.iter().try_fold(0_u64, |sum, socket| {
        let cookie = socket_cookie(&socket.fd).ok()?;
        Some(sum.wrapping_add(cookie.wrapping_mul(SPREAD)))
    })
}
