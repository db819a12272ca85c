//! The first line of a log: which roll this is, who began it, and how to go on with it.

use serde::{Deserialize, Serialize};

use super::FORMAT;
use super::line::wall_clock;

/// What is known before the first step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Always `log`: tells this line from the records.
    pub event: String,
    /// The format in which it is written.
    pub format: u32,
    /// The wall clock, RFC 3339.
    pub time: String,
    /// The roll's id.
    pub roll: String,
    /// Counted from one in each group.
    pub number: u64,
    /// What is rolled.
    pub group: String,
    /// The process that rolls it.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// The life of the manager in which it was begun.
    pub life: Life,
    /// The command line that began it. One that goes on with an earlier roll keeps that one's.
    pub command: Vec<String>,
    /// The number of the roll that this one goes on with.
    pub resumes: Option<u64>,
}

/// One life of a systemd manager: another one after a reboot, or after a new login of a user's.
///
/// It is when the manager began, by both of its clocks; a `daemon-reexec` keeps that. (A boot id
/// would not tell that a user's manager, and with it every instance, was started anew.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// By the wall clock, in microseconds.
    pub realtime: u64,
    /// Since the machine's boot, in microseconds.
    pub monotonic: u64,
}

/// What a roll says of itself before it begins.
#[derive(Clone, Debug, Default)]
pub struct Beginning {
    /// The roll's id.
    pub roll: String,
    /// The life of the manager.
    pub life: Life,
    /// The command line.
    pub command: Vec<String>,
    /// The number of the roll that it goes on with.
    pub resumes: Option<u64>,
}

impl Header {
    pub(super) fn new(number: u64, group: &str, beginning: &Beginning) -> Self {
        Self {
            event: "log".to_owned(),
            format: FORMAT,
            time: wall_clock(),
            roll: beginning.roll.clone(),
            number,
            group: group.to_owned(),
            pid: std::process::id(),
            uid: rustix::process::getuid().as_raw(),
            life: beginning.life,
            command: beginning.command.clone(),
            resumes: beginning.resumes,
        }
    }
}

/// The kernel's own random id; without /proc one that is new in practice.
pub(in crate::ctl) fn roll_id() -> String {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid");
    let uuid = uuid.map(|text| text.trim().replace('-', "")).ok().filter(|id| !id.is_empty());
    uuid.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
        format!("{:016x}{:016x}", since.unwrap_or_default().as_nanos() as u64, std::process::id())
    })
}
