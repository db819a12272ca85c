//! A unit's properties, read as the types that this program knows.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use crate::ctl::journal::tamed;
use crate::ctl::policy::UnitFiles;
use crate::roll::{ActiveState, Invocation, JobId, UnitState};

/// siginfo's `si_code` of a process that ended by itself.
const CLD_EXITED: i32 = 1;

/// How a command of a service ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Since the machine's boot, in microseconds.
    pub when: u64,
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<u8>,
}

/// Every property of one unit at one moment. One that is missing, or of another type than this
/// program knows, reads as its zero: systemd's versions differ.
#[derive(Debug)]
pub struct Properties(HashMap<String, OwnedVariant>);

impl Properties {
    pub(super) fn new(map: HashMap<String, OwnedVariant>) -> Self {
        Self(map)
    }

    /// The state that the heart of a roll judges by.
    pub fn state(&self) -> UnitState {
        UnitState {
            active: ActiveState::from(self.text("ActiveState")),
            sub: self.text("SubState").to_owned(),
            invocation: Invocation::from_bytes(&self.bytes("InvocationID")),
            restarts: self.count("NRestarts"),
            main_pid: self.main_pid(),
            job: self.job(),
            status: tamed(self.text("StatusText")),
            result: self.text("Result").to_owned(),
        }
    }

    /// A text; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        match self.variant(name) {
            Some(Variant::Str(text)) => text.as_str(),
            _ => "",
        }
    }

    /// A truth; false if there is none.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.variant(name), Some(Variant::Bool(true)))
    }

    /// A 32-bit count; zero if there is none.
    pub fn count(&self, name: &str) -> u32 {
        match self.variant(name) {
            Some(Variant::U32(count)) => *count,
            _ => 0,
        }
    }

    /// A signed 32-bit number; zero if there is none.
    pub fn signed(&self, name: &str) -> i32 {
        match self.variant(name) {
            Some(Variant::I32(number)) => *number,
            _ => 0,
        }
    }

    /// A 64-bit number; `None` if there is none, or if it is systemd's "not set".
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.variant(name) {
            Some(Variant::U64(number)) if *number != u64::MAX => Some(*number),
            _ => None,
        }
    }

    /// A time span in microseconds; `None` for `infinity`.
    pub fn span(&self, name: &str) -> Option<Duration> {
        self.number(name).map(Duration::from_micros)
    }

    /// A list of texts; empty if there is none.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.items(name).iter().filter_map(text_of).collect()
    }

    /// A socket unit's addresses: type (`Stream`, …) and address.
    pub fn listen(&self) -> Vec<(String, String)> {
        let pair = |item: &Variant<'_>| match item {
            Variant::Structure(pair) => match pair.fields() {
                [kind, address] => Some((text_of(kind)?, text_of(address)?)),
                _ => None,
            },
            _ => None,
        };
        self.items("Listen").iter().filter_map(pair).collect()
    }

    /// A service's command lines, the words of each; the program with its whole path comes first.
    pub fn commands(&self, name: &str) -> Vec<Vec<String>> {
        let command = |item: &Variant<'_>| match item {
            Variant::Structure(command) => match command.fields() {
                [path, Variant::Array(words), ..] => {
                    let rest = words.inner().iter().skip(1).filter_map(text_of);
                    Some(text_of(path).into_iter().chain(rest).collect())
                }
                _ => None,
            },
            _ => None,
        };
        self.items(name).iter().filter_map(command).collect()
    }

    /// How the last of a service's commands ended; `None` if it never ran.
    pub fn ran(&self, name: &str) -> Option<Ran> {
        let Variant::Structure(command) = self.items(name).last()? else { return None };
        match command.fields() {
            [_, _, _, _, _, _, Variant::U64(when), _, Variant::I32(code), Variant::I32(status)] => {
                let is_exit = *code == CLD_EXITED;
                let status = u8::try_from(*status).ok().filter(|_| is_exit);
                (*when > 0).then_some(Ran { when: *when, status })
            }
            _ => None,
        }
    }

    /// Why systemd could not load the unit; `None` if it could.
    pub fn load_error(&self) -> Option<String> {
        let Some(Variant::Structure(pair)) = self.variant("LoadError") else { return None };
        pair.fields().get(1).and_then(text_of).filter(|message| !message.is_empty())
    }

    /// What the unit was read from.
    pub fn files(&self) -> UnitFiles {
        let fragment = Some(self.text("FragmentPath")).filter(|path| !path.is_empty());
        UnitFiles {
            fragment: fragment.map(PathBuf::from).into_iter().collect(),
            drop_ins: self.texts("DropInPaths").into_iter().map(PathBuf::from).collect(),
        }
    }

    fn main_pid(&self) -> Option<u32> {
        Some(self.count("MainPID")).filter(|pid| *pid > 0)
    }

    fn job(&self) -> Option<JobId> {
        let job: (u32, OwnedObjectPath) = self.variant("Job")?.try_into().ok()?;
        (job.0 > 0).then_some(JobId(job.0))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        let byte = |item: &Variant<'_>| match item {
            Variant::U8(byte) => Some(*byte),
            _ => None,
        };
        self.items(name).iter().filter_map(byte).collect()
    }

    fn items(&self, name: &str) -> &[Variant<'_>] {
        match self.variant(name) {
            Some(Variant::Array(array)) => array.inner(),
            _ => &[],
        }
    }

    fn variant(&self, name: &str) -> Option<&Variant<'_>> {
        self.0.get(name).map(|variant| &**variant)
    }
}

fn text_of(variant: &Variant<'_>) -> Option<String> {
    match variant {
        Variant::Str(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}
