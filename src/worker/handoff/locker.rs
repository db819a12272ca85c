//! A locker: where connections wait that have no worker.
//!
//! It is a pair of datagram sockets. We put messages of [`crate::handoff`] in at one end, each with its
//! connections, as to a sibling; systemd keeps the other end, in the queue of which they stay, whatever
//! becomes of us. So systemd has a handful of descriptors for thousands of connections (its work
//! grows with the square of their number), and what is told of a connection cannot be parted from it.

use std::io;
use std::os::unix::net::UnixDatagram;

use rustix::io::Errno;

use super::parcel::{Parcel, descriptors, message};
use super::socket::{Packet, receive, send};

/// What the names of lockers begin with.
const PREFIX: &str = "rollctl-locker-";

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

/// Locks of one run have names of their own: what one run left is told from what the next one leaves.
pub(super) fn name(number: u32) -> String {
    format!("{PREFIX}{}-{number}", std::process::id())
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
    /// The next message in it, until it is empty.
    pub(super) fn take(&self) -> io::Result<Option<Packet>> {
        match receive(&self.socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            taken => taken,
        }
    }
}
