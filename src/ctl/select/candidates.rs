//! Every instance that a group may have: loaded, pulled in by the group's unit, masked, or named.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::try_join3;

use super::Wish;
use super::group::Group;
use super::instance::Instance;
use super::reading::{Depth, read_all};
use crate::ctl::error::Error;
use crate::ctl::policy::UnitFiles;
use crate::ctl::systemd::{CallError, Row, Systemd, UnitFile};
use crate::ctl::unit_name::natural;

/// The properties of `NAME.service` that name the instances it pulls in.
const PULLS: [&str; 3] = ["Wants", "Requires", "Upholds"];

/// The instances of one template, and what is wanted of them.
pub(super) struct Candidates<'a> {
    wish: &'a Wish,
    /// Found in systemd, by name and whether the group's unit pulls it in.
    found: BTreeSet<String>,
    rows: HashMap<String, Row>,
    pulled: BTreeSet<String>,
    /// Masked on disk, whether or not systemd has read that yet.
    masked: BTreeSet<String>,
    has_template: bool,
    /// The unit of this name does some work itself: it is no handle of a group's.
    is_at_work: bool,
    /// What the group's own unit was read from.
    files: UnitFiles,
    needs_reload: bool,
}

impl<'a> Candidates<'a> {
    pub(super) async fn find(systemd: &Systemd, wish: &'a Wish) -> Result<Self, Error> {
        let doing = || format!("cannot look for {}", wish.text());
        let found = look(systemd, wish).await;
        found.map_err(|error| Error::systemd(doing(), error, systemd.scope()))
    }

    /// Whether there is any instance, or a template: else the name means a plain unit. Some packages
    /// bring a template beside a service that is in use.
    pub(super) fn is_group(&self) -> bool {
        !self.found.is_empty() || (self.has_template && !self.is_at_work)
    }

    /// Reads every candidate, and tells the rolled from the bystanders.
    pub(super) async fn into_group(self, systemd: &Systemd, depth: Depth) -> Result<Group, Error> {
        let exact: BTreeSet<String> = self.wish.named_exactly().into_iter().collect();
        let names = self.found.union(&exact);
        let names: Vec<_> = names.map(|it| (it.clone(), self.pulled.contains(it))).collect();
        let mut all = read_all(systemd, depth, &names, &self.rows).await?;
        all.iter_mut().for_each(|it| it.is_masked |= self.masked.contains(it.unit.full()));
        all.sort_by(|a, b| natural(a.unit.full(), b.unit.full()));
        let is_exact = |it: &Instance| exact.contains(it.unit.full());
        if let Some(missing) = all.iter().find(|it| is_exact(it) && it.is_missing()) {
            return Err(self.nothing(missing.unit.full().to_owned(), systemd));
        }
        let (wanted, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|it| self.wish.matches(it.unit.instance()));
        let wanted: Vec<Instance> =
            wanted.into_iter().filter(|it| is_exact(it) || it.belongs()).collect();
        let bystanders = others.into_iter().filter(Instance::belongs).collect();
        if wanted.is_empty() {
            return Err(self.nothing(self.wish.text(), systemd));
        }
        let mut group =
            Group::assemble(systemd, self.wish.prefix.clone(), wanted, bystanders).await?;
        (group.files, group.needs_reload) = (self.files, self.needs_reload);
        Ok(group)
    }

    fn nothing(&self, what: String, systemd: &Systemd) -> Error {
        Error::NothingMatched { what, scope: systemd.scope() }
    }
}

async fn look<'a>(systemd: &Systemd, wish: &'a Wish) -> Result<Candidates<'a>, CallError> {
    let head = format!("{}@", wish.prefix);
    // A name may have a backslash, which systemd's patterns do not take for an escape.
    let pattern = [format!("{head}*.service")];
    let name = format!("{}.service", wish.prefix);
    let (loaded, on_disk) = (systemd.loaded_rows(&pattern), systemd.unit_files(&pattern));
    let (rows, files, unit) = try_join3(loaded, on_disk, systemd.properties(&name)).await?;
    let pulls = PULLS.iter().flat_map(|property| unit.texts(property));
    let pulled: BTreeSet<String> = pulls.filter(|name| name.starts_with(&head)).collect();
    let template = format!("{head}.service");
    let has_template = files.iter().any(|file| file.name == template);
    let is_masked = |file: &&UnitFile| file.state.starts_with("masked");
    let masked = files.iter().filter(is_masked).map(|file| file.name.clone()).collect();
    let named = files.into_iter().map(|file| file.name).filter(|name| *name != template);
    let found = rows.keys().cloned().chain(named).chain(pulled.iter().cloned()).collect();
    Ok(Candidates {
        wish,
        found,
        rows,
        pulled,
        masked,
        has_template,
        is_at_work: unit.state().main_pid.is_some(),
        files: unit.files(),
        needs_reload: unit.flag("NeedDaemonReload"),
    })
}
