//! The directory of a lab: where it lies, what is in it from the beginning, who may enter.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::LabError;

/// The directories of a lab and the variables that lead programs to them.
pub(super) const DIRECTORIES: &[(&str, &str)] = &[
    ("XDG_RUNTIME_DIR", "run"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_STATE_HOME", "state"),
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_DATA_HOME", "data"),
];

/// The units that every lab begins with.
const UNITS: &[(&str, &str)] = &[
    ("lab.target", include_str!("units/lab.target")),
    ("basic.target", include_str!("units/basic.target")),
    ("dbus.socket", include_str!("units/dbus.socket")),
    ("dbus.service", include_str!("units/dbus.service")),
    ("service.d/10-lab-log.conf", include_str!("units/log.conf")),
];

/// Makes the directory, with the first units in it.
pub(super) fn make() -> Result<TempDir, LabError> {
    let base = base_directory();
    let dir = tempfile::Builder::new().prefix("rollctl-lab-").rand_bytes(8).tempdir_in(&base);
    let dir = dir.map_err(LabError::io("make a directory in", &base))?;
    let log = dir.path().join("log");
    // Root's units may run as other users, who must get through to their sockets.
    let mode = if rustix::process::geteuid().is_root() { 0o755 } else { 0o700 };
    set_mode(dir.path(), mode)?;
    for path in DIRECTORIES.iter().map(|(_, name)| dir.path().join(name)).chain([log.clone()]) {
        fs::create_dir(&path).map_err(LabError::io("make", &path))?;
        set_mode(&path, mode)?;
    }
    let bus = dir.path().join("bus.conf");
    write(&bus, include_str!("units/bus.conf"))?;
    for (unit, text) in UNITS {
        let text = text.replace("@LOG@", &log.to_string_lossy());
        let text = text.replace("@BUS@", &bus.to_string_lossy());
        write(&dir.path().join("config/systemd/user").join(unit), &text)?;
    }
    Ok(dir)
}

pub(super) fn set_mode(path: &Path, mode: u32) -> Result<(), LabError> {
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(path, permissions).map_err(LabError::io("set the mode of", path))
}

/// Not below /tmp, which a unit with `PrivateTmp=` does not see, nor below /run, which a unit with
/// `ProtectHome=` or another namespace does not see; and short, for a socket's path has 108 bytes.
fn base_directory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// The unit files of a directory with their texts, sorted by name.
pub(super) fn units_in(dir: &Path) -> Result<Vec<(String, String)>, LabError> {
    let suffixes = ["service", "socket", "target", "timer", "slice", "path"];
    let mut units = Vec::new();
    for entry in fs::read_dir(dir).map_err(LabError::io("read", dir))? {
        let path = entry.map_err(LabError::io("read", dir))?.path();
        let is_unit = path.extension().is_some_and(|e| suffixes.iter().any(|suffix| e == *suffix));
        if let (true, Some(name)) = (is_unit, path.file_name()) {
            let text = fs::read_to_string(&path).map_err(LabError::io("read", &path))?;
            units.push((name.to_string_lossy().into_owned(), text));
        }
    }
    units.sort();
    Ok(units)
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), LabError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(LabError::io("make", parent))?;
    }
    fs::write(path, text).map_err(LabError::io("write", path))
}
