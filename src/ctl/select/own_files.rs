//! Which instances may have been read from other files than the rest of their template's.
//!
//! systemd says of a unit whether it has read what is on disk. If it has, and nothing there bears the
//! unit's own name, it was read from what its template was read from, and need not be asked for it.
//! Source: systemd.unit(5), "Unit File Load Path" and drop-ins.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::reading::Named;
use crate::ctl::systemd::Systemd;
use crate::ctl::unit_name::UnitName;

/// The ends of the directories that belong to a unit.
const DIRECTORIES: [&str; 4] = [".d", ".wants", ".requires", ".upholds"];

/// Those that may have files of their own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OwnFiles {
    /// No more than these.
    Of(HashSet<String>),
    /// What is on disk cannot be seen, or has more names than its own.
    Unknown,
}

impl OwnFiles {
    /// Looks at what is on disk as systemd sees it.
    pub(super) async fn look(systemd: &Systemd, units: &[Named]) -> Self {
        let Some(root) = systemd.root().await else { return Self::Unknown };
        let Ok(path) = systemd.search_path().await else { return Self::Unknown };
        let names = units.iter().map(|(unit, _)| UnitName::new(unit));
        let templates = names.filter(UnitName::is_instance).map(|it| it.prefix().to_owned());
        let templates: BTreeSet<String> = templates.collect();
        let dirs = path.iter().map(|dir| root.join(dir.strip_prefix("/").unwrap_or(dir)));
        Self::in_all(dirs, &templates).unwrap_or(Self::Unknown)
    }

    /// Whether this instance may have been read from files of its own.
    pub(super) fn may_be_of(&self, unit: &str) -> bool {
        match self {
            Self::Of(units) => !UnitName::new(unit).is_instance() || units.contains(unit),
            Self::Unknown => true,
        }
    }

    fn in_all(
        dirs: impl Iterator<Item = impl AsRef<Path>>,
        templates: &BTreeSet<String>,
    ) -> io::Result<Self> {
        let mut units = HashSet::new();
        for dir in dirs {
            let entries = match fs::read_dir(dir) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                match About::of(&entry?, templates)? {
                    About::Nobody => {}
                    About::One(unit) => _ = units.insert(unit),
                    About::Anybody => return Ok(Self::Unknown),
                }
            }
        }
        Ok(Self::Of(units))
    }
}

/// Whose file a file is.
enum About {
    /// That of all instances of a template, or of other units.
    Nobody,
    One(String),
    Anybody,
}

impl About {
    fn of(entry: &DirEntry, templates: &BTreeSet<String>) -> io::Result<Self> {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Ok(Self::Nobody) };
        let is_of = |name: &str, template: &String| {
            name.strip_prefix(template).is_some_and(|rest| rest.starts_with('@'))
        };
        if entry.file_type()?.is_symlink() {
            let target = fs::read_link(entry.path())?;
            let target = target.file_name().and_then(OsStr::to_str).unwrap_or_default();
            // Another name for an instance, or for its template, has drop-ins of its own.
            if target != name && templates.iter().any(|template| is_of(target, template)) {
                return Ok(Self::Anybody);
            }
        }
        let Some((prefix, _)) = name.split_once('@') else { return Ok(Self::Nobody) };
        // `a-@1.service.d` would be about `a-b@1.service`, too.
        if prefix.ends_with('-') && templates.iter().any(|it| it.starts_with(prefix)) {
            return Ok(Self::Anybody);
        }
        let unit = DIRECTORIES.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let is_one = templates.contains(prefix) && UnitName::new(unit).is_instance();
        Ok(if is_one { Self::One(unit.to_owned()) } else { Self::Nobody })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    fn own_in(make: impl FnOnce(&Path) -> io::Result<()>) -> OwnFiles {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path()).unwrap();
        let dirs = [PathBuf::from("/nowhere"), dir.path().to_owned()];
        OwnFiles::in_all(dirs.iter(), &BTreeSet::from(["a-b".to_owned()])).unwrap()
    }

    fn of(units: &[&str]) -> OwnFiles {
        OwnFiles::Of(units.iter().map(|unit| (*unit).to_owned()).collect())
    }

    fn with(name: &str) -> OwnFiles {
        own_in(|dir| fs::write(dir.join(name), ""))
    }

    #[test]
    fn what_all_instances_share_is_nobodys_own() {
        for name in ["a-b@.service", "a-b@.service.d", "a-b@.service.wants", "a-.service.d"] {
            assert_eq!(with(name), of(&[]), "{name}");
        }
        assert_eq!(with("other@1.service.d"), of(&[]));
        assert_eq!(with("a-b.service.d"), of(&[]));
    }

    #[test]
    fn a_file_or_drop_in_with_an_instances_name_is_its_own() {
        let own = with("a-b@1.service.d");
        assert_eq!(own, of(&["a-b@1.service"]));
        assert!(own.may_be_of("a-b@1.service") && !own.may_be_of("a-b@2.service"));
        assert!(own.may_be_of("plain.service"), "it shares nothing");
        assert_eq!(with("a-b@x.y.service"), of(&["a-b@x.y.service"]));
        assert_eq!(with("a-b@.service.service"), of(&["a-b@.service.service"]));
    }

    #[test]
    fn in_doubt_each_is_asked() {
        assert_eq!(with("a-@1.service.d"), OwnFiles::Unknown);
        let alias = own_in(|dir| symlink("/lib/a-b@1.service", dir.join("first.service")));
        assert_eq!(alias, OwnFiles::Unknown);
        let template = own_in(|dir| symlink("a-b@.service", dir.join("c@.service")));
        assert_eq!(template, OwnFiles::Unknown);
        let linked = own_in(|dir| symlink("/opt/a-b@.service", dir.join("a-b@.service")));
        assert_eq!(linked, of(&[]));
    }
}
