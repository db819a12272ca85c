//! Where the logs of a group lie: one file a roll, numbered in order.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::ctl::deployers::{readers, share};
use crate::ctl::scope::Scope;

/// So many rolls of a group are remembered.
const KEPT: usize = 50;
const SUFFIX: &str = "jsonl";

/// The logs of one group.
#[derive(Clone, Debug)]
pub struct Shelf {
    dir: PathBuf,
    /// The system group that may read them, if one may.
    readers: Option<u32>,
}

impl Shelf {
    /// The place for the logs of a group; nothing is made yet.
    pub fn of(scope: Scope, group: &str) -> Self {
        Self { dir: scope.state_dir().join(file_name(group)), readers: readers(scope, group) }
    }

    /// The logs in this directory.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), readers: None }
    }

    /// The groups that were ever rolled here.
    ///
    /// # Errors
    ///
    /// When the state directory cannot be read.
    pub fn all(scope: Scope) -> io::Result<Vec<Self>> {
        let entries = match fs::read_dir(scope.state_dir()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let dirs = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|it| it.is_dir());
        let mut shelves: Vec<Self> = dirs.map(Self::at).collect();
        shelves.sort_by(|a, b| a.dir.cmp(&b.dir));
        Ok(shelves)
    }

    /// Where they lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the unit is one of those that are rolled under this name.
    pub fn is_about(&self, unit: &str) -> bool {
        let name = self.dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.split('+').any(|part| part == unit)
    }

    /// When something was last added.
    pub fn touched(&self) -> Option<SystemTime> {
        fs::metadata(&self.dir).ok()?.modified().ok()
    }

    /// The log of a roll.
    pub fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:06}.{SUFFIX}"))
    }

    /// The numbers of the rolls whose logs are here, in order.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read; that there is none yet is no error.
    pub fn numbers(&self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut numbers: Vec<u64> =
            entries.filter_map(|entry| number_of(&entry.ok()?.path())).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Makes the directory. What services say may be secret: it is its owner's alone, or also of
    /// those who may roll the group.
    pub(in crate::ctl) fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        if let (Some(_), Some(all)) = (self.readers, self.dir.parent()) {
            let mode = fs::metadata(all)?.permissions().mode();
            fs::set_permissions(all, Permissions::from_mode(mode | 0o011))?;
        }
        share(&self.dir, self.readers, 0o700, 0o750)
    }

    /// Lets those read a log who may.
    pub(super) fn share(&self, log: &Path) -> io::Result<()> {
        share(log, self.readers, 0o600, 0o640)
    }

    /// Forgets the oldest rolls.
    pub(super) fn prune(&self) -> io::Result<()> {
        let numbers = self.numbers()?;
        let too_many = numbers.len().saturating_sub(KEPT);
        numbers[..too_many].iter().try_for_each(|number| fs::remove_file(self.path(*number)))
    }
}

fn number_of(path: &Path) -> Option<u64> {
    let is_log = path.extension().is_some_and(|suffix| suffix == SUFFIX);
    path.file_stem()?.to_str()?.parse().ok().filter(|_| is_log)
}

/// The name of a group as one of a file. Plain units may have a name that is long with its
/// neighbours; a file's name may not, and a socket's still less.
pub(in crate::ctl) fn file_name(group: &str) -> String {
    const MOST: usize = 60;
    let name = group.replace(['/', ' '], "+");
    match name.len() {
        ..=MOST => name,
        _ => format!("{}+{:016x}", &name[..MOST - 17], fnv(group)),
    }
}

/// FNV-1a: the same in every build, and good enough to tell a machine's groups from each other.
fn fnv(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_apart_and_short() {
        let units = |last: &str| format!("{} {last}", "a-rather-long-name.service ".repeat(5));
        let (one, other) = (file_name(&units("one")), file_name(&units("other")));
        assert!(one != other && one.len() <= 60, "{one} {other}");
        assert_eq!(file_name("worker"), "worker");
        assert_eq!(file_name("a.service b.service"), "a.service+b.service");
    }

    #[test]
    fn the_newest_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path());
        (1..=60).for_each(|number| fs::write(shelf.path(number), "").unwrap());
        fs::write(dir.path().join("frozen"), "").unwrap();
        shelf.prune().unwrap();
        assert_eq!(shelf.numbers().unwrap(), (11..=60).collect::<Vec<u64>>());
    }
}
