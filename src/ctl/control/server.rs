//! The roll's end: listens beside the lock, and hears its own user and root.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Answer, Command, path};
use crate::ctl::deployers::{readers, share};
use crate::ctl::orders::{Acknowledge, Order};
use crate::ctl::scope::Scope;
use crate::ctl::user::name_of;
use crate::roll::{Decision, Event};

const LINE_LIMIT: u64 = 1000;
/// By how much [`Command::Longer`] and [`Command::Shorter`] change the pause.
const PAUSE_STEP: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(5);

/// A socket that takes orders; gone when dropped, or when the process is.
#[derive(Debug)]
pub struct Control {
    orders: mpsc::Receiver<Order>,
    listening: JoinHandle<()>,
    path: PathBuf,
}

impl Control {
    /// Listens for orders about the group, whose lock is held by the caller.
    ///
    /// # Errors
    ///
    /// When there is no place for the socket.
    pub fn listen(scope: Scope, group: &str) -> io::Result<Self> {
        let path = path(scope, group);
        // One that a killed roll left behind answers nobody any more.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        // Whoever may follow the roll may ask whether it is there, and is not heard.
        share(&path, readers(scope, group), 0o600, 0o660)?;
        let (give, orders) = mpsc::channel(16);
        let listening = tokio::spawn(listen(listener, give));
        Ok(Self { orders, listening, path })
    }

    /// The next order; never, when nobody can give one any more.
    pub(in crate::ctl) async fn next(&mut self) -> Order {
        match self.orders.recv().await {
            Some(order) => order,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.listening.abort();
        // Whoever comes now finds no roll, as it is.
        let _ = fs::remove_file(&self.path);
    }
}

async fn listen(listener: UnixListener, orders: mpsc::Sender<Order>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let orders = orders.clone();
        // One that says nothing keeps nobody else waiting.
        tokio::spawn(async move { timeout(PATIENCE, hear(stream, orders)).await });
    }
}

async fn hear(mut stream: UnixStream, orders: mpsc::Sender<Order>) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    if peer.uid() != 0 && peer.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let by = match peer.pid() {
        Some(pid) => format!("{} (process {pid})", name_of(peer.uid())),
        None => name_of(peer.uid()),
    };
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(LINE_LIMIT)).read_line(&mut line).await?;
    // Who only wanted to know whether there is a roll says nothing.
    let Ok(command) = serde_json::from_str::<Command>(&line) else { return Ok(()) };
    let (acknowledge, taken) = oneshot::channel();
    let acknowledge = Some(Acknowledge(acknowledge));
    let order = Order { event: command.event(by), acknowledge };
    if orders.send(order).await.is_err() || taken.await.is_err() {
        return Ok(());
    }
    let mut answer = serde_json::to_vec(&Answer { taken: true })?;
    answer.push(b'\n');
    write.write_all(&answer).await
}

impl Command {
    /// What it means to the heart.
    pub(in crate::ctl) fn event(self, by: String) -> Event {
        match self {
            Self::Pause => Event::Pause { by },
            Self::Resume => Event::Resume { by },
            Self::Abort => Event::Abort { by },
            Self::Longer => Event::Longer(PAUSE_STEP),
            Self::Shorter => Event::Shorter(PAUSE_STEP),
            Self::Accept => Event::Decided(Decision::Accept),
            Self::Reject => Event::Decided(Decision::Reject),
            Self::Retry => Event::Decided(Decision::Retry),
        }
    }
}
