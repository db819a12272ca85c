//! A unit's main process, known again by when it was started.

use std::fs::{self, File};
use std::io::Read;

/// The main process of a unit in one of its runs: while it lives, that run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pid: u32,
    started: String,
}

impl Process {
    /// `None` if it cannot be seen from here: it is gone, hidden, or in another namespace, where
    /// another process may have its number.
    pub(super) fn of(unit: &str, pid: u32) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let is_of_unit = groups.lines().any(|line| line.split('/').any(|name| name == unit));
        let started = started(pid).filter(|_| is_of_unit)?;
        Some(Self { pid, started })
    }

    pub(super) fn is_alive(&self) -> bool {
        started(self.pid).as_ref() == Some(&self.started)
    }
}

/// Field 22 of proc_pid_stat(5); `None` of one that has ended, also if nobody has asked how.
fn started(pid: u32) -> Option<String> {
    let stat = at_once(&format!("/proc/{pid}/stat"))?;
    // The second field, a name, may have anything in it.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let has_ended = matches!(fields.next()?, "Z" | "X");
    fields.nth(18).filter(|_| !has_ended).map(str::to_owned)
}

/// Reads a line of the kernel's in as few calls as can be: of a large group there are thousands.
fn at_once(path: &str) -> Option<String> {
    let mut text = [0; 1024];
    let length = File::open(path).ok()?.read(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text[..length]).into_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use std::process::Command;

    use super::*;

    /// The last name in the path of our own control group, in which our children are, too: it stands
    /// for a unit.
    pub(in crate::ctl::driver) fn own_group() -> String {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
        groups.trim_end().rsplit('/').next().unwrap().to_owned()
    }

    #[test]
    fn it_is_known_until_it_ends() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let process = Process::of(&own_group(), child.id()).unwrap();
        assert!(process.is_alive());
        assert!(!Process { started: "1".to_owned(), ..process.clone() }.is_alive(), "its number");
        child.kill().unwrap();
        while process.is_alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(Process::of(&own_group(), child.id()), None);
    }

    #[test]
    fn one_of_another_unit_is_not_the_units() {
        assert_eq!(Process::of("other@1.service", std::process::id()), None);
    }
}
