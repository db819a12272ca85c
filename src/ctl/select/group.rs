//! A group that can be rolled, and the plan for it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures_util::future::try_join_all;

use super::dependents;
use super::instance::Instance;
use crate::ctl::error::Error;
use crate::ctl::policy::{Policies, Settings, UnitFiles};
use crate::ctl::scope::Scope;
use crate::ctl::systemd::Systemd;
use crate::roll::{Member, Plan, Turn};

/// The instances of a group and its sockets.
#[derive(Debug)]
pub struct Group {
    /// `worker`, or the names of plain units.
    pub name: String,
    /// Which manager runs it.
    pub scope: Scope,
    /// The instances to roll: in natural order, plain units as they were named.
    pub instances: Vec<Instance>,
    /// The group's other instances: never touched, but counted.
    pub bystanders: Vec<Instance>,
    /// What matched and is not rolled.
    pub left_out: Vec<LeftOut>,
    /// The sockets that the instances are tied to.
    pub sockets: Vec<Socket>,
    /// What the group's own unit (`worker.service`) was read from.
    pub files: UnitFiles,
    /// Its file changed on disk and systemd has not read it.
    pub(super) needs_reload: bool,
    /// Where systemd's own view of the files begins.
    root: Option<PathBuf>,
}

/// A unit that matched and is not rolled.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// Its name.
    pub unit: String,
    /// Why.
    pub why: String,
}

/// A socket unit of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its name.
    pub unit: String,
    /// Whether more than one instance of the group is tied to it.
    pub is_shared: bool,
    /// Its addresses: type (`Stream`, …) and address.
    pub listen: Vec<(String, String)>,
    /// Whether systemd accepts for the service (`Accept=yes`), which then holds no listener.
    pub accepts: bool,
    /// Whether it was active when the plan was made.
    pub is_active: bool,
    /// Whether an instance that was up is tied to it: it must be active throughout.
    pub is_needed: bool,
}

impl Group {
    pub(super) async fn assemble(
        systemd: &Systemd,
        name: String,
        wanted: Vec<Instance>,
        mut bystanders: Vec<Instance>,
    ) -> Result<Self, Error> {
        let (masked, instances): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(Instance::is_masked);
        let left_out = masked
            .iter()
            .map(|it| LeftOut { unit: it.unit.full().to_owned(), why: "masked".to_owned() });
        let left_out = left_out.collect();
        // It may be up all the same, and serve until it is stopped.
        bystanders.extend(masked);
        bystanders.retain(|it| !it.is_masked() || it.state.active.is_up());
        let sockets = sockets(systemd, &instances, &bystanders).await?;
        let scope = systemd.scope();
        let files = UnitFiles::default();
        let needs_reload = false;
        let root = systemd.root().await;
        Ok(Self {
            name,
            scope,
            instances,
            bystanders,
            left_out,
            sockets,
            files,
            needs_reload,
            root,
        })
    }

    /// Reads what goes down with each instance: it matters to a roll, and not before.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn read_dependents(&mut self, systemd: &Systemd) -> Result<(), Error> {
        dependents::read(systemd, &mut self.instances).await.map_err(|error| {
            Error::systemd("cannot read what goes down with them", error, systemd.scope())
        })
    }

    /// The plan for this group.
    ///
    /// # Errors
    ///
    /// When the group is in no state to be rolled, or the policy would leave nobody serving.
    pub fn plan(&self, policies: &Policies, is_attended: bool) -> Result<Plan, Error> {
        self.check()?;
        let member = |it: &Instance| Member {
            unit: it.unit.full().to_owned(),
            up: it.state.active.is_up(),
            turn: Turn {
                has_dependents: !it.dependents.is_empty(),
                ..policies.turn(it.unit.full(), it.timeout())
            },
        };
        let members = self.instances.iter().map(member).collect();
        let bystanders = self.bystanders.iter().map(|it| it.unit.full().to_owned()).collect();
        Plan::new(members, bystanders, policies.policy(is_attended))
            .map_err(|bad| Error::Refused(format!("{} was not touched: {bad}", self.name)))
    }

    /// What `[X-Roll]` and the command line say of this group.
    ///
    /// # Errors
    ///
    /// What is wrong in which line of which file.
    pub fn policies(&self, command_line: &Settings) -> Result<Policies, Error> {
        let everyone = self.instances.iter().chain(&self.bystanders);
        let files = everyone.map(|it| (it.unit.full(), &it.files));
        Policies::of(self.root.as_deref(), &self.files, files, command_line).map_err(|what| {
            let (name, flag) = (&self.name, self.scope.flag());
            Error::Refused(format!(
                "{what}\n  {name} was not touched\n  \
                 next: correct it; rollctl plan {flag}{name} shows every value"
            ))
        })
    }

    /// Whether systemd has not read what is on disk.
    pub fn needs_reload(&self) -> bool {
        self.needs_reload || self.instances.iter().any(|it| it.needs_reload)
    }

    pub(in crate::ctl) fn needs_reload_itself(&self) -> bool {
        self.needs_reload
    }

    /// The instance of this name, if it is one that is rolled.
    pub fn instance(&self, unit: &str) -> Option<&Instance> {
        self.instances.iter().find(|it| it.unit.full() == unit)
    }

    /// What a roll of this group locks: the group, or each of its plain units.
    pub fn lock_names(&self) -> Vec<&str> {
        let units = self.instances.iter().map(|it| &it.unit);
        units.map(|unit| unit.prefix()).collect()
    }

    /// The names of the sockets that must be active throughout.
    pub fn needed_sockets(&self) -> Vec<String> {
        let needed = self.sockets.iter().filter(|socket| socket.is_needed);
        needed.map(|socket| socket.unit.clone()).collect()
    }

    fn check(&self) -> Result<(), Error> {
        if self.instances.is_empty() {
            return Err(Error::Refused(self.all_left_out()));
        }
        let blocked = self.instances.iter().find_map(|it| Some((it, it.obstacle()?)));
        if let Some((it, why)) = blocked {
            let unit = it.unit.full();
            let next = self.scope.systemctl(&format!("status {unit}"));
            return Err(Error::Refused(format!(
                "{unit} {why}; nothing was touched\n  next: {next}"
            )));
        }
        Ok(())
    }

    fn all_left_out(&self) -> String {
        let units: Vec<&str> = self.left_out.iter().map(|left| left.unit.as_str()).collect();
        let units = units.join(" ");
        let next = self.scope.systemctl(&format!("unmask {units}"));
        format!("nothing to roll, for what matched is masked: {units}\n  next: {next}")
    }
}

async fn sockets(
    systemd: &Systemd,
    instances: &[Instance],
    bystanders: &[Instance],
) -> Result<Vec<Socket>, Error> {
    let everyone = || instances.iter().chain(bystanders);
    let names: BTreeSet<&String> = everyone().flat_map(|it| &it.sockets).collect();
    let anyone_is_up = everyone().any(|it| it.state.active.is_up());
    try_join_all(names.into_iter().map(|name| async move {
        let users: Vec<&Instance> = everyone().filter(|it| it.sockets.contains(name)).collect();
        let unit = systemd.properties(name).await.map_err(|error| {
            Error::systemd(format!("cannot read {name}"), error, systemd.scope())
        })?;
        Ok(Socket {
            unit: name.clone(),
            is_shared: users.len() > 1,
            listen: unit.listen(),
            accepts: unit.flag("Accept"),
            is_active: unit.state().active.is_up(),
            // The socket of an instance that is down comes up with it.
            is_needed: !anyone_is_up || users.iter().any(|it| it.state.active.is_up()),
        })
    }))
    .await
}
