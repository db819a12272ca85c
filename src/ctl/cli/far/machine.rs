//! A container of this machine, with a systemd of its own.

use std::fmt;
use std::str::FromStr;

use tokio::process::Command;

use crate::ctl::Error;

/// Where the packages put it: systemd-run looks for no program in a container.
const ROLLCTL: &str = "/usr/bin/rollctl";

/// Its name, as `machinectl` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ctl::cli) struct Machine(String);

impl FromStr for Machine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        match !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
            true => Ok(Self(text.to_owned())),
            false => Err("no container is called so".to_owned()),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Machine {
    /// What systemd-run is told: a unit there, whose exit status is its own. (`machinectl shell`
    /// forgets the exit status.)
    pub(super) fn arguments(&self, words: &[String], is_terminal: bool) -> Vec<String> {
        let streams = if is_terminal { "--pty" } else { "--pipe" };
        let machine = format!("--machine={self}");
        let options = [&machine, streams, "--wait", "--collect", "--quiet", "--", ROLLCTL];
        let words = words.iter().map(|word| unexpanded(word));
        options.into_iter().map(str::to_owned).chain(words).collect()
    }

    /// systemd-run ends with 1 when nobody answers, and so does a roll that fails.
    pub(super) async fn is_there(&self, words: &[String]) -> Result<(), Error> {
        if words.iter().any(|word| word == "--user") {
            return Err(Error::Usage(format!(
                "-M speaks to the manager of the container, not to a user's in it\n  \
                 next: machinectl shell USER@{self} {ROLLCTL} …"
            )));
        }
        let mut systemctl = Command::new("systemctl");
        systemctl.arg(format!("--machine={self}")).args(["show", "--property=Version"]);
        let said = systemctl.output().await.map_err(|error| self.silent(&error.to_string()))?;
        match said.status.success() {
            true => Ok(()),
            false => Err(self.silent(String::from_utf8_lossy(&said.stderr).trim())),
        }
    }

    fn silent(&self, why: &str) -> Error {
        Error::Unreachable(format!(
            "the systemd of {self} does not answer: {why}; nothing was touched\n  next: machinectl list"
        ))
    }
}

/// systemd puts variables into the words of a unit's command.
fn unexpanded(word: &str) -> String {
    word.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_puts_nothing_into_the_words() {
        let machine: Machine = "shop".parse().unwrap();
        let told = machine.arguments(&["freeze".into(), "-m".into(), "it costs $5".into()], false);
        assert_eq!(told.last().unwrap(), "it costs $$5");
        assert_eq!(told[0], "--machine=shop");
    }

    #[test]
    fn what_systemd_run_would_take_for_something_else_is_no_container() {
        for text in ["", "-x", "a b", "ada@shop", "a/b"] {
            assert!(text.parse::<Machine>().is_err(), "{text}");
        }
    }
}
