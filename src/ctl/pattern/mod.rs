//! What a person types for the instances that are meant.
//!
//! ```text
//! worker            the group: every instance, or the unit worker.service where there is no group
//! worker@2          this instance, even if it is neither up nor enabled
//! worker@{1..4}     these four, likewise
//! worker@{a,b*}     this one, and the instances that match
//! worker@*          the instances of the group that match
//! nginx.service     this unit
//! ```

mod read;

use std::fmt;
use std::str::FromStr;

/// A pattern that was read once and is not doubted again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstancePattern {
    text: String,
    prefix: String,
    wanted: Wanted,
}

/// Which units a pattern means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The group of this name, or the plain unit where there is no group.
    Whole,
    /// Instances of the group.
    Instances(Vec<Choice>),
}

/// One alternative of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This instance.
    Exactly(String),
    /// Every instance that matches this shell pattern.
    Like(String),
}

impl InstancePattern {
    /// What is before the `@`, or the whole name of a plain unit, without its type.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Which units of that name are meant.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Whether an instance of the group is meant.
    pub fn matches(&self, instance: &str) -> bool {
        match &self.wanted {
            Wanted::Whole => true,
            Wanted::Instances(choices) => choices.iter().any(|choice| choice.matches(instance)),
        }
    }

    /// The unit names that are meant by name and not by likeness.
    pub fn named_exactly(&self) -> Vec<String> {
        let Wanted::Instances(choices) = &self.wanted else { return Vec::new() };
        let unit = |choice: &Choice| match choice {
            Choice::Exactly(instance) => Some(format!("{}@{instance}.service", self.prefix)),
            Choice::Like(_) => None,
        };
        choices.iter().filter_map(unit).collect()
    }
}

impl Choice {
    fn matches(&self, instance: &str) -> bool {
        match self {
            Self::Exactly(name) => name == instance,
            Self::Like(pattern) => fast_glob::glob_match(pattern, instance),
        }
    }
}

impl FromStr for InstancePattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let bad = |why| BadPattern { text: read::shortened(text), why };
        let name = read::without_type(text).map_err(bad)?;
        let (prefix, instances) = match name.split_once('@') {
            Some((prefix, instances)) => (prefix, Some(instances)),
            None => (name, None),
        };
        read::check_prefix(prefix).map_err(bad)?;
        let wanted = match instances {
            Some("") => return Err(bad("a template is no unit: write NAME@* or NAME")),
            Some(instances) => Wanted::Instances(read::choices(instances).map_err(bad)?),
            None => Wanted::Whole,
        };
        Ok(Self { text: text.to_owned(), prefix: prefix.to_owned(), wanted })
    }
}

impl fmt::Display for InstancePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: {why}")]
pub struct BadPattern {
    text: String,
    why: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> InstancePattern {
        text.parse().unwrap()
    }

    #[test]
    fn reads_every_form_of_the_manual() {
        assert_eq!(pattern("worker").wanted(), &Wanted::Whole);
        assert_eq!(pattern("nginx.service").prefix(), "nginx");
        assert_eq!(pattern("worker@2.service").named_exactly(), ["worker@2.service"]);
        assert_eq!(
            pattern("w@{08..10}").named_exactly(),
            ["w@08.service", "w@09.service", "w@10.service"]
        );
        assert_eq!(pattern("w@{a,b*}").named_exactly(), ["w@a.service"]);
        assert!(pattern("w@{a,b*}").matches("bb") && !pattern("w@{a,b*}").matches("ab"));
        assert!(pattern("w@[1-3]").matches("2") && !pattern("w@[1-3]").matches("4"));
    }

    #[test]
    fn refuses_the_rest_in_one_line() {
        let bad = [
            "",
            "@",
            "@1",
            "w@",
            "w@{1..}",
            "w@{4..1}",
            "w@{1..99999}",
            "w@{1,",
            "w@x{1,2}",
            "w*@1",
            "w@{}",
            "w@1/2",
            "w 1",
            "web.socket",
            "w@[",
            "w@a\nb",
            "w@{-1..2}",
            "../w",
        ];
        for text in bad {
            let error = text.parse::<InstancePattern>().unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error}");
        }
        assert!("w".repeat(256).parse::<InstancePattern>().is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}", instance in "\\PC{0,20}") {
            if let Ok(pattern) = text.parse::<InstancePattern>() {
                let _ = pattern.matches(&instance);
            }
        }

        #[test]
        fn what_looks_like_a_pattern_never_panics(
            text in "[a-z]{1,3}@[a-c0-9*?\\[\\]{},.!^@\\\\-]{0,16}",
            instance in "[a-c0-9]{0,6}",
        ) {
            if let Ok(pattern) = text.parse::<InstancePattern>() {
                let _ = pattern.matches(&instance);
            }
        }
    }
}
