//! The project's own programs: found beside the one that runs, and brought to where units see them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Lab, LabError};

/// The path of `worker` or `rollctl` as built by the same cargo profile as the running program.
///
/// Looks in the directories above it: tests run in `target/<profile>/deps`, examples in
/// `target/<profile>/examples`.
pub fn program(name: &str) -> Result<PathBuf, LabError> {
    let own = std::env::current_exe().map_err(LabError::io("find", "/proc/self/exe"))?;
    let found = own.ancestors().skip(1).take(3).map(|dir| dir.join(name)).find(|p| p.is_file());
    found.ok_or_else(|| {
        LabError::missing(
            format!("{name} is not built beside {}", own.display()),
            "cargo build --all-features --bins (with --release for a release build)",
        )
    })
}

/// What `ProtectHome=` and `PrivateTmp=` keep from a unit.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

impl Lab {
    /// The path at which units see this program: a copy in the lab if it lies where they do not
    /// look, or where only its owner may.
    pub fn bring(&self, program: &Path) -> Result<PathBuf, LabError> {
        let is_hidden = HIDDEN.iter().any(|hidden| program.starts_with(hidden));
        if !is_hidden && program.ancestors().skip(1).all(is_open_to_all) {
            return Ok(program.to_owned());
        }
        let copy = self.dir().join(program.file_name().unwrap_or_default());
        if !copy.exists() {
            std::fs::copy(program, &copy).map_err(LabError::io("copy", program))?;
        }
        Ok(copy)
    }
}

fn is_open_to_all(dir: &Path) -> bool {
    std::fs::metadata(dir).is_ok_and(|of| of.permissions().mode() & 0o001 != 0)
}
