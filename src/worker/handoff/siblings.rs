//! Who accepts from the same sockets, and how many connections each of them has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::Place;
use super::socket::Link;
use crate::handoff::{Frame, Hello};

/// How long to wait for the others once one has said who it is; one that is stopped or stuck says
/// nothing.
const OTHERS_LIMIT: Duration = Duration::from_millis(250);

/// How long to wait for anybody at all; with nobody to take them, connections end.
const FIRST_LIMIT: Duration = Duration::from_secs(2);

/// So many are asked at most.
const MOST: usize = 64;

/// A sibling at the other end of a link, and what it said first.
#[derive(Debug)]
pub(crate) struct Sibling {
    pub(super) link: Link,
    pub(super) hello: Hello,
}

/// Siblings that were asked who they are, and have not said it yet. One that takes thousands from
/// somebody else may be slow to answer.
#[derive(Debug)]
pub(crate) struct Greeting {
    asked: JoinSet<Option<Sibling>>,
    group: u64,
}

impl Greeting {
    /// Asks all that are ready.
    pub(super) fn all(place: &Place) -> Self {
        let mut asked = JoinSet::new();
        for path in beside(&place.path).into_iter().take(MOST) {
            asked.spawn(ask(path));
        }
        Self { asked, group: place.group }
    }

    /// Nobody.
    pub(super) fn none() -> Self {
        Self { asked: JoinSet::new(), group: 0 }
    }

    /// Whether nobody is left who could answer.
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// The next that answers; `None` when nobody is left. Nothing is lost when this is dropped early.
    pub(super) async fn next(&mut self) -> Option<Sibling> {
        while let Some(answer) = self.asked.join_next().await {
            if let Ok(Some(sibling)) = answer
                && sibling.hello.group == self.group
            {
                return Some(sibling);
            }
        }
        None
    }

    /// Those that answer soon.
    pub(super) async fn prompt(&mut self) -> Vec<Sibling> {
        let begun = Instant::now();
        let mut siblings = Vec::new();
        loop {
            let limit = if siblings.is_empty() { FIRST_LIMIT } else { OTHERS_LIMIT };
            let Ok(Some(sibling)) = timeout_at(begun + limit, self.next()).await else { break };
            siblings.push(sibling);
        }
        siblings
    }
}

impl Sibling {
    pub(super) fn has_room(&self) -> bool {
        self.hello.room > 0
    }
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
