//! The two lanes of a tunnel.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split};
use tokio::sync::Semaphore;

use super::Kind;
use super::frames::Frames;
use super::goodbye;
use super::lane::Lane;

/// What stands between a client and the app once they have left HTTP.
pub(super) struct Pump<C, A> {
    /// To the app.
    pub(super) up: Lane<ReadHalf<C>, WriteHalf<A>>,
    /// To the client.
    pub(super) down: Lane<ReadHalf<A>, WriteHalf<C>>,
    kind: Kind,
}

impl<C: AsyncRead + AsyncWrite, A: AsyncRead + AsyncWrite> Pump<C, A> {
    pub(super) fn new(client: C, app: A, kind: Kind) -> Self {
        let frames = || (kind == Kind::WebSocket).then(Frames::default);
        let (from_client, to_client) = split(client);
        let (from_app, to_app) = split(app);
        Self {
            up: Lane::new(from_client, to_app, frames()),
            down: Lane::new(from_app, to_client, frames()),
            kind,
        }
    }

    /// Carries until there is nothing left to carry; when `farewell` comes, the ends of a WebSocket
    /// are told 1001. True if the client was.
    pub(super) async fn run(&mut self, farewell: impl Future<Output = ()>) -> bool {
        if self.kind == Kind::Other {
            let _ = self.carry().await;
            return false;
        }
        tokio::select! {
            () = self.carry_websocket() => false,
            () = farewell => goodbye::say(self).await,
        }
    }

    /// Carries both ways until both sides have ended, or one is broken.
    pub(super) async fn carry(&mut self) -> io::Result<()> {
        tokio::try_join!(self.up.carry(), self.down.carry()).map(|_| ())
    }

    /// A WebSocket is over when the app has closed its side: only the client is late.
    async fn carry_websocket(&mut self) {
        let has_ended = Semaphore::new(0);
        let Self { up, down, .. } = self;
        let down = async {
            let result = down.carry().await;
            has_ended.add_permits(1);
            result
        };
        tokio::select! {
            _ = async { tokio::try_join!(up.carry(), down) } => {}
            () = goodbye::time_out(&has_ended, 1) => {}
        }
    }
}
