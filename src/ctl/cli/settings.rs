//! The settings that `plan` shows: each value, and where it comes from.

use serde::Serialize;

use crate::ctl::policy::{About, Key, Policies, Settings};
use crate::ctl::report::{listed, short};
use crate::roll::Plan;

/// A value and where it comes from.
#[derive(PartialEq, Eq, Serialize)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) from: String,
}

/// Every setting; one that is not the same for all instances is shown for each value.
pub(super) fn settings(plan: &Plan, policies: &Policies) -> Vec<Setting> {
    let rows = Settings::KEYS.iter().flat_map(|key| match key.about {
        About::Whole => vec![setting(key, key.flag.to_owned(), &policies.whole)],
        About::Instance => of_instances(key, plan, policies),
    });
    rows.collect()
}

fn of_instances(key: &Key, plan: &Plan, policies: &Policies) -> Vec<Setting> {
    let mut values: Vec<(Setting, Vec<&str>)> = Vec::new();
    for member in plan.members() {
        let one = setting(key, key.flag.to_owned(), &policies.of_instance(&member.unit));
        match values.iter_mut().find(|(known, _)| *known == one) {
            Some((_, units)) => units.push(short(&member.unit)),
            None => values.push((one, vec![short(&member.unit)])),
        }
    }
    let differ = values.len() > 1;
    let named = |(setting, units): (Setting, Vec<&str>)| match differ {
        true => Setting { name: format!("{} of {}", setting.name, listed(&units)), ..setting },
        false => setting,
    };
    values.into_iter().map(named).collect()
}

fn setting(key: &Key, name: String, given: &Settings) -> Setting {
    match given.told(key) {
        Some((value, from)) => Setting { name, value, from: from.to_string() },
        None => {
            let from = if key.flag == "timeout" { "unit" } else { "default" };
            Setting { name, value: Settings::default_of(key.flag), from: from.to_owned() }
        }
    }
}
