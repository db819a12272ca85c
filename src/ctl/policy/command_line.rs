//! A command of the administrator's: an absolute path and its arguments, quoted as in a shell.

use std::fmt;
use std::str::FromStr;

use super::specifiers::expand;
use crate::ctl::scope::Scope;
use crate::ctl::unit_name::UnitName;

/// A command with specifiers, the same for every instance. No shell runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    text: String,
    words: Vec<String>,
}

/// What a hook runs, if anything: `none` takes back what a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookCommand(pub Option<CommandLine>);

impl CommandLine {
    /// Program and arguments for this unit. Specifiers are put in last, so that what they stand
    /// for is never taken apart.
    pub fn words(&self, scope: Scope, unit: &UnitName) -> Vec<String> {
        let expanded = |word: &String| expand(word, scope, unit).unwrap_or_else(|_| word.clone());
        self.words.iter().map(expanded).collect()
    }
}

impl FromStr for CommandLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = shlex::split(text).ok_or_else(|| format!("{text:?}: a quote has no end"))?;
        match words.first() {
            Some(program) if program.starts_with('/') => {}
            _ => return Err(format!("{text:?}: a command begins with an absolute path")),
        }
        // Any unit will do to see whether a specifier is known.
        let unit = UnitName::new("x@1.service");
        words.iter().try_for_each(|word| expand(word, Scope::System, &unit).map(drop))?;
        Ok(Self { text: text.to_owned(), words })
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for HookCommand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            text => text.parse().map(|command| Self(Some(command))),
        }
    }
}

impl fmt::Display for HookCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(command) => command.fmt(f),
            None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_taken_apart_before_the_instance_is_put_in() {
        let command: CommandLine = "/bin/drain '%i of' %p 100%%".parse().unwrap();
        let words = command.words(Scope::System, &UnitName::new("web@a b.service"));
        assert_eq!(words, ["/bin/drain", "a b of", "web", "100%"]);
    }

    #[test]
    fn refuses_the_rest_in_one_line() {
        for text in ["", "drain", "./drain", "/bin/x 'a", "/bin/x %q", "/bin/x 5%", "''"] {
            let error = text.parse::<CommandLine>().expect_err(text);
            assert!(!error.contains('\n'), "{error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(/[%a-z'\" \\\\]{0,16}|\\PC{0,16})", unit in "\\PC{0,12}") {
            if let Ok(command) = text.parse::<CommandLine>() {
                let words = command.words(Scope::System, &UnitName::new(unit));
                prop_assert!(words[0].starts_with('/'));
            }
        }
    }
}
