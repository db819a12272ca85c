//! Taking the connections of siblings that drain, or that have more.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::desk::{Adopted, Desk};
use super::socket::Listener;
use super::{Place, asking};
use crate::worker::connections::Connections;

/// So many siblings may call at a time.
const MOST_LINKS: usize = 32;

/// How long to wait when descriptors or memory have run out.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The open hand-off socket; dropped, it is gone, and nothing more is taken: what is on its way
/// goes back to its giver.
#[derive(Default)]
pub(crate) struct Taking {
    tasks: JoinSet<()>,
    path: Option<PathBuf>,
    desk: Option<Desk>,
}

impl Taking {
    /// Opens the socket; each connection that comes is brought to `adopt` in its turn. Without the
    /// socket the worker serves as well, so what is wrong is only told.
    pub(crate) fn open(
        place: &Place,
        connections: &Arc<Connections>,
        adopt: impl Fn(Adopted, OwnedSemaphorePermit) + Send + Sync + 'static,
    ) -> Self {
        let listener = match Listener::bind(&place.path) {
            Ok(listener) => listener,
            Err(error) => {
                let path = place.path.display();
                tracing::warn!("{path}: no connections of siblings can be taken: {error}");
                return Self::default();
            }
        };
        let connections = connections.clone();
        let desk = Desk { place: place.clone(), connections, adopt: Arc::new(adopt) };
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, desk.clone()));
        Self { tasks, path: Some(place.path.clone()), desk: Some(desk) }
    }

    /// Asks the siblings for our share of all connections; to be done once we are ready.
    pub(crate) fn ask(&mut self) {
        if let Some(desk) = self.desk.take().filter(|desk| desk.place.balances) {
            self.tasks.spawn(asking::ask(desk));
        }
    }

    /// Takes nothing more. Waited for, so that whoever was just being adopted is in the books.
    pub(crate) async fn stop(&mut self) {
        self.unlink();
        self.tasks.shutdown().await;
    }

    fn unlink(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.unlink();
    }
}

impl fmt::Debug for Taking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taking").field("path", &self.path).finish_non_exhaustive()
    }
}

async fn accept(listener: Listener, desk: Desk) {
    let room = Arc::new(Semaphore::new(MOST_LINKS));
    let mut links = JoinSet::new();
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok(link) => {
                let desk = desk.clone();
                links.spawn(async move {
                    let _place = place;
                    if let Err(error) = desk.serve(link).await {
                        tracing::warn!("a hand-over ended early: {error}");
                    }
                });
            }
            Err(error) => {
                tracing::warn!("cannot take connections, trying again: {error}");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
        while links.try_join_next().is_some() {}
    }
}
