//! Programs that `tests/apps/install` has brought, or that this machine has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why something cannot be done on this machine.
pub type Lack = String;

/// A program that is there.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// What was brought goes before what is installed.
    pub fn find(name: &str) -> Result<Self, Lack> {
        let places = ["programs/usr/sbin", "programs/usr/bin"].map(brought).into_iter().flatten();
        let installed = ["/usr/sbin", "/usr/bin"].map(PathBuf::from).into_iter();
        let program = places.chain(installed).map(|dir| dir.join(name)).find(|path| path.is_file());
        program.map(Self).ok_or(format!("{name} is not there"))
    }

    /// What was brought into this directory of its own.
    pub fn brought(path: &str) -> Result<Self, Lack> {
        brought(path).map(Self)
    }

    /// Runs it beside this program.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        command.env("LD_LIBRARY_PATH", libraries());
        command
    }

    /// The lines of a service that runs it.
    pub fn service(&self, arguments: &str) -> String {
        let (program, libraries) = (self.0.display(), libraries());
        format!(
            "[Service]\nExecStart={program} {arguments}\nEnvironment=LD_LIBRARY_PATH={libraries}\n"
        )
    }
}

/// Where an unpacked program finds the libraries that came with it.
fn libraries() -> String {
    let dirs = brought("programs/usr/lib").into_iter().flat_map(|lib| {
        let dirs = fs::read_dir(lib).into_iter().flatten().flatten();
        dirs.map(|dir| dir.path().to_string_lossy().into_owned()).collect::<Vec<_>>()
    });
    dirs.collect::<Vec<_>>().join(":")
}

/// What `tests/apps/install` has brought.
pub fn brought(path: &str) -> Result<PathBuf, Lack> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("target"));
    let path = target.join("real").join(path);
    if path.exists() { Ok(path) } else { Err(format!("{} is not there", path.display())) }
}
