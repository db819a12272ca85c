//! Shares of a group, and batches of growing size: `2`, `25%`, `1,25%,100%`.

use std::fmt;
use std::str::FromStr;

/// So many instances: a number, or a share of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Number(usize),
    /// So many of a hundred; rounded down, but at least one.
    Percent(usize),
}

impl Share {
    /// The number in a group of `size` instances.
    pub fn of(self, size: usize) -> usize {
        match self {
            Self::Number(number) => number,
            Self::Percent(percent) => (size * percent / 100).max(1),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a number of instances (write 2 or 25%)");
        let (digits, percent) = match text.strip_suffix('%') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        match (digits.parse::<usize>().map_err(|_| bad())?, percent) {
            (0, _) => Err(format!("{text:?}: it must be at least one instance")),
            (number, false) => Ok(Self::Number(number)),
            (number @ 1..=100, true) => Ok(Self::Percent(number)),
            (_, true) => Err(bad()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// The sizes of the batches, one after the other; the last one repeats until all had their turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    sizes: Vec<Share>,
    last: Share,
}

impl Batches {
    /// The sizes in a group of `size` instances, without end.
    pub fn sizes(&self, size: usize) -> impl Iterator<Item = usize> + '_ {
        let written = self.sizes.iter().map(move |share| share.of(size));
        written.chain(std::iter::repeat(self.last.of(size)))
    }
}

impl FromStr for Batches {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sizes = text.split(',').map(|size| size.trim().parse::<Share>());
        let sizes = sizes.collect::<Result<Vec<Share>, String>>()?;
        let last = *sizes.last().ok_or("no batch is given")?;
        Ok(Self { sizes, last })
    }
}

impl fmt::Display for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.sizes.iter().map(ToString::to_string).collect();
        f.write_str(&sizes.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str, group: usize) -> Vec<usize> {
        text.parse::<Batches>().unwrap().sizes(group).take(4).collect()
    }

    #[test]
    fn a_share_rounds_down_to_at_least_one_and_the_last_batch_repeats() {
        assert_eq!(of("1,25%,100%", 8), [1, 2, 8, 8]);
        assert_eq!(of("1, 25%", 10), [1, 2, 2, 2]);
        assert_eq!(of("10%", 3), [1, 1, 1, 1]);
    }

    #[test]
    fn refuses_the_rest_in_one_line() {
        for text in ["", ",", "1,", "0", "1,0%", "101%", "-1", "x", "1;2", "1 2", "%"] {
            let error = text.parse::<Batches>().expect_err(text);
            assert!(!error.contains('\n'), "{error}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_wrote(text in "([1-9][0-9]?%?,){0,4}[1-9][0-9]?%?") {
            let batches: Batches = text.parse().unwrap();
            prop_assert_eq!(batches.to_string(), text);
            prop_assert!(batches.sizes(7).take(9).all(|size| size > 0));
        }

        #[test]
        fn never_panics(text in "\\PC{0,20}") {
            let _ = text.parse::<Batches>();
        }
    }
}
