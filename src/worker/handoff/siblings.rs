//! Who accepts from the same sockets, and how many connections each of them has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::Place;
use super::socket::Link;
use crate::handoff::{Frame, Hello};

/// How long a sibling has to say who it is, when another one has; one that is stopped or stuck says
/// nothing, and nothing is sent to it.
const HELLO_LIMIT: Duration = Duration::from_millis(250);

/// How long the only ones have: a newcomer that just takes thousands may be slow to answer, and with
/// nobody to take them, connections end.
const LAST_HELLO_LIMIT: Duration = Duration::from_secs(2);

/// So many are asked at most.
const MOST: usize = 64;

/// A sibling at the other end of a link, and what it said first.
#[derive(Debug)]
pub(crate) struct Sibling {
    pub(super) link: Link,
    pub(super) hello: Hello,
}

/// Those that would take connections.
pub(crate) async fn takers(place: &Place) -> Vec<Sibling> {
    let mut siblings = greet(place).await;
    siblings.retain(|sibling| sibling.hello.room > 0);
    siblings
}

/// Asks all siblings that are ready who they are.
pub(super) async fn greet(place: &Place) -> Vec<Sibling> {
    let mut asked = JoinSet::new();
    for path in beside(&place.path).into_iter().take(MOST) {
        asked.spawn(ask(path));
    }
    let begun = Instant::now();
    let mut siblings = Vec::new();
    loop {
        let limit = if siblings.is_empty() { LAST_HELLO_LIMIT } else { HELLO_LIMIT };
        let Ok(Some(answer)) = timeout_at(begun + limit, asked.join_next()).await else { break };
        if let Ok(Some(sibling)) = answer
            && sibling.hello.group == place.group
        {
            siblings.push(sibling);
        }
    }
    siblings
}

/// `/run/worker/1/handoff.sock` ─► those in `/run/worker/*`, without its own.
pub(super) fn beside(path: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return vec![] };
    let entries = directory.parent().and_then(|parent| std::fs::read_dir(parent).ok());
    let directories = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let others = directories.filter(|other| other != directory);
    others.map(|other| other.join(name)).filter(|socket| socket.exists()).collect()
}

/// `None`: it is just going, or no worker, or one of another version.
async fn ask(path: PathBuf) -> Option<Sibling> {
    let link = Link::connect(&path).ok()?;
    let packet = link.receive().await.ok()??;
    match Frame::decode(&packet.bytes) {
        Ok(Frame::Hello(hello)) => Some(Sibling { link, hello }),
        Ok(_) => None,
        Err(why) => {
            tracing::info!("{}: connections cannot move there: {why}", path.display());
            None
        }
    }
}
