//! A server that takes its listening socket from systemd and leaves without dropping a request.
//!
//! ```text
//! Starting ─► Serving ─► Draining ─► Stopped
//!                           │ accept stops, requests finish, idle connections linger
//! ```
//!
//! A Rust service puts it around its own hyper service (or, through hyper-util's
//! `TowerToHyperService`, around any tower service):
//!
//! ```no_run
//! use rollctl::worker;
//! # use std::convert::Infallible;
//! # use http_body_util::Full;
//! # use hyper::{Request, Response, body::{Bytes, Incoming}, service::service_fn};
//! # async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
//! #     Ok(Response::new(Full::new(Bytes::from_static(b"hello\n"))))
//! # }
//! fn main() -> std::process::ExitCode {
//!     worker::main(service_fn(hello))
//! }
//! ```
//!
//! Exit statuses: 0 everything accepted was answered; 1 it could not start or went wrong; 2 a bad
//! flag or environment value; 3 the drain timeout (or a second SIGTERM) cut requests or tunnels.

mod accept;
mod address;
mod admin;
pub mod app;
mod board;
mod config;
mod connection;
mod connections;
mod drain;
mod drain_mode;
pub(crate) mod env;
mod error;
mod files;
mod framing;
mod handoff;
mod head;
mod http1;
mod http2;
mod identity;
mod in_flight;
pub(crate) mod inherit;
mod io;
mod limits;
pub mod log;
mod metrics;
pub(crate) mod notify;
mod service;
mod sniff;
mod stream;
mod track;
mod tunnel;

use std::process::ExitCode;
use std::sync::Arc;

use bytes::Buf;
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Request, Response};
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use address::{Address, BadAddress};
pub use config::Config;
pub use drain::Outcome;
pub use drain_mode::{BadDrain, DrainMode, DrainStatus};
pub use error::Error;
pub use identity::About;

use accept::{Accepting, Doorway, Listener};
use admin::Admin;
use board::{Board, OwnSlot};
use connections::Phase;
pub(crate) use connections::{AppState, Connections};
pub(crate) use drain::Signals;
use handoff::{Fetching, Place, Takers, Taking};
use inherit::Inherited;
pub(crate) use inherit::Socket;
pub(crate) use stream::{Peer, Stream};

