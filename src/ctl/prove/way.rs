//! What is done to the service under load: a roll, or a command in its place.

use std::process::ExitStatus as Ended;
use std::str::FromStr;

use tokio::process::Command;

use crate::ctl::error::Error;
use crate::ctl::exit::ExitStatus;
use crate::ctl::report::{listed, say};
use crate::ctl::restart::Ready;

/// A command that restarts the service in its own way; its words are quoted as in a shell, which
/// does not run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instead {
    text: String,
    words: Vec<String>,
}

impl FromStr for Instead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = shlex::split(text).ok_or_else(|| format!("{text:?}: a quote has no end"))?;
        match words.is_empty() {
            true => Err("no command".to_owned()),
            false => Ok(Self { text: text.to_owned(), words }),
        }
    }
}

/// One way to restart a service.
pub(super) enum Way<'a> {
    Roll(Box<Ready<'a>>),
    Command(&'a Instead),
}

impl Way<'_> {
    pub(super) fn groups(&self) -> Vec<String> {
        match self {
            Self::Roll(ready) => ready.groups(),
            Self::Command(_) => Vec::new(),
        }
    }

    /// As it was typed.
    pub(super) fn command(&self) -> Option<String> {
        match self {
            Self::Roll(_) => None,
            Self::Command(instead) => Some(instead.text.clone()),
        }
    }

    /// `rolling worker`, `running make restart`
    pub(super) fn told(&self) -> String {
        match self.command() {
            None => format!("rolling {}", listed(&self.groups())),
            Some(command) => format!("running {command}"),
        }
    }

    /// Waits, before it is begun or when it is over, until somebody wants all of it to end.
    pub(super) async fn interrupted(&mut self) {
        match self {
            Self::Roll(ready) => ready.interrupted().await,
            // Without a handler, there is nobody to wait for.
            Self::Command(_) => match tokio::signal::ctrl_c().await {
                Ok(()) => {}
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// How it ended.
    pub(super) async fn go(&mut self) -> Result<ExitStatus, Error> {
        match self {
            Self::Roll(ready) => ready.roll().await,
            Self::Command(instead) => instead.run().await,
        }
    }
}

impl Instead {
    async fn run(&self) -> Result<ExitStatus, Error> {
        let (program, arguments) = (&self.words[0], &self.words[1..]);
        let mut command = Command::new(program);
        // Our own standard output has the figures.
        command.args(arguments).stdout(std::io::stderr()).kill_on_drop(true);
        match command.status().await {
            Ok(ended) => Ok(self.judge(ended)),
            Err(error) => Err(Error::Refused(format!(
                "{program} cannot be started: {error}; nothing was touched\n  \
                 next: command -v {program}"
            ))),
        }
    }

    fn judge(&self, ended: Ended) -> ExitStatus {
        if ended.success() {
            return ExitStatus::Serving;
        }
        say(std::io::stderr(), &format!("rollctl: {} ended with {ended}", self.text));
        ExitStatus::Failed
    }
}
