//! Writing the log: appended, and on disk before the step that it tells of.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::header::{Beginning, Header};
use super::line::Line;
use super::read::read;
use super::shelf::Shelf;
use crate::roll::{Moment, Record, Story};

/// The log of a roll under way.
#[derive(Debug)]
pub struct EventLog {
    file: File,
    path: PathBuf,
    header: Header,
    /// Once a line was lost nothing more is written: a log has no holes.
    is_broken: bool,
}

impl EventLog {
    /// Begins the log of the group's next roll; the group's lock is held by the caller.
    ///
    /// # Errors
    ///
    /// When there is no place for it, so that no roll may begin.
    pub fn begin(shelf: &Shelf, group: &str, beginning: &Beginning) -> io::Result<Self> {
        shelf.make()?;
        shelf.prune()?;
        let number = shelf.numbers()?.last().map_or(1, |last| last + 1);
        let path = shelf.path(number);
        let mut options = OpenOptions::new();
        let file = options.append(true).create_new(true).mode(0o600).open(&path)?;
        let header = Header::new(number, group, beginning);
        let mut log = Self { file, path, header, is_broken: false };
        log.write_header(shelf).inspect_err(|_| {
            // No roll begins, so there is none to tell of.
            let _ = fs::remove_file(&log.path);
        })?;
        Ok(log)
    }

    fn write_header(&mut self, shelf: &Shelf) -> io::Result<()> {
        shelf.share(&self.path)?;
        self.file.write_all(&json(&self.header)?)?;
        self.file.sync_all()?;
        // Or the file's name could be lost with the power.
        File::open(shelf.dir())?.sync_all()
    }

    /// A log on any file.
    #[cfg(test)]
    pub(in crate::ctl) fn on(file: File) -> Self {
        let header = Header::new(1, "worker", &Beginning::default());
        Self { file, path: PathBuf::from("full"), header, is_broken: false }
    }

    /// Who this roll is.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was told so far; of a log that cannot be read, nothing.
    pub fn story(&self) -> Story {
        read(&self.path).map(|told| told.story()).unwrap_or_default()
    }

    /// The record as a line of this log.
    pub fn line(&self, now: Moment, record: Record) -> Line {
        Line::new(&self.header.roll, &self.header.group, now, record)
    }

    /// Appends the lines in one write; with `is_due` they are on disk when this returns.
    ///
    /// # Errors
    ///
    /// When they could not be written: then none of what they tell may be done.
    pub fn append(&mut self, lines: &[Line], is_due: bool) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("it has failed before"));
        }
        let result = self.write(lines, is_due);
        self.is_broken = result.is_err();
        result
    }

    fn write(&mut self, lines: &[Line], is_due: bool) -> io::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            text.extend(json(line)?);
        }
        self.file.write_all(&text)?;
        if is_due { self.file.sync_data() } else { Ok(()) }
    }
}

fn json(line: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}
