//! How it ended there, and what is to be said of it here.

use std::io::stderr;
use std::process::ExitStatus as Status;

use super::Way;
use crate::ctl::report::say;
use crate::ctl::{Error, ExitStatus};

/// The shell there has found no such program.
const NO_PROGRAM: i32 = 127;
/// systemd there has found none (systemd.exec(5): `EXIT_EXEC`).
const NO_EXEC: i32 = 203;
/// ssh's own, for whatever went wrong on the way.
const SSH_FAILED: i32 = 255;

pub(super) struct Ended {
    pub(super) way: Way,
    pub(super) status: Status,
    /// Somebody wanted us to end.
    pub(super) is_interrupted: bool,
    /// The verb may have begun a roll.
    pub(super) rolls: bool,
}

impl Ended {
    pub(super) fn told(&self) -> Result<ExitStatus, Error> {
        match (self.status.code(), &self.way) {
            (Some(NO_PROGRAM), Way::Ssh(_)) | (Some(NO_EXEC), Way::Machine(_)) => {
                Err(self.no_rollctl())
            }
            (None, _) | (Some(SSH_FAILED), Way::Ssh(_)) => self.out_of_sight(),
            // That of Debian 11 says 0 when it was told to end.
            (Some(0), Way::Ssh(_)) if self.is_interrupted => self.out_of_sight(),
            (Some(code), _) => {
                match ExitStatus::TABLE.iter().find(|(it, _)| i32::from(it.code()) == code) {
                    Some((status, _)) => Ok(self.passed_on(*status)),
                    None => Err(self.odd(code)),
                }
            }
        }
    }

    /// What the rollctl there advises is meant for there.
    fn passed_on(&self, status: ExitStatus) -> ExitStatus {
        if status != ExitStatus::Serving {
            let (there, option) = (self.shell(), self.way.option());
            say(stderr(), &format!("  there: {there}, or rollctl {option} …"));
        }
        status
    }

    fn no_rollctl(&self) -> Error {
        let place = self.place();
        Error::Refused(format!(
            "there is no rollctl on {place}; nothing was touched\n  \
             next: {}, and install the package rollctl",
            self.shell()
        ))
    }

    /// Nothing that is under way there needs us: a roll ignores SIGHUP and a reader that went away.
    fn out_of_sight(&self) -> Result<ExitStatus, Error> {
        let (program, place) = (self.way.program(), self.place());
        let how = self.status;
        let state = match self.rolls {
            true => "if a roll has begun there, it goes on",
            false => "what was asked may have been done there, or not",
        };
        let next =
            format!("rollctl {} status; if that fails too: {}", self.way.option(), self.shell());
        let text = format!("{program} to {place} ended ({how}); {state}\n  next: {next}");
        match self.is_interrupted {
            true => {
                say(stderr(), &format!("rollctl: {text}"));
                Ok(ExitStatus::Interrupted)
            }
            false => Err(Error::Unreachable(text)),
        }
    }

    fn odd(&self, code: i32) -> Error {
        let (place, option) = (self.place(), self.way.option());
        Error::Unreachable(format!(
            "rollctl on {place} ended with {code}, which is none of its own\n  \
             next: rollctl {option} status"
        ))
    }

    fn place(&self) -> String {
        match &self.way {
            Way::Ssh(host) => host.to_string(),
            Way::Machine(machine) => machine.to_string(),
        }
    }

    /// How a person gets there.
    fn shell(&self) -> String {
        match &self.way {
            Way::Ssh(host) => host.ssh(),
            Way::Machine(machine) => format!("machinectl shell {machine}"),
        }
    }
}
