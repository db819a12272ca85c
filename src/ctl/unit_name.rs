//! The parts of a unit's name, and the order in which a person counts.

use std::cmp::Ordering;

/// A service's name, taken apart: `worker@1.service` is prefix `worker`, instance `1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitName {
    text: String,
}

impl UnitName {
    /// Takes a name that systemd gave, or that a pattern checked.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// The whole name (`%n`).
    pub fn full(&self) -> &str {
        &self.text
    }

    /// The name without its type (`%N`).
    pub fn stem(&self) -> &str {
        self.text.rsplit_once('.').map_or(&self.text, |(stem, _)| stem)
    }

    /// What is before the `@` (`%p`).
    pub fn prefix(&self) -> &str {
        self.stem().split_once('@').map_or(self.stem(), |(prefix, _)| prefix)
    }

    /// What is behind the `@` (`%i`); empty for a unit that is no instance.
    pub fn instance(&self) -> &str {
        self.stem().split_once('@').map_or("", |(_, instance)| instance)
    }

    /// Whether a template made this unit.
    pub fn is_instance(&self) -> bool {
        !self.instance().is_empty()
    }
}

/// Whether systemd would take this as (a part of) a unit's name.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || ":-_.\\".contains(c)
}

/// Orders names as a person counts: `worker@2` before `worker@10`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let (l, l_rest) = first_run(left);
        let (r, r_rest) = first_run(right);
        let order = by_number(l, r).unwrap_or_else(|| l.cmp(r));
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (l_rest, r_rest);
    }
    // Equal numbers may be written differently (1, 01): the order is total all the same.
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The longest head of digits only, or of anything but digits.
fn first_run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

fn by_number(a: &str, b: &str) -> Option<Ordering> {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(a) && is_number(b)).then(|| {
        let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
        a.len().cmp(&b.len()).then_with(|| a.cmp(b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_comes_before_ten() {
        let mut names = ["w@10", "w@2", "w@1", "w@a10b2", "w@a10b1", "w@", "w@01"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["w@", "w@01", "w@1", "w@2", "w@10", "w@a10b1", "w@a10b2"]);
    }

    #[test]
    fn a_name_comes_apart() {
        let name = UnitName::new("web-app@eu.1.service");
        assert_eq!((name.prefix(), name.instance()), ("web-app", "eu.1"));
        assert_eq!((name.full(), name.stem()), ("web-app@eu.1.service", "web-app@eu.1"));
        assert!(!UnitName::new("nginx.service").is_instance());
    }
}
