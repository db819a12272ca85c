//! Which file speaks for whom, and in which order.
//!
//! ```text
//! about the whole:    worker@.service  worker.service    worker@.service.d/  worker.service.d/
//! about an instance:  worker.service   worker@.service   worker.service.d/   worker@*.service.d/
//!                     └──── unit files, later wins ───┘  └────── drop-ins, later wins ─────┘
//! ```
//!
//! A drop-in of an administrator's thus always beats a unit file of a package. A file that not
//! every instance of the group has (`worker@3.service.d/`) cannot speak for the whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use super::settings::{About, Origin, Settings};
use super::unit_file::{Assignment, Stray, section};

const SECTION: &str = "X-Roll";

/// The files that systemd read a unit from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitFiles {
    /// The unit file itself.
    pub fragment: Vec<PathBuf>,
    /// Its drop-ins, in the order in which they count.
    pub drop_ins: Vec<PathBuf>,
}

/// What is to be done with the group as a whole, and with each of its instances.
#[derive(Debug, Default)]
pub struct Policies {
    /// What concerns the whole.
    pub whole: Settings,
    /// What concerns each instance, by unit name.
    pub instances: BTreeMap<String, Arc<Settings>>,
    /// What is not as it should be, and does no harm; a sentence each, with file and line.
    pub warnings: Vec<String>,
}

impl Policies {
    /// Reads every file that speaks for the group or an instance, and puts the command line on top.
    /// `root` is where a file may be found that is not where systemd says.
    ///
    /// # Errors
    ///
    /// What is wrong, with file and line: a value that cannot be read, or a file.
    pub fn of<'a>(
        root: Option<&Path>,
        group: &UnitFiles,
        instances: impl Iterator<Item = (&'a str, &'a UnitFiles)> + Clone,
        command_line: &Settings,
    ) -> Result<Self, String> {
        let mut reader = Reader { root, ..Reader::default() };
        let common = common_files(instances.clone().map(|(_, files)| files));
        let of_the_whole = [&common.fragment, &group.fragment, &common.drop_ins, &group.drop_ins];
        let whole = reader.settings(About::Whole, of_the_whole)?.under(command_line);
        let mut known = BTreeMap::<&UnitFiles, Arc<Settings>>::new();
        let mut of_instances = BTreeMap::new();
        for (unit, files) in instances {
            let settings = match known.get(files) {
                Some(settings) => settings.clone(),
                None => {
                    let own = [&group.fragment, &files.fragment, &group.drop_ins, &files.drop_ins];
                    reader.speak_of_the_whole_in_vain(files, &common)?;
                    Arc::new(reader.settings(About::Instance, own)?.under(command_line))
                }
            };
            known.insert(files, settings.clone());
            of_instances.insert(unit.to_owned(), settings);
        }
        Ok(Self { whole, instances: of_instances, warnings: reader.warnings })
    }

    /// What concerns this instance.
    pub fn of_instance(&self, unit: &str) -> Arc<Settings> {
        self.instances.get(unit).cloned().unwrap_or_default()
    }
}

/// The files that all of them have.
fn common_files<'a>(mut all: impl Iterator<Item = &'a UnitFiles>) -> UnitFiles {
    let mut common = all.next().cloned().unwrap_or_default();
    for files in all {
        common.fragment.retain(|file| files.fragment.contains(file));
        common.drop_ins.retain(|file| files.drop_ins.contains(file));
    }
    common
}

