//! `%i` and its kin: the specifiers of systemd.unit(5) that tell instances apart.

use crate::ctl::scope::Scope;
use crate::ctl::unit_name::UnitName;

/// Puts in the specifiers of systemd.unit(5) that tell instances apart.
pub(in crate::ctl) fn expand(text: &str, scope: Scope, unit: &UnitName) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('i') => out.push_str(unit.instance()),
            Some('I') => out.push_str(&unescape(unit.instance())),
            Some('j') => out.push_str(last_part(unit.prefix())),
            Some('J') => out.push_str(&unescape(last_part(unit.prefix()))),
            Some('p') => out.push_str(unit.prefix()),
            Some('P') => out.push_str(&unescape(unit.prefix())),
            Some('n') => out.push_str(unit.full()),
            Some('N') => out.push_str(unit.stem()),
            Some('t') => out.push_str(&scope.runtime_dir().to_string_lossy()),
            Some('%') => out.push('%'),
            other => {
                let seen = other.map(String::from).unwrap_or_default();
                return Err(format!("{text:?}: %{seen} is not known here (write %% for a %)"));
            }
        }
    }
    Ok(out)
}

/// `%j`: what is behind the last `-` of the prefix.
fn last_part(prefix: &str) -> &str {
    prefix.rsplit('-').next().unwrap_or(prefix)
}

/// Undoes systemd-escape(1): `-` is `/`, `\x2d` is the byte 2d.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.strip_prefix(b"x").and_then(|hex| hex.get(..2));
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        (rest, _) = match (first, code) {
            (b'\\', Some(code)) => (&after[3..], bytes.push(code)),
            (b'-', _) => (after, bytes.push(b'/')),
            (byte, _) => (after, bytes.push(*byte)),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
