//! Reading a log back, whether its roll goes on, has ended, or was killed in the middle of a line.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::FORMAT;
use super::header::Header;
use super::line::Line;
use crate::roll::Story;

/// What a log tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Which roll this is.
    pub header: Header,
    /// What happened, in order.
    pub lines: Vec<Line>,
}

impl Told {
    /// What the lines tell, taken together.
    pub fn story(&self) -> Story {
        self.lines.iter().map(|line| (line.at(), line.record.clone())).collect()
    }
}

/// A log that is followed while it grows.
#[derive(Debug)]
pub struct Tail {
    file: File,
    /// The beginning of a line whose end is not written yet.
    torn: Vec<u8>,
}

impl Tail {
    /// From its beginning.
    ///
    /// # Errors
    ///
    /// When there is none, or it may not be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, torn: Vec::new() })
    }

    /// What was written since.
    ///
    /// # Errors
    ///
    /// When it cannot be read any more.
    pub fn read_on(&mut self) -> io::Result<Vec<Line>> {
        self.file.read_to_end(&mut self.torn)?;
        let end = self.torn.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let whole: Vec<u8> = self.torn.drain(..end).collect();
        // The header is no line, nor is a word from the future.
        let lines = whole.split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }
}

/// Reads the log at `path`.
///
/// # Errors
///
/// When there is none, or no header in it, or when a newer rollctl wrote it.
pub(in crate::ctl) fn read(path: &Path) -> io::Result<Told> {
    parse(&fs::read(path)?)
}

fn parse(text: &[u8]) -> io::Result<Told> {
    let bad = |why: String| io::Error::new(ErrorKind::InvalidData, why);
    // What is behind the last end of a line was torn off.
    let end = text.iter().rposition(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| io::Error::new(ErrorKind::UnexpectedEof, "it has no header"))?;
    let mut lines = text[..end].split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let header: Header = serde_json::from_slice(first).map_err(|error| bad(error.to_string()))?;
    if header.format > FORMAT {
        return Err(bad(format!("a newer rollctl wrote it (format {})", header.format)));
    }
    // A word that is not known here was added by a newer one, and changes nothing of the others.
    let lines = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    Ok(Told { header, lines })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::log::header::Beginning;
    use crate::ctl::log::{EventLog, Shelf};
    use crate::roll::{Moment, Phase, Record};
    use std::io::Write;
    use std::time::Duration;

    fn written() -> (tempfile::TempDir, EventLog) {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().join("worker"));
        let mut log = EventLog::begin(&shelf, "worker", &Beginning::default()).unwrap();
        let began =
            Record::RollBegan { instances: vec!["worker@1.service".to_owned()], batches: 1 };
        let phase = Record::PhaseChanged {
            instance: "worker@1.service".to_owned(),
            phase: Phase::Stopping,
            after: Duration::from_millis(1500),
        };
        let lines = [began, phase].map(|it| log.line(Moment(Duration::from_secs(2)), it));
        log.append(&lines, true).unwrap();
        (dir, log)
    }

    #[test]
    fn what_was_written_is_read() {
        let (_dir, log) = written();
        let told = read(log.path()).unwrap();
        assert_eq!(&told.header, log.header());
        assert_eq!(told.lines.len(), 2);
        let story = told.story();
        let stopping = &story.instances[0];
        assert_eq!((stopping.phase, stopping.since), (Phase::Stopping, Duration::from_secs(2)));
    }

    #[test]
    fn a_log_that_breaks_off_anywhere_tells_what_is_whole() {
        let (_dir, log) = written();
        let text = fs::read(log.path()).unwrap();
        let whole = parse(&text).unwrap();
        for end in 0..text.len() {
            match parse(&text[..end]) {
                Ok(told) => assert_eq!(told.lines[..], whole.lines[..told.lines.len()]),
                Err(_) => assert!(!text[..end].contains(&b'\n'), "{end}"),
            }
        }
    }

    #[test]
    fn a_word_from_the_future_is_passed_over_and_a_format_is_not() {
        let (_dir, log) = written();
        let text = fs::read_to_string(log.path()).unwrap();
        let unknown = text.replace("phase_changed", "phase_danced");
        assert_eq!(parse(unknown.as_bytes()).unwrap().lines.len(), 1);
        let newer = text.replace("\"format\":1", "\"format\":2");
        assert!(parse(newer.as_bytes()).unwrap_err().to_string().contains("newer rollctl"));
    }

    #[test]
    fn who_follows_it_is_told_each_line_once_and_whole() {
        let (_dir, log) = written();
        let text = fs::read(log.path()).unwrap();
        let path = log.path().with_extension("copy");
        let mut copy = File::create(&path).unwrap();
        let mut tail = Tail::of(&path).unwrap();
        let mut told = Vec::new();
        for piece in text.chunks(7) {
            copy.write_all(piece).unwrap();
            told.extend(tail.read_on().unwrap());
        }
        assert_eq!(told, read(log.path()).unwrap().lines);
    }

    #[test]
    fn rolls_are_numbered_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().join("worker"));
        let begin = || EventLog::begin(&shelf, "worker", &Beginning::default()).unwrap();
        let numbers = [begin(), begin(), begin()].map(|log| log.header().number);
        assert_eq!(numbers, [1, 2, 3]);
    }
}
