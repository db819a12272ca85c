//! The keeper: the child that holds a lab's manager and cleans up after it, whatever happens to us.
//!
//! ```text
//! owner ──pipe──► keeper (sh, in the namespace or scope) ──► systemd --user ──► units
//!   any end of the owner closes the pipe ─► the keeper stops the manager, removes groups and files
//! ```

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use super::{LabError, Place, place};

const SCRIPT: &str = include_str!("keeper.sh");
const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

pub(super) struct Keeper {
    place: Place,
    child: Child,
    /// Closing this is the order to clean up.
    leash: Option<ChildStdin>,
}

impl Keeper {
    /// Starts the keeper and its manager; returns before the manager is up.
    pub(super) fn start(dir: &Path, name: &str) -> Result<Self, LabError> {
        let systemd = place::check_programs()?;
        let place = Place::find()?;
        let script = dir.join("keeper.sh");
        std::fs::write(&script, SCRIPT).map_err(LabError::io("write", &script))?;
        let mut child = place
            .shell(name)
            .arg(script)
            .env("LAB_DIR", dir)
            .env("LAB_NAME", name)
            .env("LAB_PLACE", if place.is_scope() { "scope" } else { "namespace" })
            .env("LAB_SYSTEMD", &systemd)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A Ctrl-C at the terminal must reach the owner only: the keeper still has work to do.
            .process_group(0)
            .spawn()
            .map_err(LabError::io("start the keeper of", dir))?;
        let leash = child.stdin.take();
        Ok(Self { place, child, leash })
    }

    /// Waits until `ready` holds; an early end of the keeper is an error with its words in it.
    pub(super) fn wait_until(
        &mut self,
        what: &str,
        log: &Path,
        mut ready: impl FnMut() -> bool,
    ) -> Result<(), LabError> {
        let deadline = Instant::now() + START_LIMIT;
        while !ready() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.not_started(format!("its keeper ended ({status})"), log));
            }
            if Instant::now() > deadline {
                let reason = format!("{what} did not appear within {START_LIMIT:?}");
                return Err(self.not_started(reason, log));
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        Ok(())
    }

    /// Orders the clean-up and waits for its end; false when it did not end in time.
    pub(super) fn stop(&mut self) -> bool {
        drop(self.leash.take());
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(LOOK_INTERVAL),
                _ => return true,
            }
        }
        false
    }

    fn not_started(&mut self, reason: String, log: &Path) -> LabError {
        let mut words = std::fs::read_to_string(log).unwrap_or_default();
        self.stop();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut words);
        }
        LabError::NotStarted { reason, log: words.trim_end().to_owned(), next: self.place.advice() }
    }
}
