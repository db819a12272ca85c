//! From patterns to groups: which instances are rolled, which only counted, which left out.
//!
//! ```text
//! patterns ─► candidates (loaded, enabled, named) ─► rolled │ bystanders │ left out
//! ```
//!
//! Patterns of several groups are rolled one group after the other, in the order in which they
//! were named; the plain units among them make one group of their own.

mod candidates;
mod dependents;
mod group;
mod instance;
mod own_files;
mod reading;
mod service;
mod triggers;

use super::error::Error;
use super::pattern::{InstancePattern, Wanted};
use super::systemd::Systemd;
use candidates::Candidates;
use reading::read_all;

pub use dependents::Dependent;
pub(super) use dependents::bring_back;
pub use group::{Group, LeftOut, Socket};
pub use instance::Instance;
pub use reading::Depth;
pub use service::Service;

/// The groups that the patterns mean, in the order in which they were named.
///
/// # Errors
///
/// When nothing matches, when a unit is in no state to be rolled, or when systemd does not answer.
pub async fn select(
    systemd: &Systemd,
    depth: Depth,
    patterns: &[InstancePattern],
) -> Result<Vec<Group>, Error> {
    let mut groups = Vec::new();
    let mut plain: Vec<String> = Vec::new();
    for wish in wishes(patterns) {
        let candidates = Candidates::find(systemd, &wish).await?;
        match candidates.is_group() || !wish.means_all() {
            true => groups.push(candidates.into_group(systemd, depth).await?),
            false => plain.push(format!("{}.service", wish.prefix)),
        }
    }
    if !plain.is_empty() {
        groups.push(plain_group(systemd, depth, plain).await?);
    }
    Ok(groups)
}

/// Every group that systemd knows of: what `rollctl list` shows when nothing is named.
///
/// # Errors
///
/// When systemd does not answer.
pub async fn all_groups(systemd: &Systemd) -> Result<Vec<Group>, Error> {
    let scope = systemd.scope();
    let units = systemd.loaded_units(&["*@*.service".to_owned()]).await;
    let units = units.map_err(|error| Error::systemd("cannot list the units", error, scope))?;
    let mut prefixes: Vec<&str> = units.iter().filter_map(|unit| unit.split('@').next()).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    let patterns: Vec<InstancePattern> = prefixes.iter().filter_map(|p| p.parse().ok()).collect();
    let mut groups = Vec::new();
    for wish in wishes(&patterns) {
        let candidates = Candidates::find(systemd, &wish).await?;
        if let Ok(group) = candidates.into_group(systemd, Depth::Whole).await {
            groups.push(group);
        }
    }
    Ok(groups)
}

/// All patterns of one prefix.
pub(super) struct Wish {
    prefix: String,
    patterns: Vec<InstancePattern>,
}

impl Wish {
    fn means_all(&self) -> bool {
        self.patterns.iter().all(|pattern| *pattern.wanted() == Wanted::Whole)
    }

    fn matches(&self, instance: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(instance))
    }

    fn named_exactly(&self) -> Vec<String> {
        self.patterns.iter().flat_map(InstancePattern::named_exactly).collect()
    }

    fn text(&self) -> String {
        let texts: Vec<String> = self.patterns.iter().map(ToString::to_string).collect();
        texts.join(" ")
    }
}

fn wishes(patterns: &[InstancePattern]) -> Vec<Wish> {
    let mut wishes: Vec<Wish> = Vec::new();
    for pattern in patterns {
        match wishes.iter_mut().find(|wish| wish.prefix == pattern.prefix()) {
            Some(wish) => wish.patterns.push(pattern.clone()),
            None => wishes.push(Wish {
                prefix: pattern.prefix().to_owned(),
                patterns: vec![pattern.clone()],
            }),
        }
    }
    wishes
}

async fn plain_group(systemd: &Systemd, depth: Depth, units: Vec<String>) -> Result<Group, Error> {
    let named: Vec<_> = units.iter().map(|unit| (unit.clone(), true)).collect();
    let rows = systemd.rows(&units).await.map_err(|error| reading::cannot_list(error, systemd))?;
    let instances = read_all(systemd, depth, &named, &rows).await?;
    let missing: Vec<&str> =
        instances.iter().filter(|it| it.is_missing()).map(|it| it.unit.full()).collect();
    if !missing.is_empty() {
        return Err(Error::NothingMatched { what: missing.join(" "), scope: systemd.scope() });
    }
    Group::assemble(systemd, units.join(" "), instances, Vec::new()).await
}
