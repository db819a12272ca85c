//! Reads instances; of a thousand as little as will do.
//!
//! ```text
//! list ─► each that is up ─► is it stale? ──┬► by its files ─► the service half of the first ─► all
//!   └───► each that is down ─► its unit half ┘             └──► its own, where that depends on it
//! ```
//!
//! Each question of a thousand takes 0.1 ms of systemd, the bus and us. After a boot or a
//! daemon-reload systemd looks in the file system for whether a unit is enabled, when all of its unit
//! half is asked for: 2 ms a unit. The service half is most of a unit's 350 properties, and reads its
//! cgroup; its settings are the same for all that were read from the same files.

use std::collections::HashMap;

use futures_util::future::{join, try_join};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::instance::Instance;
use super::own_files::OwnFiles;
use super::service::{START_LIMIT, Service};
use super::triggers::Triggers;
use crate::ctl::error::Error;
use crate::ctl::policy::UnitFiles;
use crate::ctl::systemd::{AT_ONCE, CallError, Half, Properties, Row, Systemd};

/// What names the files that a unit was read from.
const FILES: [&str; 2] = ["FragmentPath", "DropInPaths"];

/// How much of each instance is to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What a roll has to do with.
    Roll,
    /// Its processes, too.
    Whole,
}

/// A unit, and whether the group's own unit pulls it in.
pub(super) type Named = (String, bool);

/// Reads these units, in their order; `rows` is what a list said of them.
///
/// # Errors
///
/// When systemd does not answer, or refuses.
pub(super) async fn read_all(
    systemd: &Systemd,
    depth: Depth,
    units: &[Named],
    rows: &HashMap<String, Row>,
) -> Result<Vec<Instance>, Error> {
    let shared = match depth {
        Depth::Roll => {
            let shared = Shared::look(systemd, units).await;
            Some(shared.map_err(|error| cannot_list(error, systemd))?)
        }
        Depth::Whole => None,
    };
    let listed = |unit| Some((rows.get(unit)?, shared.as_ref()?));
    let heads = units.iter().map(|named| head(systemd, named, listed(&named.0)));
    let mut all: Vec<Instance> = stream::iter(heads).buffered(AT_ONCE).try_collect().await?;
    if let Some(shared) = &shared {
        read_files(systemd, &shared.own_files, &mut all).await?;
    }
    let first_of = firsts(&all);
    let firsts = (0..all.len()).filter(|at| first_of[*at] == *at);
    let mut services = services(systemd, units, firsts).await?;
    let needs_its_own = |at: &usize| {
        let speaks_of_it = || depends(&all[*at], &services[&first_of[*at]]);
        first_of[*at] != *at && (depth == Depth::Whole || speaks_of_it())
    };
    let others: Vec<usize> = (0..all.len()).filter(needs_its_own).collect();
    services.extend(self::services(systemd, units, others).await?);
    for (at, instance) in all.iter_mut().enumerate() {
        let own = services.get(&at).cloned();
        instance.is_service(own.unwrap_or_else(|| services[&first_of[at]].settings()));
    }
    Ok(all)
}

/// Which is the first that was read from the same files, for each.
fn firsts(all: &[Instance]) -> Vec<usize> {
    let mut firsts: HashMap<&UnitFiles, usize> = HashMap::new();
    let places = all.iter().enumerate();
    places.map(|(at, it)| *firsts.entry(&it.files).or_insert(at)).collect()
}

/// Whether a roll needs to know something of this instance that its files do not tell: where it
/// says how it is, which process has its socket.
fn depends(instance: &Instance, settings: &Service) -> bool {
    !instance.sockets.is_empty() || !settings.runtime_directories.is_empty()
}

/// What is known of all of them before any is asked.
struct Shared {
    own_files: OwnFiles,
    triggers: Triggers,
}

