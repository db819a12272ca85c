//! The roll in the system's journal: `journalctl ROLL_GROUP=worker` reads as its story.
//!
//! Source: systemd.io/JOURNAL_NATIVE_PROTOCOL. packaging/rollctl.catalog explains the ids. The one
//! crate for it that does not bind libsystemd (tracing-journald) speaks through tracing's macros,
//! whose fields must be known when they are compiled.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;

use super::ending::success;
use super::telling::Telling;
use super::{Ending, Report};
use crate::ctl::log::Line;
use crate::roll::{Phase, Reason, Record};

const SOCKET: &str = "/run/systemd/journal/socket";
/// Longer texts would need another way into the journal, and nobody reads them there.
const TEXT_LIMIT: usize = 8000;

/// Tells the journal, and then somebody else.
pub(super) struct Journal {
    socket: Option<UnixDatagram>,
    telling: Telling,
    then: Box<dyn Report>,
}

impl Journal {
    pub(super) fn new(group: &str, then: Box<dyn Report>) -> Self {
        // Without a journal the others are told all the same; one that is busy loses a line,
        // rather than hold the roll up.
        let socket = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.connect(SOCKET)?;
            Ok(socket)
        });
        Self { socket: socket.ok(), telling: Telling::of(group), then }
    }

    fn tell(&mut self, line: &Line) {
        let Some(text) = self.text(line) else { return };
        let Some(socket) = &self.socket else { return };
        let _ = socket.send(&entry(line, &text));
    }

    fn text(&mut self, line: &Line) -> Option<String> {
        match &line.record {
            // One that did not end well is explained.
            Record::RollEnded { outcome } if outcome.reason == Reason::Done => {
                Some(success(&line.group, outcome))
            }
            Record::Explained(word) => {
                Some(format!("{}\nnext: {}", word.text.join("\n"), word.next))
            }
            record => self.telling.line(record),
        }
    }
}

impl Report for Journal {
    fn record(&mut self, line: &Line) {
        self.tell(line);
        self.then.record(line);
    }

    fn end(&mut self, ending: &Ending<'_>) {
        self.then.end(ending);
    }
}

/// Whether what is printed goes to the journal anyway (systemd.exec(5), `$JOURNAL_STREAM`).
pub(super) fn is_stdout() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stdout) = std::fs::metadata("/proc/self/fd/1") else { return false };
    stream == format!("{}:{}", stdout.dev(), stdout.ino())
}

fn entry(line: &Line, text: &str) -> Vec<u8> {
    let record = serde_json::to_value(&line.record).unwrap_or_default();
    let field = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let fields = [
        ("MESSAGE", text.chars().take(TEXT_LIMIT).collect()),
        ("MESSAGE_ID", id(&line.record).unwrap_or_default().to_owned()),
        ("PRIORITY", priority(&line.record).to_owned()),
        ("SYSLOG_IDENTIFIER", "rollctl".to_owned()),
        ("ROLL_ID", line.roll.clone()),
        ("ROLL_GROUP", line.group.clone()),
        ("ROLL_EVENT", field("event")),
        ("ROLL_INSTANCE", field("instance")),
        ("ROLL_PHASE", field("phase")),
    ];
    let mut entry = Vec::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        entry.extend(name.as_bytes());
        entry.push(b'\n');
        entry.extend((value.len() as u64).to_le_bytes());
        // Into memory, which does not fail.
        let _ = writeln!(entry, "{value}");
    }
    entry
}

/// What an administrator may look for, or be told more of.
fn id(record: &Record) -> Option<&'static str> {
    Some(match record {
        Record::RollBegan { .. } => "3d35c2e51db64790b4ddbf48310fc85e",
        Record::RollEnded { .. } => "00e11cd99b3c403184db87442e112fb0",
        Record::Explained(_) => "76d5180e10a549d78cac8eaa8e101dea",
        Record::InstanceFailed { .. } => "165c923a87a647b6b9190cc65760faf5",
        Record::PhaseChanged { phase: Phase::Serving, .. } => "5dd913f1f920409aa60825de41eaae18",
        Record::Paused { .. } => "a4f80a7028bd457d96fb5c7daad63897",
        Record::Resumed { .. } => "d2490dc405754c58b08dbd8e9ad4b718",
        Record::Interrupted { .. } => "f74cb310052f462a9a1218c43ebbaf05",
        Record::Dependents { .. } => "0950a64e0535423fb7241b2b4c4414d1",
        Record::InDoubt { .. } => "b60b673a8e5b4e2d9e0eeced97e9fe00",
        _ => return None,
    })
}

fn priority(record: &Record) -> &'static str {
    match record {
        Record::InstanceFailed { .. } | Record::Explained(_) => "3",
        Record::Dependents { .. } | Record::InDoubt { .. } | Record::Interrupted { .. } => "4",
        Record::RollBegan { .. } | Record::RollEnded { .. } => "5",
        Record::Paused { .. } | Record::Resumed { .. } => "5",
        _ => "6",
    }
}
