//! Units that were edited and not read by systemd: read once, before the first step.

use super::error::Error;
use super::restart::{Request, choose};
use super::select::Group;
use super::systemd::Systemd;

/// The groups as systemd knows them once it has read what is on disk.
///
/// # Errors
///
/// When systemd does not do so: it refuses, or says that it did and has not (systemd#43001).
pub(super) async fn if_needed(
    systemd: &Systemd,
    groups: Vec<Group>,
    request: &Request,
) -> Result<Vec<Group>, Error> {
    let Some(stale) = stale(&groups) else { return Ok(groups) };
    let scope = systemd.scope();
    systemd.reload().await.map_err(|source| Error::Systemd {
        doing: format!("{stale} was changed on disk, and systemd did not read it"),
        source,
        next: scope.systemctl("daemon-reload"),
    })?;
    let groups = choose(systemd, request).await?;
    match self::stale(&groups) {
        None => Ok(groups),
        Some(stale) => Err(Error::Refused(format!(
            "{stale} was changed on disk, and after a daemon-reload systemd has still not read it; \
             nothing was touched\n  next: {}",
            scope.systemctl(&format!("status {stale}"))
        ))),
    }
}

/// systemd says of a unit that it cannot load that it needs a reload, too.
fn stale(groups: &[Group]) -> Option<String> {
    let mut stale = groups.iter().filter(|group| group.needs_reload());
    let group = stale.next()?;
    let instance = group.instances.iter().find(|it| it.needs_reload && it.obstacle().is_none());
    let own = || group.needs_reload_itself().then(|| format!("{}.service", group.name));
    instance.map(|it| it.unit.full().to_owned()).or_else(own)
}
