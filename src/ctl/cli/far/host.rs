//! A machine that ssh reaches.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

/// A network that is gone is found out within 15 s; by itself, ssh waits for ever.
const STILL_THERE: [&str; 4] = ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"];

/// `[USER@]HOST[:PORT]`; what it is called there is ssh's business (`~/.ssh/config`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ctl::cli) struct Host {
    name: String,
    port: Option<NonZeroU16>,
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, port) = match text.rsplit_once(':') {
            // With more than one it is an address of IPv6.
            Some((name, port)) if !name.contains(':') => (name, Some(port)),
            _ => (text, None),
        };
        let port = port.map(str::parse).transpose().map_err(|_| "the port is no number")?;
        if name.contains('/') {
            return Err("a container there is named by -M CONTAINER".to_owned());
        }
        // ssh would take it for an option.
        if name.split('@').any(|part| part.is_empty() || part.starts_with('-')) {
            return Err("this is no [USER@]HOST[:PORT]".to_owned());
        }
        if name.contains(|it: char| it.is_whitespace() || it.is_control()) {
            return Err("no host is called so".to_owned());
        }
        Ok(Self { name: name.to_owned(), port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Host {
    /// What ssh is told; the words are put together for the shell that sshd hands them to.
    pub(super) fn arguments(&self, words: &[String], is_terminal: bool) -> Vec<String> {
        let terminal = if is_terminal { "-t" } else { "-T" };
        let port = self.port.map(|port| ["-p".to_owned(), port.to_string()]);
        let mut arguments = vec![terminal.to_owned()];
        arguments.extend(STILL_THERE.map(str::to_owned));
        arguments.extend(port.into_iter().flatten());
        arguments.extend(["--".to_owned(), self.name.clone(), there(words)]);
        arguments
    }

    /// The ssh that a person would type.
    pub(super) fn ssh(&self) -> String {
        let port = self.port.map(|port| format!("-p {port} ")).unwrap_or_default();
        format!("ssh {port}{}", self.name)
    }
}

/// With `exec` rollctl leads the session that sshd made, whatever shell it is.
fn there(words: &[String]) -> String {
    let words = words.iter().map(String::as_str);
    // Only a NUL cannot be quoted, and no argument has one.
    let quoted = shlex::try_join(words).unwrap_or_default();
    format!("exec rollctl {quoted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(host: &str, words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut told = host.parse::<Host>().unwrap().arguments(&words, false);
        assert_eq!(told.drain(1..5).collect::<Vec<_>>(), STILL_THERE);
        told
    }

    #[test]
    fn user_host_and_port_are_told_to_ssh_as_it_wants_them() {
        assert_eq!(told("web1", &["list"]), ["-T", "--", "web1", "exec rollctl list"]);
        let ported = told("ada@web1:2222", &["list"]);
        assert_eq!(ported, ["-T", "-p", "2222", "--", "ada@web1", "exec rollctl list"]);
        assert_eq!(told("fe80::1", &["list"])[2], "fe80::1");
    }

    #[test]
    fn the_shell_there_sees_what_was_typed_here() {
        let typed = ["worker@*", "worker@{1..4}", "it's \"$5\" `x` !", "", "~", "a\nb", "-m"];
        let line = told("web1", &typed).pop().unwrap();
        let shell = line.replace("exec rollctl", "printf '%s\\0'");
        let output = std::process::Command::new("sh").args(["-c", &shell]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.split_terminator('\0').collect::<Vec<_>>(), typed);
    }

    #[test]
    fn what_ssh_would_take_for_an_option_is_no_host() {
        let wrong = ["", "-oProxyCommand=x", "a@-x", "@a", "a@", "a b", "a:b", "a:0", "a/b", ":22"];
        for text in wrong {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }
}