/// Any error a service or a body may end with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the worker serves: a hyper service that can be cloned for each connection.
///
/// Implemented for every type that fits; nobody implements it by hand.
pub trait App: Clone + Send + 'static
where
    Self: Service<
            Request<Incoming>,
            Response = Response<Self::Body>,
            Error: Into<BoxError>,
            Future: Send + 'static,
        >,
{
    /// The body of its responses.
    type Body: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> App for S
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Into<BoxError>,
{
    type Body = B;
}

/// Serves `app` as the environment says, from `main` to the exit status; errors go to stderr.
pub fn main<A: App>(app: A) -> ExitCode {
    finish(Config::from_env().and_then(|config| {
        log::start()?;
        Worker::new(config)?.run(app)
    }))
}

/// Turns the end of a worker into its exit status, and says on stderr what went wrong.
pub fn finish(result: Result<Outcome, Error>) -> ExitCode {
    match result {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => {
            log::last_word(&error);
            error.exit_code()
        }
    }
}

/// A worker that holds its sockets and is not serving yet.
#[derive(Debug)]
pub struct Worker {
    config: Config,
    inherited: Inherited,
    connections: Arc<Connections>,
}

impl Worker {
    /// Takes the sockets that systemd passed (or binds `config.listen`) and checks each of them.
    ///
    /// Call it before any thread is started: it removes `LISTEN_FDS` from the environment.
    ///
    /// # Errors
    ///
    /// No socket, a socket that is not a listening stream socket, or an address in use.
    pub fn new(config: Config) -> Result<Self, Error> {
        let inherited = inherit::inherited(config.listen.as_ref())?;
        files::make_room(config.max_connections);
        let connections = Connections::new(&config);
        Ok(Self { config, inherited, connections })
    }

    /// Who this worker is and what it has done so far, for an app that wants to show it.
    pub fn about(&self) -> About {
        About::new(self.connections.clone())
    }

    /// Serves `app` on a runtime of `config.threads` threads until a signal ends it.
    ///
    /// # Errors
    ///
    /// As [`Worker::serve`]; also when the runtime cannot be built.
    pub fn run<A: App>(self, app: A) -> Result<Outcome, Error> {
        self.block_on(|worker| worker.serve(app))
    }

    /// Runs what `story` makes of this worker on a runtime of `config.threads` threads.
    pub(crate) fn block_on<F>(self, story: impl FnOnce(Self) -> F) -> Result<Outcome, Error>
    where
        F: Future<Output = Result<Outcome, Error>>,
    {
        let mut builder = match self.config.threads {
            1 => runtime::Builder::new_current_thread(),
            _ => runtime::Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(self.config.threads).enable_all().build();
        let runtime = runtime.map_err(Error::Runtime)?;
        let outcome = runtime.block_on(story(self));
        // A blocking task of the app must not hold the exit up: everything was answered or cut.
        runtime.shutdown_background();
        outcome
    }

    /// Serves `app` until SIGTERM or SIGINT, then drains; returns what became of the connections.
    ///
    /// # Errors
    ///
    /// Before READY: the listener, the signals or the admin socket could not be set up.
    pub async fn serve<A: App>(self, app: A) -> Result<Outcome, Error> {
        let mut serving = self.open()?.serve(move |_| app.clone());
        serving.signals.terminate().await;
        Ok(serving.drain().await)
    }

    /// Sets up all that can go wrong before READY.
    pub(crate) fn open(self) -> Result<Opened, Error> {
        let Self { config, inherited: Inherited { sockets, lockers }, connections } = self;
        let fetching = Fetching::new(lockers, &sockets);
        Opened::new(config, connections, sockets, fetching)
    }

    /// As [`Worker::open`], but leaves the sockets to somebody else.
    pub(crate) fn open_without_sockets(self) -> Result<(Opened, Vec<Socket>), Error> {
        let Self { config, inherited: Inherited { sockets, lockers }, connections } = self;
        Fetching::new(lockers, &[]).discard();
        let opened = Opened::new(config, connections, Vec::new(), Fetching::default())?;
        Ok((opened, sockets))
    }
}

/// A worker that could serve at once.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) config: Config,
    pub(crate) connections: Arc<Connections>,
    pub(crate) signals: Signals,
    listeners: Vec<Listener>,
    place: Option<Place>,
    fetching: Fetching,
    admin: Admin,
}

impl Opened {
    fn new(
        config: Config,
        connections: Arc<Connections>,
        sockets: Vec<Socket>,
        fetching: Fetching,
    ) -> Result<Self, Error> {
        let signals = Signals::new()?;
        let place = Place::of(&config, &sockets);
        let listeners = Listener::all(sockets, config.drain_mode)?;
        let admin = Admin::open(&config, &connections)?;
        Ok(Self { config, connections, signals, listeners, place, fetching, admin })
    }

    /// Goes on where the unit's last run left off, accepts, each client being served by what `app_for`
    /// makes for it, and says READY.
    pub(crate) fn serve<A: App>(
        mut self,
        app_for: impl Fn(&Peer) -> A + Send + 'static,
    ) -> Serving {
        let listeners = std::mem::take(&mut self.listeners);
        let doorway = Doorway::new(app_for, &self.connections);
        let fetching = std::mem::take(&mut self.fetching);
        fetching.fetch(&self.connections, |adopted, place| doorway.adopt(adopted, place));
        let board = self.place.as_ref().filter(|place| place.balances()).map(|place| {
            self.connections.show_on(OwnSlot::open(place));
            Board::new(place)
        });
        let accepting = Accepting::start(listeners, &doorway, board);
        let adopt = move |adopted, place| doorway.adopt(adopted, place);
        let open = |place| Taking::open(place, &self.connections, adopt);
        let taking = self.place.as_ref().map(open).unwrap_or_default();
        self.ready(accepting, taking)
    }

    /// Says READY for somebody else, who accepts.
    pub(crate) fn stand_by(self) -> Serving {
        self.ready(Accepting::default(), Taking::default())
    }

    fn ready(self, accepting: Accepting, mut taking: Taking) -> Serving {
        let Self { config, connections, signals, place, admin, .. } = self;
        let _herald = notify::ready(&connections);
        taking.ask();
        Serving { config, connections, signals, accepting, place, taking, _herald, _admin: admin }
    }
}

/// A worker that has said READY; dropped, it has nothing more to tell.
#[derive(Debug)]
pub(crate) struct Serving {
    config: Config,
    connections: Arc<Connections>,
    pub(crate) signals: Signals,
    accepting: Accepting,
    place: Option<Place>,
    taking: Taking,
    _herald: JoinSet<()>,
    _admin: Admin,
}

impl Serving {
    /// Accepts no more, moves connections to siblings or leaves them to the next run, and serves what
    /// stays to its end or to the deadline.
    pub(crate) async fn drain(&mut self) -> Outcome {
        self.connections.show_on(None);
        if self.connections.app() == AppState::Down {
            // Newcomers are better off with a sibling, or in the queue.
            self.accepting.refuse().await;
        }
        // Nobody's sibling any more; but clients are served as ever until it is known who takes them.
        self.taking.stop().await;
        let giving = self.find_takers().await;
        self.connections.advance(Phase::Draining);
        self.accepting.refuse().await;
        let told = notify::stopping(&self.connections);
        let Self { config, connections, accepting, signals, .. } = self;
        let outcome = drain::run(config, connections, accepting, signals).await;
        drop(giving);
        told.await;
        notify::gone(&outcome).await;
        outcome
    }

    async fn find_takers(&self) -> JoinSet<()> {
        let Some(place) = &self.place else { return JoinSet::new() };
        let Some(takers) = Takers::find(place).await else { return JoinSet::new() };
        let (outbox, parcels) = mpsc::unbounded_channel();
        self.connections.expect_to_move(outbox);
        handoff::give(takers, parcels, &self.connections)
    }
}
