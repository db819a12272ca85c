//! What a member may not have, and whom to ask for it.

use crate::ctl::cli::group::GroupArgs;
use crate::ctl::deployers::{CONF, MEMBERS, may_roll};
use crate::ctl::user::{gid_of, name_of};
use crate::ctl::{CallError, Error, Properties, Scope};

/// The reload of any other unit is no roll, and is not what was asked for.
pub(super) fn rolls_when_reloaded(
    unit: &Properties,
    of: &GroupArgs,
    name: &str,
) -> Result<(), Error> {
    let is_roll = |words: &Vec<String>| {
        words.first().is_some_and(|path| path.ends_with("/rollctl"))
            && words.get(1).is_some_and(|verb| verb == "restart")
    };
    if unit.commands("ExecReload").iter().any(is_roll) {
        return Ok(());
    }
    if unit.text("LoadState") == "not-found" {
        let what = of.group.to_string();
        return Err(Error::NothingMatched { what, scope: Scope::System });
    }
    Err(Error::Refused(format!(
        "only root may roll {name}: its ExecReload= is not rollctl's\n  nothing was touched\n  \
         next: sudo rollctl restart {}",
        of.group
    )))
}

/// Only what is up can be reloaded.
pub(super) fn is_running(properties: &Properties, unit: &str) -> Result<(), Error> {
    match properties.text("ActiveState") {
        "active" | "reloading" => Ok(()),
        state => Err(Error::Refused(format!(
            "{unit} is {state}, so only root may roll it; nothing was touched\n  \
             next: ask an administrator to: systemctl start {unit}"
        ))),
    }
}

/// What `systemctl reload` has no words for.
pub(super) fn not_plain() -> Error {
    Error::Refused(
        "who is not root rolls one whole group, as its unit says: no instances, no options\n  \
         nothing was touched\n  next: rollctl restart GROUP; or sudo rollctl restart …"
            .to_owned(),
    )
}

/// What is missing, as far as that can be seen from here.
pub(super) fn refused(of: &GroupArgs, source: CallError) -> Error {
    let group = &of.group;
    if !source.is_about_rights() {
        let (doing, next) = (format!("{group} is not rolled"), format!("systemctl status {group}"));
        return Error::Systemd { doing, source, next };
    }
    let user = name_of(rustix::process::getuid().as_raw());
    let (why, next) = if !is_member() {
        (
            format!("{user} is not in the group {MEMBERS}"),
            format!("ask an administrator to: usermod -aG {MEMBERS} {user}"),
        )
    } else if !may_roll(group.prefix()) {
        (
            format!("{CONF} does not name {group}"),
            "ask an administrator to name it there".to_owned(),
        )
    } else {
        (
            format!("polkit said no: {source}"),
            "ask an administrator whether polkit 0.106 or later runs".to_owned(),
        )
    };
    Error::Refused(format!(
        "{user} may not roll {group}: {why}\n  nothing was touched\n  \
         next: {next}; or sudo rollctl restart {group}"
    ))
}

fn is_member() -> bool {
    let Some(gid) = gid_of(MEMBERS) else { return false };
    let mine = rustix::process::getgroups().unwrap_or_default();
    mine.iter().any(|it| it.as_raw() == gid) || rustix::process::getegid().as_raw() == gid
}
