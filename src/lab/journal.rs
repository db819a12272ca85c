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
    /// Listens at `socket`, writes the message of every entry to `log`, and all of it to `entries`.
    pub(super) fn keep(socket: &Path, log: &Path, entries: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::bind(socket)?;
        let (own, mut log) = (socket.try_clone()?, File::create(log)?);
        let mut entries = File::create(entries)?;
        std::thread::Builder::new().name("lab-journal".to_owned()).spawn(move || {
            let mut entry = vec![0; ENTRY_LIMIT];
            while let Ok(length @ 1..) = own.recv(&mut entry) {
                // A message that cannot be kept is no reason to lose those that follow.
                let _ = keep(&entry[..length], &mut log, &mut entries);
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

fn keep(entry: &[u8], log: &mut File, entries: &mut File) -> io::Result<()> {
    let fields = fields(entry);
    for (name, value) in &fields {
        writeln!(entries, "{name}={}", value.replace('\n', " "))?;
        if name == "MESSAGE" {
            writeln!(log, "{value}")?;
        }
    }
    writeln!(entries)
}

/// A field is `NAME=value`, or `NAME`, the length of the value in eight bytes, and the value.
fn fields(mut entry: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut fields = Vec::new();
    while let Some(end) = entry.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (&entry[..end], &entry[end + 1..]);
        entry = rest;
        if let Some(at) = line.iter().position(|byte| *byte == b'=') {
            fields.push((text(&line[..at]), text(&line[at + 1..])));
            continue;
        }
        let Some((length, rest)) = rest.split_first_chunk::<8>() else { break };
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((value, rest)) = rest.split_at_checked(length) else { break };
        fields.push((text(line), text(value)));
        entry = rest.get(1..).unwrap_or_default();
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn both_kinds_of_fields_are_read() {
        let entry = b"A=b\nLONG\n\x03\0\0\0\0\0\0\0x\ny\nC=d\n";
        let pairs = [("A", "b"), ("LONG", "x\ny"), ("C", "d")];
        assert_eq!(fields(entry), pairs.map(|(name, value)| (name.into(), value.into())));
    }
}
