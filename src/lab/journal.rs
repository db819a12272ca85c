//! The least of a journal: takes what the manager of a lab says and keeps it in a file.
//!
//! A user's manager logs to journald or to a terminal, and in a namespace there is neither.
//! Source: systemd.io/JOURNAL_NATIVE_PROTOCOL.

use std::fs::File;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// The largest entry that is read; systemd sends what does not fit a datagram in another way.
const ENTRY_LIMIT: usize = 256 * 1024;

/// A journal at work; dropping it ends it.
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// Listens at `socket` and writes the message of every entry to `log`.
    pub(super) fn keep(socket: &Path, log: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::bind(socket)?;
        let (own, mut log) = (socket.try_clone()?, File::create(log)?);
        std::thread::Builder::new().name("lab-journal".to_owned()).spawn(move || {
            let mut entry = vec![0; ENTRY_LIMIT];
            while let Ok(length @ 1..) = own.recv(&mut entry) {
                // A message that cannot be kept is no reason to lose those that follow.
                let _ = write_messages(&entry[..length], &mut log);
            }
        })?;
        Ok(Self { socket })
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Wakes the thread with an end of file; fails only if it has ended already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

fn write_messages(entry: &[u8], log: &mut File) -> io::Result<()> {
    for line in entry.split(|byte| *byte == b'\n') {
        if let Some(message) = line.strip_prefix(b"MESSAGE=") {
            log.write_all(message)?;
            log.write_all(b"\n")?;
        }
    }
    Ok(())
}
