//! The grammar of a pattern, and what is wrong with a text that is none.

use super::Choice;
use crate::ctl::unit_name::is_name_char;

/// systemd's own limit (UNIT_NAME_MAX).
const NAME_LIMIT: usize = 255;
const RANGE_LIMIT: usize = 1000;

pub(super) fn without_type(text: &str) -> Result<&str, &'static str> {
    if text.len() > NAME_LIMIT {
        return Err("a unit's name has at most 255 characters");
    }
    match text.rsplit_once('.') {
        Some((name, "service")) => Ok(name),
        Some((_, kind)) if is_other_type(kind) => Err("only services can be rolled"),
        _ => Ok(text),
    }
}

fn is_other_type(kind: &str) -> bool {
    let others = "socket target timer mount automount swap path slice scope device";
    others.split(' ').any(|other| other == kind)
}

pub(super) fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    match prefix {
        "" => Err("a group has no name"),
        _ if prefix.contains(['*', '?', '[', '{']) => {
            Err("a pattern goes behind the @: it chooses instances of one group")
        }
        _ if !prefix.chars().all(is_name_char) => {
            Err("a name has a character that systemd forbids")
        }
        _ => Ok(()),
    }
}

/// `{1..4}`, `{a,b*}`, or a single one.
pub(super) fn choices(text: &str) -> Result<Vec<Choice>, &'static str> {
    let Some(inner) = text.strip_prefix('{') else {
        return match text.contains(['{', '}']) {
            true => Err("{ } goes right behind the @, and around all of it"),
            false => Ok(vec![choice(text)?]),
        };
    };
    let inner = inner.strip_suffix('}').ok_or("a { has no }")?;
    match inner.split_once("..") {
        Some((first, last)) => range(first, last),
        None => inner.split(',').map(choice).collect(),
    }
}

fn choice(text: &str) -> Result<Choice, &'static str> {
    let is_pattern = text.contains(['*', '?', '[', ']']);
    let fits = |c: char| is_name_char(c) || c == '@' || (is_pattern && "*?[]^!".contains(c));
    match text {
        "" => Err("an instance has no name"),
        _ if !text.chars().all(fits) => Err("a name has a character that systemd forbids"),
        _ if !is_pattern => Ok(Choice::Exactly(text.to_owned())),
        _ if !is_closed(text) => Err("a [ has no ]"),
        _ => Ok(Choice::Like(text.to_owned())),
    }
}

/// The numbers from first to last, as wide as the first is written (`{01..12}`), as a shell does.
fn range(first: &str, last: &str) -> Result<Vec<Choice>, &'static str> {
    const BAD: &str = "a range is two numbers: {1..4}";
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<usize>().map_err(|_| BAD),
        false => Err(BAD),
    };
    let (from, to) = (number(first)?, number(last)?);
    let width = if first.starts_with('0') { first.len() } else { 0 };
    if from > to {
        return Err("a range begins with its smaller number");
    }
    if to - from >= RANGE_LIMIT {
        return Err("a range has at most 1000 instances");
    }
    Ok((from..=to).map(|number| Choice::Exactly(format!("{number:0width$}"))).collect())
}

fn is_closed(text: &str) -> bool {
    match text.find('[') {
        Some(open) => text[open..].contains(']'),
        None => !text.contains(']'),
    }
}

/// What fits in a line of an error.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
