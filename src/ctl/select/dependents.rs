//! Units that go down with an instance: those that require it, are bound to it, or are part of it.
//!
//! systemd stops them with the instance. When its start fails, or when stop and start are two jobs,
//! nobody brings them back (measured: the worker is up again, and the unit that required it is not).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::sleep;

use super::Instance;
use crate::ctl::systemd::{AT_ONCE, CallError, Half, Properties, Systemd, Wish};

/// A start that takes longer is left to systemd.
const LIMIT: u32 = 50;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A unit that goes down with an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// Its name.
    pub unit: String,
    /// Whether it cannot be up without the instance.
    pub needs_it: bool,
}

/// What makes a unit go down with another: the property of that one that names it, its own that names
/// that one, and whether it needs it.
const TIES: [(&str, &str, bool); 4] = [
    ("RequiredBy", "Requires", true),
    ("BoundBy", "BindsTo", true),
    ("RequisiteOf", "Requisite", true),
    ("ConsistsOf", "PartOf", false),
];

/// Finds them for each instance: those that are up, and are not of the group themselves. Both sides
/// know; the one with fewer units is asked.
pub(super) async fn read(systemd: &Systemd, instances: &mut [Instance]) -> Result<(), CallError> {
    let group: HashSet<String> = instances.iter().map(|it| it.unit.full().to_owned()).collect();
    let mut others = systemd.loaded_rows(&["*".to_owned()]).await?;
    // What the kernel has found depends on nobody.
    let is_other = |unit: &str| !group.contains(unit) && !unit.ends_with(".device");
    others.retain(|unit, row| row.active.is_up() && is_other(unit));
    let names: Vec<String> = instances.iter().map(|it| it.unit.full().to_owned()).collect();
    let mut all = match others.len() < instances.len() {
        true => told_by_the_others(systemd, others.into_keys()).await?,
        false => {
            told_by_the_group(systemd, names.into_iter(), |unit| others.contains_key(unit)).await?
        }
    };
    for instance in instances {
        instance.dependents = all.remove(instance.unit.full()).unwrap_or_default();
    }
    Ok(())
}

/// Dependents by the unit with which they go down.
type ByUnit = HashMap<String, Vec<Dependent>>;

async fn told_by_the_others(
    systemd: &Systemd,
    others: impl Iterator<Item = String>,
) -> Result<ByUnit, CallError> {
    let mut all = ByUnit::new();
    for (unit, properties) in ask(systemd, others, TIES.map(|(_, own, _)| own)).await? {
        for (_, own, needs_it) in TIES {
            for other in properties.texts(own) {
                add(all.entry(other).or_default(), Dependent { unit: unit.clone(), needs_it });
            }
        }
    }
    Ok(all)
}

async fn told_by_the_group(
    systemd: &Systemd,
    group: impl Iterator<Item = String>,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<ByUnit, CallError> {
    let all = ask(systemd, group, TIES.map(|(theirs, ..)| theirs)).await?.into_iter();
    let dependents = |properties: &Properties| {
        let mut dependents = Vec::new();
        for (theirs, _, needs_it) in TIES {
            let units = properties.texts(theirs).into_iter().filter(|unit| is_wanted(unit));
            units.for_each(|unit| add(&mut dependents, Dependent { unit, needs_it }));
        }
        dependents
    };
    Ok(all.map(|(unit, properties)| (unit, dependents(&properties))).collect())
}

/// A unit may be tied to the instance in several ways.
fn add(all: &mut Vec<Dependent>, it: Dependent) {
    match all.iter_mut().find(|known| known.unit == it.unit) {
        Some(known) => known.needs_it |= it.needs_it,
        None => all.push(it),
    }
}

async fn ask(
    systemd: &Systemd,
    units: impl Iterator<Item = String>,
    properties: [&'static str; 4],
) -> Result<Vec<(String, Properties)>, CallError> {
    let ask = |unit: String| async move {
        let read = systemd.some(&unit, properties.map(|property| (Half::Unit, property))).await?;
        Ok((unit, read))
    };
    stream::iter(units.map(ask)).buffered(AT_ONCE).try_collect().await
}

/// Starts those that are down and can be up: which are up now, and which are still down.
pub(in crate::ctl) async fn bring_back(
    systemd: &Systemd,
    unit: &str,
    dependents: &[Dependent],
) -> (Vec<String>, Vec<String>) {
    let has_it = is_up(systemd, unit).await;
    let missing = (!has_it).then_some(unit);
    let all = join_all(dependents.iter().map(|it| bring_back_one(systemd, it, missing))).await;
    let named = |is: bool| {
        let pairs = dependents.iter().zip(&all).filter(move |(_, up)| **up == Some(is));
        pairs.map(|(it, _)| it.unit.clone()).collect()
    };
    (named(true), named(false))
}

/// Whether it is up again; `None` if it was never down. `missing`: the instance, if that is down.
async fn bring_back_one(systemd: &Systemd, it: &Dependent, missing: Option<&str>) -> Option<bool> {
    // What is under way may be its stop, after which nobody starts it.
    let (was_down, is_up) = settled(systemd, it).await?;
    if is_up {
        return was_down.then_some(true);
    }
    if let Some(missing) = missing
        && (it.needs_it || pulls_in(systemd, &it.unit, missing).await)
    {
        return Some(false);
    }
    // Refused, it stays down, which the look shows.
    let _ = systemd.queue(Wish::Start, &it.unit).await;
    settled(systemd, it).await.map(|(_, is_up)| is_up)
}

/// Whether its start would start the other one, which somebody has stopped; in doubt it would.
async fn pulls_in(systemd: &Systemd, unit: &str, other: &str) -> bool {
    let Ok(properties) = systemd.properties(unit).await else { return true };
    ["Wants", "Upholds"].iter().flat_map(|way| properties.texts(way)).any(|unit| unit == other)
}

/// Waits until nothing is under way with it: whether it was seen down, and whether it is up.
async fn settled(systemd: &Systemd, it: &Dependent) -> Option<(bool, bool)> {
    let mut was_down = false;
    for _ in 0..LIMIT {
        let state = systemd.properties(&it.unit).await.ok()?.state();
        let (is_up, is_down) = (state.active.is_up(), state.active.is_down());
        was_down |= !is_up;
        if state.job.is_none() && (is_up || is_down) {
            return Some((was_down, is_up));
        }
        sleep(LOOK_AGAIN).await;
    }
    Some((true, false))
}

async fn is_up(systemd: &Systemd, unit: &str) -> bool {
    systemd.properties(unit).await.is_ok_and(|it| it.state().active.is_up())
}
