//! Time spans as systemd writes them: `500ms`, `2s`, `1min 30s`, `1h`; a bare number is seconds.
//!
//! Source: systemd.time(7), "Parsing Time Spans".

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A time span that was written by a person and is written back for one.
///
/// `infinity` is not a span: every wait of ours has an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// Why a text is not a time span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSpan(String);

impl fmt::Display for BadSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a time span (write 500ms, 2s, 1min 30s)", self.0)
    }
}

impl std::error::Error for BadSpan {}

/// The units of systemd.time(7), longest spelling first within a unit, with their microseconds.
const UNITS: &[(&[&str], u64)] = &[
    (&["usec", "us", "µs", "μs"], 1),
    (&["msec", "ms"], 1_000),
    (&["seconds", "second", "sec", "s", ""], 1_000_000),
    (&["minutes", "minute", "min", "m"], 60_000_000),
    (&["hours", "hour", "hr", "h"], 3_600_000_000),
    (&["days", "day", "d"], 86_400_000_000),
    (&["weeks", "week", "w"], 604_800_000_000),
];

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let bad = || BadSpan(text.to_owned());
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(bad());
        }
        let mut total = Duration::ZERO;
        while !rest.is_empty() {
            let (part, after) = next_part(rest).ok_or_else(bad)?;
            total = total.checked_add(part).ok_or_else(bad)?;
            rest = after.trim_start();
        }
        Ok(Self(total))
    }
}

/// Takes one `number unit` off the front; `None` when it is not one, or too large.
fn next_part(text: &str) -> Option<(Duration, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    let micros = UNITS.iter().find(|(names, _)| names.contains(&unit))?.1;
    Some((Duration::from_micros(scaled(number, micros)?), rest))
}

/// `number` (digits with at most one point) times `micros`, exact to the microsecond.
fn scaled(number: &str, micros: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut micros_of_fraction = 0;
    let mut place = micros;
    for digit in fraction.chars() {
        place /= 10;
        micros_of_fraction += u64::from(digit.to_digit(10)?) * place;
    }
    whole.checked_mul(micros)?.checked_add(micros_of_fraction)
}

impl fmt::Display for Span {
    /// Writes the span as systemd does, in at most two units: `2min 5s`, `1.25s`, `80ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            0 => write!(f, "0"),
            1..1_000 => write!(f, "{micros}us"),
            1_000..1_000_000 => write!(f, "{}ms", trimmed(micros, 1_000)),
            1_000_000..60_000_000 => write!(f, "{}s", trimmed(micros, 1_000_000)),
            60_000_000..3_600_000_000 => two(f, micros, 60_000_000, "min", 1_000_000, "s"),
            3_600_000_000..86_400_000_000 => two(f, micros, 3_600_000_000, "h", 60_000_000, "min"),
            _ => two(f, micros, 86_400_000_000, "d", 3_600_000_000, "h"),
        }
    }
}

/// `micros / unit` with up to three decimals and no trailing zeros.
fn trimmed(micros: u128, unit: u128) -> String {
    let thousandths = micros * 1_000 / unit;
    let text = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn two(
    f: &mut fmt::Formatter<'_>,
    micros: u128,
    large: u128,
    large_name: &str,
    small: u128,
    small_name: &str,
) -> fmt::Result {
    write!(f, "{}{large_name}", micros / large)?;
    match micros % large / small {
        0 => Ok(()),
        rest => write!(f, " {rest}{small_name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn micros(text: &str) -> Option<u128> {
        text.parse::<Span>().ok().map(|span| span.0.as_micros())
    }

    #[test]
    fn reads_what_systemd_reads() {
        assert_eq!(micros("500ms"), Some(500_000));
        assert_eq!(micros("2"), Some(2_000_000));
        assert_eq!(micros("2s"), Some(2_000_000));
        assert_eq!(micros("1min 30s"), Some(90_000_000));
        assert_eq!(micros("1min30s"), Some(90_000_000));
        assert_eq!(micros("1.5 min"), Some(90_000_000));
        assert_eq!(micros(" 5 us "), Some(5));
        assert_eq!(micros(".5s"), Some(500_000));
        assert_eq!(micros("0"), Some(0));
    }

    #[test]
    fn refuses_the_rest_in_one_line() {
        for text in
            ["", " ", "s", "-1s", "1.2.3s", "5 parsecs", "1e3s", "infinity", "9999999999999999w"]
        {
            let error = text.parse::<Span>().unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn writes_what_a_person_reads() {
        let text = |micros| Span(Duration::from_micros(micros)).to_string();
        assert_eq!(text(0), "0");
        assert_eq!(text(80_000), "80ms");
        assert_eq!(text(1_250_000), "1.25s");
        assert_eq!(text(125_000_000), "2min 5s");
        assert_eq!(text(7_200_000_000), "2h");
    }

    proptest! {
        #[test]
        fn never_panics_and_reads_back_what_it_wrote(text in "\\PC{0,20}", ms in 0u64..10_000_000) {
            let _ = text.parse::<Span>();
            let span = Span(Duration::from_millis(ms));
            let again: Span = span.to_string().parse().unwrap();
            prop_assert!(span.0.abs_diff(again.0) < Duration::from_secs(3600));
        }
    }
}
