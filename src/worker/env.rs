//! The one place that reads settings from the environment.

use std::env;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::Error;
use crate::span::Span;

/// The instance's own directory. systemd separates several by colons; the first is meant.
pub(crate) fn runtime_directory() -> Option<PathBuf> {
    let directories = env::var("RUNTIME_DIRECTORY").ok()?;
    let first = directories.split(':').next().filter(|first| first.starts_with('/'))?;
    Some(first.into())
}

pub(crate) fn set_span(target: &mut Duration, name: &str) -> Result<(), Error> {
    if let Some(Span(span)) = read(name)? {
        *target = span;
    }
    Ok(())
}

pub(crate) fn set<T: FromStr<Err: ToString>>(target: &mut T, name: &str) -> Result<(), Error> {
    if let Some(value) = read(name)? {
        *target = value;
    }
    Ok(())
}

/// An empty variable is an unset one: a unit clears a value with `Environment=NAME=`.
pub(crate) fn read<T: FromStr<Err: ToString>>(name: &str) -> Result<Option<T>, Error> {
    match env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => parse(name, &text).map(Some),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Error::value(name, "is not valid UTF-8")),
    }
}

fn parse<T: FromStr<Err: ToString>>(name: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|why: T::Err| match why.to_string() {
        why if why.contains(text) => Error::value(name, why),
        why => Error::value(name, format!("{text:?}: {why}")),
    })
}

/// Sets a switch as systemd reads them (systemd.syntax(7), "boolean").
pub(crate) fn set_switch(target: &mut bool, name: &str) -> Result<(), Error> {
    let Some(text) = read::<String>(name)? else { return Ok(()) };
    *target = match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => true,
        "0" | "no" | "false" | "off" => false,
        _ => return Err(Error::value(name, format!("{text:?} is not yes or no"))),
    };
    Ok(())
}
