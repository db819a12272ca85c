//! systemd's file descriptor store, the last resort but one: the next run of the unit takes over what
//! is in it.
//!
//! ```text
//!  worker                                systemd                       the unit's next run
//!  restarted? room? ──────── D-Bus ────► says so
//!  locker, empty ─────────── FDSTORE ──► keeps it; is it counted? ───► has it from its start
//!  connections ─► locker                                               FDSTOREREMOVE, then emptied
//! ```
//!
//! systemd answers no notification, so a locker is counted before the first connection goes into it:
//! at no moment is one given to somebody who may not have it.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::{sleep, timeout};

use super::locker::{self, Locker};
use super::parcel::Parcel;
use super::prospects::Refusal;
use super::unit::Unit;
use crate::worker::notify;

/// How long systemd has to say what it makes of us; clients wait, and could linger instead.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// systemd hears notifications before calls, but they come on two ways: so it is asked again.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// An open store.
#[derive(Debug)]
pub(crate) struct Store {
    unit: Unit,
    locker: Locker,
    /// How many lockers we have there, and how many there may be.
    lockers: u32,
    room: u32,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error(
        "systemd cannot be asked: {0} (dbus-daemon asks for a user that is not made by \
         DynamicUser=: useradd --system NAME)"
    )]
    Unasked(#[from] zbus::Error),
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("systemd was not given a descriptor: {0}")]
    Unsent(#[from] std::io::Error),
    #[error("systemd did not take a descriptor")]
    NotTaken,
    #[error("systemd did not answer in {ANSWER_LIMIT:?}")]
    Silent,
}

impl Store {
    /// `None`, and said why: it cannot be used.
    pub(crate) async fn open() -> Option<Self> {
        // Without systemd there is nothing to say.
        std::env::var_os("NOTIFY_SOCKET")?;
        match timeout(ANSWER_LIMIT, Self::try_open()).await.unwrap_or(Err(Closed::Silent)) {
            Ok(store) => Some(store),
            Err(why) => {
                tracing::info!("connections that no sibling takes linger: {why}");
                None
            }
        }
    }

    async fn try_open() -> Result<Self, Closed> {
        let unit = Unit::ours().await?;
        let prospects = unit.prospects().await?;
        let room = prospects.room()?;
        let locker = add_locker(&unit, 1).await?;
        Ok(Self { unit, locker, lockers: 1, room })
    }

    /// Leaves connections there, or gives them back: it is full, or systemd is not there.
    pub(super) async fn put(&mut self, batch: Vec<Parcel>) -> Result<(), Vec<Parcel>> {
        let mut put = self.locker.put(&batch);
        if put == Err(Errno::AGAIN) {
            match timeout(ANSWER_LIMIT, self.next_locker()).await.unwrap_or(Err(Closed::Silent)) {
                Ok(()) => put = self.locker.put(&batch),
                Err(why) => tracing::info!("the rest of the connections lingers: {why}"),
            }
        }
        match put {
            Ok(()) => batch.into_iter().for_each(Parcel::parked),
            Err(error) => {
                tracing::info!("{} connections or more linger: {error}", batch.len());
                return Err(batch);
            }
        }
        Ok(())
    }

    async fn next_locker(&mut self) -> Result<(), Closed> {
        if self.lockers >= self.room {
            return Err(Refusal::NoRoom.into());
        }
        self.locker = add_locker(&self.unit, self.lockers + 1).await?;
        self.lockers += 1;
        Ok(())
    }
}

/// An empty locker that systemd surely has.
async fn add_locker(unit: &Unit, number: u32) -> Result<Locker, Closed> {
    let before = unit.stored().await?;
    let (locker, other) = Locker::new()?;
    notify::store(&locker::name(locker::since_boot(), number), other.as_fd())?;
    for _ in 0..LOOKS {
        if unit.stored().await? > before {
            return Ok(locker);
        }
        sleep(BETWEEN_LOOKS).await;
    }
    Err(Closed::NotTaken)
}
