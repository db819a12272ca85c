//! A board on which the instances of a group write how many connections they have, so that those with
//! fewer accept first. The kernel wakes all of them and lets whoever is quickest have it, which is
//! the same one again and again: of 128 connections four had 0, 1, 8 and 119.
//!
//! ```text
//! the listener is readable ─► have we more than somebody else? ─► no: accept
//!                                 ▲      │ yes, and at most 5 times
//!                                 └ 1 ms ┘
//! ```
//!
//! Each instance has a file beside its other sockets, and holds a lock on it: what lies there without
//! one is of an instance that was killed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use tokio::time::{Instant, sleep};

use super::handoff::Place;

/// How long to wait for somebody with fewer connections, and how often.
const MOMENT: Duration = Duration::from_millis(1);
const MOMENTS: usize = 5;

/// When nobody came for all that time, nobody is waited for any more for so long.
const SUSPENSION: Duration = Duration::from_millis(100);

/// After so many accepts it is reckoned again whether connections stay.
const WINDOW: u64 = 8;

/// How long what is known of who is there holds.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// So many siblings are looked at.
const MOST: usize = 64;

/// What stands in a file: the group, the connections, and how many were accepted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    group: u64,
    connections: u32,
    accepted: u32,
}

/// Our own file; dropped, it is gone, and nobody waits for us.
#[derive(Debug)]
pub(crate) struct OwnSlot {
    file: File,
    path: PathBuf,
    group: u64,
}

/// The files of the others, and what waiting for them has brought.
#[derive(Debug)]
pub(crate) struct Board {
    place: Place,
    others: Vec<File>,
    known_at: Option<Instant>,
    suspended_until: Option<Instant>,
    churn: Churn,
}

/// Whether clients stay. Where each request has a connection of its own, how many there are just now
/// says nothing, and a millisecond is more than such a connection lasts.
#[derive(Clone, Copy, Debug, Default)]
struct Churn {
    connections: u64,
    accepted: u64,
    is_high: bool,
}

impl Churn {
    /// It is high when less than half of the last ones that came are still here.
    fn note(&mut self, connections: u64, accepted: u64) -> bool {
        let came = accepted.saturating_sub(self.accepted);
        if came >= WINDOW {
            let stayed = connections.saturating_sub(self.connections);
            *self = Self { connections, accepted, is_high: 2 * stayed < came };
        }
        self.is_high
    }
}

impl Slot {
    fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.group.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.connections.to_le_bytes());
        bytes[12..].copy_from_slice(&self.accepted.to_le_bytes());
        bytes
    }

    fn of(bytes: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
        Self {
            group: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            connections: u32::from_le_bytes([i, j, k, l]),
            accepted: u32::from_le_bytes([m, n, o, p]),
        }
    }
}

impl OwnSlot {
    /// Without it the others accept as if we were not there, so what is wrong is only told.
    pub(crate) fn open(place: &Place) -> Option<Self> {
        let path = place.board();
        let created = create(&path).inspect_err(|error| {
            tracing::warn!("{}: siblings do not see our connections: {error}", path.display());
        });
        let own = Self { file: created.ok()?, path, group: place.group() };
        own.note(0, 0);
        Some(own)
    }

    /// Best effort: a wrong number costs a few milliseconds.
    pub(crate) fn note(&self, connections: usize, accepted: u64) {
        let connections = u32::try_from(connections).unwrap_or(u32::MAX);
        let slot = Slot { group: self.group, connections, accepted: accepted as u32 };
        let _ = self.file.write_all_at(&slot.to_bytes(), 0);
    }
}

/// It comes to its place locked: in between it would look like one of the dead.
fn create(path: &Path) -> io::Result<File> {
    let new = path.with_extension("new");
    let _ = std::fs::remove_file(&new);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&new)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    std::fs::rename(&new, path)?;
    Ok(file)
}

