//! A wall clock that can be set for one process: libfaketime, in between it and the C library.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Stage;

const PLACES: [&str; 3] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"];

pub struct Clock {
    library: PathBuf,
    /// How far it is from the machine's.
    offset: PathBuf,
}

impl Clock {
    /// `None` where there is no libfaketime: then the story is visibly skipped, but not in CI.
    pub fn of(stage: &Stage) -> Option<Self> {
        let library = |place| Path::new(place).join("faketime/libfaketimeMT.so.1");
        let Some(library) = PLACES.into_iter().map(library).find(|it| it.exists()) else {
            assert!(std::env::var_os("CI").is_none(), "no libfaketime (make test brings it)");
            eprintln!("skipped: no libfaketime (make test brings it)");
            return None;
        };
        let clock = Self { library, offset: stage.lab.dir().join("clock") };
        clock.set("+0");
        Some(clock)
    }

    /// `+1d`, `-2h`: so far from the machine's.
    pub fn set(&self, offset: &str) {
        std::fs::write(&self.offset, format!("{offset}\n")).unwrap();
    }

    pub fn give_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.offset);
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}
