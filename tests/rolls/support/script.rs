//! A hook or a check of a story: a script that notes each call and its environment.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Stage;

/// A script in the lab, and the notes that it takes.
pub struct Script {
    path: PathBuf,
    notes: PathBuf,
}

impl Script {
    /// `/bin/sh` runs `body` after the call was noted as `STEP INSTANCE ARGUMENTS RESULT`.
    pub fn new(stage: &Stage, name: &str, body: &str) -> Self {
        let path = stage.lab.dir().join(name);
        let notes = stage.lab.dir().join(format!("{name}.notes"));
        let note = "echo $ROLL_STEP ${ROLL_INSTANCE:--} $* $ROLL_RESULT";
        let text = format!("#!/bin/sh\n{note} >>{}\n{body}\n", notes.display());
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { path, notes }
    }

    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Each call, a line each.
    pub fn calls(&self) -> Vec<String> {
        let notes = std::fs::read_to_string(&self.notes).unwrap_or_default();
        notes.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// A file beside it, for the script and the story to meet at.
    pub fn beside(stage: &Stage, name: &str) -> PathBuf {
        stage.lab.dir().join(name)
    }
}

/// Whether the process is there, and no zombie.
pub fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
