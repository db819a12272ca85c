//! What a failed run wrote last: a look into the journal, for the last word of a roll.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::scope::Scope;
use super::systemd::Systemd;
use crate::roll::{Failure, Invocation, Outcome};

const LINES: &str = "--lines=5";
const LINE_LIMIT: usize = 200;
/// A journal that is read from a slow disk shall not hold up the news.
const LIMIT: Duration = Duration::from_secs(3);

/// The last lines of the first run that failed; none if nothing failed, or the journal has nothing
/// or is not for this user to read.
pub(super) async fn last_words(scope: Scope, outcome: &Outcome) -> Vec<String> {
    let failed = outcome.instances.iter().find(|it| it.failure.as_ref().is_some_and(is_its_own));
    let Some(failed) = failed else { return Vec::new() };
    let found = timeout(LIMIT, async { of_run(last_run(scope, &failed.instance).await?).await });
    found.await.ok().flatten().unwrap_or_default()
}

/// Whether the run itself failed, rather than the right or the turn to touch it.
fn is_its_own(failure: &Failure) -> bool {
    !matches!(failure, Failure::Refused { .. } | Failure::TakenOver { .. })
}

/// On a connection of its own: the roll's may be from before a restart of the bus.
async fn last_run(scope: Scope, unit: &str) -> Option<Invocation> {
    let systemd = Systemd::connect(scope).await.ok()?;
    systemd.properties(unit).await.ok()?.state().invocation
}

async fn of_run(run: Invocation) -> Option<Vec<String>> {
    let mut journalctl = Command::new("journalctl");
    journalctl.args(["--quiet", "--no-pager", "--output=cat", LINES]);
    journalctl.arg(format!("_SYSTEMD_INVOCATION_ID={run}"));
    let output = journalctl.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).output();
    let text = output.await.ok()?.stdout;
    Some(String::from_utf8_lossy(&text).lines().map(tamed).collect())
}

/// A service may log anything; a terminal shall see text.
pub(super) fn tamed(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(LINE_LIMIT).collect()
}
