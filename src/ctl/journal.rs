//! What a failed run wrote last: a look into the journal, for the last word of a roll.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::roll::Invocation;

const LINES: &str = "--lines=5";
const LINE_LIMIT: usize = 200;
/// A journal that is read from a slow disk shall not hold up the news.
const LIMIT: Duration = Duration::from_secs(3);

/// The last lines of a run; none if the journal has nothing, or is not for this user to read.
pub(super) async fn last_words(run: Invocation) -> Vec<String> {
    timeout(LIMIT, of_run(run)).await.ok().flatten().unwrap_or_default()
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
