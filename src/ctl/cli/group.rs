//! The group that a verb is about, by the logs of its rolls.

use std::io;

use clap::Args;

use super::args::ManagerArgs;
use crate::ctl::log::{Life, Shelf};
use crate::ctl::look::{Look, last_roll, look};
use crate::ctl::systemd::Systemd;
use crate::ctl::{Error, InstancePattern, Scope};

/// What the verbs about one group share.
#[derive(Debug, Args)]
pub(super) struct GroupArgs {
    /// The group, or one of its units: worker, nginx.service
    #[arg(value_name = "GROUP")]
    pub(super) group: InstancePattern,
    #[command(flatten)]
    pub(super) manager: ManagerArgs,
}

/// What the verbs about what is on record share.
#[derive(Debug, Args)]
pub(super) struct OnRecordArgs {
    /// The group, or one of its units; every group that was ever rolled if none is named
    #[arg(value_name = "GROUP")]
    pub(super) group: Option<InstancePattern>,
    /// Tell it as JSON, a roll a line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) manager: ManagerArgs,
}

impl GroupArgs {
    /// The group's last roll.
    pub(super) async fn last_roll(&self) -> Result<Look, Error> {
        last(self.manager.scope(), &self.shelf()?).await?.ok_or_else(|| self.nothing())
    }

    /// The group's roll of this number.
    pub(super) async fn roll(&self, number: u64) -> Result<Look, Error> {
        let look = look_at(self.manager.scope(), &self.shelf()?, number).await;
        look.ok_or_else(|| self.nothing())
    }

    fn shelf(&self) -> Result<Shelf, Error> {
        shelf_of(self.manager.scope(), &self.group)?.ok_or_else(|| self.nothing())
    }

    fn nothing(&self) -> Error {
        Error::NoRoll { group: self.group.to_string(), scope: self.manager.scope() }
    }
}

/// The last roll whose log lies there.
pub(super) async fn last(scope: Scope, shelf: &Shelf) -> Result<Option<Look>, Error> {
    let life = life(scope).await;
    last_roll(scope, shelf, life).map_err(|error| unreadable(shelf, &error))
}

/// One of the rolls whose logs lie there, if it can be read.
pub(super) async fn look_at(scope: Scope, shelf: &Shelf, number: u64) -> Option<Look> {
    look(scope, shelf, number, life(scope).await).ok()
}

/// That of the manager; without an answer nobody can say whether it is another one.
async fn life(scope: Scope) -> Option<Life> {
    Systemd::connect(scope).await.ok()?.life().await.ok()
}

/// Where the rolls of the group are told; of every group if none is named.
pub(super) fn shelves(group: Option<&InstancePattern>, scope: Scope) -> Result<Vec<Shelf>, Error> {
    match group {
        Some(group) => Ok(shelf_of(scope, group)?.into_iter().collect()),
        None => {
            let here = Shelf::at(scope.state_dir());
            Shelf::all(scope).map_err(|error| unreadable(&here, &error))
        }
    }
}

/// Where the rolls of this group are told: of the group itself, or of the plain units that it is
/// one of.
fn shelf_of(scope: Scope, group: &InstancePattern) -> Result<Option<Shelf>, Error> {
    let own = Shelf::of(scope, group.prefix());
    if !own.numbers().map_err(|error| unreadable(&own, &error))?.is_empty() {
        return Ok(Some(own));
    }
    let unit = format!("{}.service", group.prefix());
    let shelves = Shelf::all(scope).map_err(|error| unreadable(&own, &error))?;
    Ok(shelves.into_iter().filter(|shelf| shelf.is_about(&unit)).max_by_key(Shelf::touched))
}

pub(super) fn unreadable(shelf: &Shelf, error: &io::Error) -> Error {
    let dir = shelf.dir().display();
    Error::Refused(match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("what is told of rolls in {dir} is not for you\n  next: sudo rollctl …")
        }
        _ => format!("what is told of rolls in {dir} cannot be read: {error}\n  next: ls -l {dir}"),
    })
}
