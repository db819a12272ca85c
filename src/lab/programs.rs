//! Finds the project's own programs beside the one that runs.

use std::path::PathBuf;

use super::LabError;

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