impl Drop for OwnSlot {
    fn drop(&mut self) {
        let _ = self.file.write_all_at(&Slot::default().to_bytes(), 0);
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Board {
    pub(crate) fn new(place: &Place) -> Self {
        let place = place.clone();
        let (others, churn) = (Vec::new(), Churn::default());
        Self { place, others, known_at: None, suspended_until: None, churn }
    }

    /// Waits a little while somebody else should accept what has come, rather than we with so many;
    /// whether that was in vain, should somebody still be there.
    pub(crate) async fn let_others_go_first(&mut self, own: usize, accepted: u64) -> bool {
        let is_suspended = self.suspended_until.is_some_and(|until| Instant::now() < until);
        if self.churn.note(own as u64, accepted) || is_suspended {
            return false;
        }
        let before = self.slots();
        for _ in 0..MOMENTS {
            let now = self.slots();
            if !is_above(own, &now) || has_anybody_accepted(&before, &now) {
                return false;
            }
            sleep(MOMENT).await;
        }
        !has_anybody_accepted(&before, &self.slots())
    }

    /// They are stopped, or full, or dead: a client has waited for nothing.
    pub(crate) fn give_up_for_a_while(&mut self) {
        self.suspended_until = Some(Instant::now() + SUSPENSION);
        self.known_at = None;
    }

    fn slots(&mut self) -> Vec<Slot> {
        if self.known_at.is_none_or(|at| at.elapsed() > KNOWN_FOR) {
            self.others =
                self.place.boards_beside().into_iter().take(MOST).filter_map(open).collect();
            self.known_at = Some(Instant::now());
        }
        let group = self.place.group();
        self.others.iter().filter_map(read).filter(|slot| slot.group == group).collect()
    }
}

/// A slot whose owner is alive: nobody else can lock it.
fn open(path: PathBuf) -> Option<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let is_ours = file.metadata().ok()?.uid() == rustix::process::geteuid().as_raw();
    let is_alive = flock(&file, FlockOperation::NonBlockingLockShared).is_err();
    (is_ours && is_alive).then_some(file)
}

fn read(file: &File) -> Option<Slot> {
    let mut bytes = [0; 16];
    file.read_exact_at(&mut bytes, 0).ok()?;
    Some(Slot::of(bytes))
}

/// A difference of a sixteenth is none: it is not worth a millisecond.
fn is_above(own: usize, others: &[Slot]) -> bool {
    let least = others.iter().map(|slot| slot.connections as usize).min();
    least.is_some_and(|least| own > least + least / 16)
}

/// Then it was this client, or there are more than one can take. Also when somebody has come or gone in
/// between.
fn has_anybody_accepted(before: &[Slot], after: &[Slot]) -> bool {
    let accepted = |slots: &[Slot]| slots.iter().map(|slot| slot.accepted).collect::<Vec<_>>();
    accepted(before) != accepted(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_read_as_it_was_written() {
        let slot = Slot { group: u64::MAX - 7, connections: 3, accepted: 1 << 20 };
        assert_eq!(Slot::of(slot.to_bytes()), slot);
    }

    #[test]
    fn connections_that_do_not_stay_are_not_compared() {
        let mut churn = Churn::default();
        assert!((1..=40).all(|came| !churn.note(came, came)), "all of them stay");
        assert!((41..48).all(|came| !churn.note(40, came)), "too few to tell");
        assert!(churn.note(40, 48));
        assert!(churn.note(45, 55));
        assert!(!churn.note(46, 56), "those of late stay again");
    }

    #[test]
    fn a_sixteenth_more_is_not_more() {
        let slot = |connections| Slot { group: 1, connections, accepted: 0 };
        assert!(is_above(1, &[slot(0)]));
        assert!(!is_above(34, &[slot(32), slot(50)]));
        assert!(is_above(35, &[slot(32), slot(50)]));
        assert!(!is_above(35, &[]));
    }
}
