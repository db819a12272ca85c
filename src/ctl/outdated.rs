//! Whether an instance runs what is on disk: when its unit and its program last changed.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

use super::select::{Group, Instance};

impl Group {
    /// Of the instances to roll, keeps those that were started before something of theirs changed;
    /// the others are not touched, but counted.
    pub(super) fn keep_outdated(&mut self) {
        let all = std::mem::take(&mut self.instances);
        let (outdated, recent): (Vec<_>, Vec<_>) = all.into_iter().partition(is_outdated);
        self.instances = outdated;
        self.bystanders.extend(recent);
    }
}

/// One that is down is, for it would start what is on disk now.
fn is_outdated(instance: &Instance) -> bool {
    let Some(started) = instance.service.started.filter(|_| instance.state.active.is_up()) else {
        return true;
    };
    let started = started.at_the_earliest(Clocks::now());
    let units = instance.files.fragment.iter().chain(&instance.files.drop_ins);
    let changed_since = |file: &PathBuf| changed(file) > Some(started);
    instance.needs_reload || units.chain(&instance.service.programs).any(changed_since)
}

/// When a process was started, in microseconds of two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// By the wall clock, as it went then.
    pub realtime: u64,
    /// By the clock that nobody sets.
    pub monotonic: u64,
}

#[derive(Clone, Copy, Debug)]
struct Clocks {
    realtime: u64,
    monotonic: u64,
}

/// The two clocks are never read at once; who sets one sets it by more.
const SAME_TIME: u64 = 1_000_000;

impl Started {
    /// By the wall clock, which somebody may have set since; files bear the time of before or
    /// after. What is rolled in vain costs less than what is not rolled.
    fn at_the_earliest(self, now: Clocks) -> u64 {
        let by_now = now.realtime.saturating_sub(now.monotonic.saturating_sub(self.monotonic));
        match by_now.abs_diff(self.realtime) {
            ..SAME_TIME => self.realtime,
            _ => by_now.min(self.realtime),
        }
    }
}

impl Clocks {
    fn now() -> Self {
        let micros = |clock| {
            let now = clock_gettime(clock);
            u64::try_from(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000).unwrap_or_default()
        };
        Self { realtime: micros(ClockId::Realtime), monotonic: micros(ClockId::Monotonic) }
    }
}

/// When a file, or a link on the way to it, last changed, in microseconds of the wall clock.
///
/// A package keeps the times of its files from when it was built; but no one can keep the kernel
/// from noting when a file was put in place (`ctime`). A release is often a link that is moved.
fn changed(path: &Path) -> Option<u64> {
    let links = path.ancestors().filter_map(|part| fs::symlink_metadata(part).ok());
    let links = links.filter(Metadata::is_symlink);
    fs::metadata(path).ok().into_iter().chain(links).map(|it| micros(&it)).max()
}

fn micros(of: &Metadata) -> u64 {
    let at = |seconds: i64, nanos: i64| seconds * 1_000_000 + nanos / 1_000;
    let latest = at(of.ctime(), of.ctime_nsec()).max(at(of.mtime(), of.mtime_nsec()));
    latest.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_file_with_an_old_date_was_put_there_now() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("program");
        fs::write(&file, "").unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(1_000_000);
        fs::File::open(&file).unwrap().set_modified(long_ago).unwrap();
        assert!(changed(&file) > Some(now() - 60_000_000));
    }

    #[test]
    fn a_link_that_is_moved_is_a_change_of_all_that_is_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("1"), dir.path().join("2"));
        for release in [&old, &new] {
            fs::create_dir(release).unwrap();
            fs::write(release.join("program"), "").unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
        let before = now();
        let current = dir.path().join("current");
        assert!(changed(&old.join("program")) < Some(before));
        std::thread::sleep(Duration::from_millis(20));
        symlink(&old, &current).unwrap();
        assert!(changed(&current.join("program")) > Some(before));
        assert_eq!(changed(&dir.path().join("nothing")), None);
    }

    #[test]
    fn a_clock_that_was_set_hides_no_change() {
        let hour = 3_600_000_000;
        let started = Started { realtime: 12 * hour, monotonic: 5 * hour };
        let now = |realtime| Clocks { realtime, monotonic: 6 * hour };
        assert_eq!(started.at_the_earliest(now(13 * hour + 300)), 12 * hour);
        // Set back by two hours: what changed since bears times from ten o'clock on.
        assert_eq!(started.at_the_earliest(now(11 * hour)), 10 * hour);
        assert_eq!(started.at_the_earliest(now(20 * hour)), 12 * hour);
    }

    fn now() -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        since.as_micros().try_into().unwrap()
    }
}