/// Reads each file once.
#[derive(Default)]
struct Reader<'a> {
    root: Option<&'a Path>,
    files: BTreeMap<PathBuf, Arc<Vec<Assignment>>>,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn settings(&mut self, about: About, files: [&Vec<PathBuf>; 4]) -> Result<Settings, String> {
        let mut settings = Settings::default();
        for path in files.into_iter().flatten() {
            let shared: Arc<Path> = path.as_path().into();
            for Assignment { key, value, line } in self.read(path)?.iter() {
                let Some(key) = Settings::key(key).filter(|key| key.about == about) else {
                    continue;
                };
                let from = Origin::File(shared.clone(), *line);
                settings
                    .set(key, value, from)
                    .map_err(|why| format!("{}:{line}: {}= {why}", path.display(), key.name))?;
            }
        }
        Ok(settings)
    }

    fn read(&mut self, path: &Path) -> Result<Arc<Vec<Assignment>>, String> {
        if let Some(known) = self.files.get(path) {
            return Ok(known.clone());
        }
        let bytes = self.bytes(path).map_err(|why| format!("{}: {why}", path.display()))?;
        let mut assignments = Vec::new();
        for found in section(&bytes, SECTION) {
            match found {
                Ok(it) if Settings::key(&it.key).is_some() => assignments.push(it),
                Ok(Assignment { key, line, .. }) => {
                    self.warn(path, line, &format!("{key}= is no setting of a roll, and ignored"));
                }
                Err(Stray { line, what }) => {
                    self.warn(path, line, &format!("the line {what}, and is ignored"));
                }
            }
        }
        let assignments = Arc::new(assignments);
        self.files.insert(path.to_owned(), assignments.clone());
        Ok(assignments)
    }

    fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path).or_else(|here| match (here.kind(), self.root) {
            (io::ErrorKind::NotFound, Some(root)) => {
                let path = path.strip_prefix("/").unwrap_or(path);
                fs::read(root.join(path)).map_err(|_| here)
            }
            _ => Err(here),
        })
    }

    fn speak_of_the_whole_in_vain(
        &mut self,
        files: &UnitFiles,
        common: &UnitFiles,
    ) -> Result<(), String> {
        let is_own =
            |file: &&PathBuf| !common.fragment.contains(file) && !common.drop_ins.contains(file);
        let own = files.fragment.iter().chain(&files.drop_ins).filter(is_own);
        for path in own {
            for Assignment { key, line, .. } in self.read(path)?.iter() {
                if Settings::key(key).is_some_and(|key| key.about == About::Whole) {
                    let why = "concerns the whole roll, and not every instance has this file";
                    self.warn(path, *line, &format!("{key}= {why}: ignored"));
                }
            }
        }
        Ok(())
    }

    fn warn(&mut self, path: &Path, line: usize, what: &str) {
        let warning = format!("{}:{line}: {what}", path.display());
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The unit and its drop-in, in a directory of the test's own.
    fn files(dir: &Path, name: &str, unit: &str, drop_in: &str) -> UnitFiles {
        let write = |file: String, text: &str| {
            let path = dir.join(file);
            fs::write(&path, format!("[X-Roll]\n{text}\n")).unwrap();
            vec![path]
        };
        UnitFiles {
            fragment: write(name.to_owned(), unit),
            drop_ins: write(format!("{name}.conf"), drop_in),
        }
    }

    fn told(settings: &Settings, name: &str) -> String {
        settings.told(Settings::key(name).unwrap()).map_or_else(String::new, |(value, _)| value)
    }

    #[test]
    fn drop_ins_beat_unit_files_and_the_nearer_unit_has_the_last_word() {
        let dir = tempfile::tempdir().unwrap();
        let group = files(dir.path(), "w", "PauseSec=1\nObserveSec=1", "TimeoutSec=1");
        let own = files(dir.path(), "w@", "PauseSec=2\nObserveSec=2\nTimeoutSec=2", "");
        let all = [("w@1", &own), ("w@2", &own)].into_iter();
        let policies = Policies::of(None, &group, all, &Settings::default()).unwrap();
        let instance = policies.of_instance("w@2");
        let values = [
            told(&policies.whole, "PauseSec"),
            told(&instance, "ObserveSec"),
            told(&instance, "TimeoutSec"),
        ];
        assert_eq!(values, ["1s", "2s", "1s"]);
        assert!(policies.warnings.is_empty(), "{:?}", policies.warnings);
    }

    #[test]
    fn what_only_one_instance_says_of_the_whole_is_told_and_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let common = files(dir.path(), "w@", "", "");
        let mut own = common.clone();
        own.drop_ins.extend(files(dir.path(), "w@2", "", "PauseSec=9\nObserveSec=9").drop_ins);
        let all = [("w@1", &common), ("w@2", &own)].into_iter();
        let none = UnitFiles::default();
        let policies = Policies::of(None, &none, all, &Settings::default()).unwrap();
        assert_eq!(told(&policies.whole, "PauseSec"), "");
        assert_eq!(told(&policies.of_instance("w@2"), "ObserveSec"), "9s");
        assert_eq!(told(&policies.of_instance("w@1"), "ObserveSec"), "");
        assert!(policies.warnings[0].contains("w@2.conf:2: PauseSec= concerns the whole roll"));
    }

    #[test]
    fn a_file_that_is_gone_here_is_looked_for_where_systemd_sees_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("etc/w@.service"), "[X-Roll]\nObserveSec=3").unwrap();
        let there = UnitFiles { fragment: vec!["/etc/w@.service".into()], ..UnitFiles::default() };
        let all = || [("w@1", &there)].into_iter();
        let of = |root| Policies::of(root, &UnitFiles::default(), all(), &Settings::default());
        assert_eq!(told(&of(Some(dir.path())).unwrap().of_instance("w@1"), "ObserveSec"), "3s");
        assert!(of(None).unwrap_err().starts_with("/etc/w@.service: No such file"));
    }
}
