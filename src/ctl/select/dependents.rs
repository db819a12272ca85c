//! Units that go down with an instance: those that require it, are bound to it, or are part of it.
//!
//! systemd stops them with the instance. When its start fails, or when stop and start are two jobs,
//! nobody brings them back (measured: the worker is up again, and the unit that required it is not).

use std::collections::{BTreeSet, HashMap, HashSet};
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

impl Dependent {
    /// The properties of an instance that name them, and whether they need it.
    const PROPERTIES: [(&'static str, bool); 4] =
        [("RequiredBy", true), ("BoundBy", true), ("RequisiteOf", true), ("ConsistsOf", false)];

    fn all_of(properties: &Properties) -> Vec<Self> {
        let of = |(property, needs_it): (&str, bool)| {
            let units = properties.texts(property).into_iter();
            units.map(move |unit| Self { unit, needs_it }).collect::<Vec<_>>()
        };
        Self::PROPERTIES.into_iter().flat_map(of).collect()
    }
}

/// Reads them for each instance: those that are up, and are not of the group themselves.
pub(super) async fn read(systemd: &Systemd, instances: &mut [Instance]) -> Result<(), CallError> {
    let names = || Dependent::PROPERTIES.map(|(property, _)| (Half::Unit, property));
    let read = instances.iter().map(|it| systemd.some(it.unit.full(), names()));
    let read: Vec<Properties> = stream::iter(read).buffered(AT_ONCE).try_collect().await?;
    for (instance, properties) in instances.iter_mut().zip(&read) {
        instance.dependents = Dependent::all_of(properties);
    }
    keep_those_up(systemd, instances).await
}

async fn keep_those_up(systemd: &Systemd, instances: &mut [Instance]) -> Result<(), CallError> {
    let group: HashSet<String> = instances.iter().map(|it| it.unit.full().to_owned()).collect();
    let dependents = instances.iter().flat_map(|it| &it.dependents).map(|it| it.unit.clone());
    let others: BTreeSet<String> = dependents.filter(|unit| !group.contains(unit)).collect();
    let rows = match others.is_empty() {
        true => HashMap::new(),
        false => systemd.rows(&Vec::from_iter(others)).await?,
    };
    let is_up = |it: &Dependent| rows.get(&it.unit).is_some_and(|row| row.active.is_up());
    instances.iter_mut().for_each(|it| it.dependents.retain(is_up));
    Ok(())
}

/// Starts those that are down and can be up: which are up now, and which are still down.
pub(in crate::ctl) async fn bring_back(
    systemd: &Systemd,
    unit: &str,
    dependents: &[Dependent],
) -> (Vec<String>, Vec<String>) {
    let has_it = is_up(systemd, unit).await;
    let all = join_all(dependents.iter().map(|it| bring_back_one(systemd, it, has_it))).await;
    let named = |is: bool| {
        let pairs = dependents.iter().zip(&all).filter(move |(_, up)| **up == Some(is));
        pairs.map(|(it, _)| it.unit.clone()).collect()
    };
    (named(true), named(false))
}

/// Whether it is up again; `None` if it was never down.
async fn bring_back_one(systemd: &Systemd, it: &Dependent, has_it: bool) -> Option<bool> {
    // What is under way may be its stop, after which nobody starts it.
    let (was_down, is_up) = settled(systemd, it).await?;
    if is_up {
        return was_down.then_some(true);
    }
    if it.needs_it && !has_it {
        return Some(false);
    }
    // Refused, it stays down, which the look shows.
    let _ = systemd.queue(Wish::Start, &it.unit).await;
    settled(systemd, it).await.map(|(_, is_up)| is_up)
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
