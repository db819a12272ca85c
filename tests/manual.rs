//! The hand-written manual of the units has every key of `[X-Roll]`, and every flag.
#![cfg(feature = "ctl")]

use std::collections::BTreeSet;

use rollctl::ctl::Settings;

const MANUAL: &str = include_str!("../packaging/man/worker@.service.5");

#[test]
fn every_key_and_its_flag_is_explained_and_no_other() {
    let told: BTreeSet<(String, String)> = MANUAL.lines().filter_map(told).collect();
    let known = Settings::KEYS.iter().map(|key| (key.name.to_owned(), key.flag.to_owned()));
    assert_eq!(told, known.collect());
}

/// `\fIMaxUnavailable=\fR, \fB\-\-max\-unavailable\fR`
fn told(line: &str) -> Option<(String, String)> {
    let (key, rest) = line.strip_prefix("\\fI")?.split_once("=\\fR, \\fB\\-\\-")?;
    Some((key.to_owned(), rest.strip_suffix("\\fR")?.replace("\\-", "-")))
}
