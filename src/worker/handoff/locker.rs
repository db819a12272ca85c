//! A locker: where connections wait that have no worker.
//!
//! It is a pair of datagram sockets. We put messages of [`crate::handoff`] in at one end, each with its
//! connections, as to a sibling; systemd keeps the other end, in the queue of which they stay, whatever
//! becomes of us. So systemd has a handful of descriptors for thousands of connections (its work
//! grows with the square of their number), and what is told of a connection cannot be parted from it.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::parcel::{Parcel, descriptors, message};
use super::socket::{Packet, receive, send};

/// What the names of lockers begin with.
const PREFIX: &str = "rollctl-locker-";

/// Most clients and balancers wait for an answer for a minute.
const PATIENCE: Duration = Duration::from_secs(60);

/// The end where things are put in.
#[derive(Debug)]
pub(super) struct Locker(UnixDatagram);

/// A locker that the unit's last run left with systemd.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) name: String,
    pub(crate) socket: UnixDatagram,
}

/// Whether a descriptor of this name is one.
pub(crate) fn is_locker(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The name says when it was left.
pub(super) fn name(since_boot: Duration, number: u32) -> String {
    format!("{PREFIX}{}-{number}", since_boot.as_secs())
}

/// Whether what is in it has waited for so long that its clients had better come again: runs that end
/// before they serve, one after the other, must not keep them for ever.
fn is_stale(name: &str, since_boot: Duration) -> bool {
    let left = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok());
    left.is_some_and(|left| since_boot.saturating_sub(Duration::from_secs(left)) > PATIENCE)
}

/// The time that goes on, whatever is done to the clock.
pub(super) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::from_secs(now.tv_sec.unsigned_abs())
}

impl Locker {
    /// An empty one, and its end for systemd.
    pub(super) fn new() -> io::Result<(Self, UnixDatagram)> {
        let (ours, other) = UnixDatagram::pair()?;
        Ok((Self(ours), other))
    }

    /// They are in it when this succeeds, and not at all when it fails.
    pub(super) fn put(&self, batch: &[Parcel]) -> Result<(), Errno> {
        send(&self.0, &message(1, batch), &descriptors(batch))
    }
}

impl Left {
    pub(super) fn is_stale(&self) -> bool {
        is_stale(&self.name, since_boot())
    }

    /// The next message in it, until it is empty.
    pub(super) fn take(&self) -> io::Result<Option<Packet>> {
        match receive(&self.socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            taken => taken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locker_says_when_it_was_left() {
        let name = name(Duration::from_secs(1000), 2);
        assert!(is_locker(&name));
        assert!(!is_stale(&name, Duration::from_secs(1060)));
        assert!(is_stale(&name, Duration::from_secs(1061)));
        assert!(!is_stale(&name, Duration::from_secs(999)), "from the future");
    }

    #[test]
    fn names_of_others_are_no_lockers() {
        for name in ["worker.socket", "unnamed", "locker-1-1"] {
            assert!(!is_locker(name) && !is_stale(name, Duration::MAX));
        }
    }
}