impl Shared {
    async fn look(systemd: &Systemd, units: &[Named]) -> Result<Self, CallError> {
        let own_files = OwnFiles::look(systemd, units);
        let (own_files, triggers) = join(own_files, Triggers::look(systemd, units.len())).await;
        Ok(Self { own_files, triggers: triggers? })
    }
}

async fn head(
    systemd: &Systemd,
    (unit, is_pulled): &Named,
    listed: Option<(&Row, &Shared)>,
) -> Result<Instance, Error> {
    // Of those that are down it matters whether they are enabled; an alias is not in the list.
    let is_up = |row: &Row| row.load == "loaded" && !row.active.is_down();
    let Some((row, shared)) = listed.filter(|(row, _)| is_up(row)) else {
        return Ok(Instance::of_unit(unit, *is_pulled, &half(systemd, unit, Half::Unit).await?));
    };
    let sockets = shared.triggers.of(unit);
    let files = FILES.into_iter().filter(|_| shared.own_files.may_be_of(unit));
    let triggered_by = sockets.is_none().then_some("TriggeredBy");
    let names = files.chain(triggered_by).chain(["NeedDaemonReload"]);
    let mut instance = Instance::of_row(unit, *is_pulled, row, &some(systemd, unit, names).await?);
    if let Some(sockets) = sockets {
        instance.sockets = sockets;
    }
    Ok(instance)
}

/// Finds out what the others were read from: their template's files, as systemd has read them.
async fn read_files(
    systemd: &Systemd,
    own_files: &OwnFiles,
    all: &mut [Instance],
) -> Result<(), Error> {
    let is_asked = |it: &Instance| own_files.may_be_of(it.unit.full());
    let others = all.iter_mut().filter(|it| it.files.fragment.is_empty() && !is_asked(it));
    // What is on disk is not what a stale one was read from.
    let (stale, fresh): (Vec<_>, Vec<_>) = others.partition(|it| it.needs_reload);
    let of = |it: &Instance| files(systemd, it.unit.full().to_owned());
    let reading = stream::iter(stale.iter().map(|it| of(it)).collect::<Vec<_>>());
    let read: Vec<UnitFiles> = reading.buffered(AT_ONCE).try_collect().await?;
    stale.into_iter().zip(read).for_each(|(it, files)| it.files = files);
    let Some(first) = fresh.first() else { return Ok(()) };
    let files = of(first).await?;
    fresh.into_iter().for_each(|it| it.files.clone_from(&files));
    Ok(())
}

async fn files(systemd: &Systemd, unit: String) -> Result<UnitFiles, Error> {
    Ok(some(systemd, &unit, FILES).await?.files())
}

async fn services(
    systemd: &Systemd,
    units: &[Named],
    which: impl IntoIterator<Item = usize>,
) -> Result<HashMap<usize, Service>, Error> {
    let read = |at: usize| async move {
        let unit = &units[at].0;
        let limit = some(systemd, unit, [START_LIMIT]);
        let (service, limit) = try_join(half(systemd, unit, Half::Service), limit).await?;
        Ok((at, Service::of(&service, &limit)))
    };
    stream::iter(which.into_iter().map(read)).buffer_unordered(AT_ONCE).try_collect().await
}

async fn half(systemd: &Systemd, unit: &str, half: Half) -> Result<Properties, Error> {
    systemd.half(unit, half).await.map_err(|error| cannot_read(unit, error, systemd))
}

/// Some properties of the half that every unit has.
async fn some(
    systemd: &Systemd,
    unit: &str,
    names: impl IntoIterator<Item = &'static str>,
) -> Result<Properties, Error> {
    let read = systemd.some(unit, names.into_iter().map(|name| (Half::Unit, name))).await;
    read.map_err(|error| cannot_read(unit, error, systemd))
}

pub(super) fn cannot_list(error: CallError, systemd: &Systemd) -> Error {
    Error::systemd("cannot list the units", error, systemd.scope())
}

fn cannot_read(unit: &str, error: CallError, systemd: &Systemd) -> Error {
    Error::systemd(format!("cannot read {unit}"), error, systemd.scope())
}
