//! The app's life.
//!
//! ```text
//! start ─► starting ─► up ─► stopping (SIGTERM, --app-grace, SIGKILL) ─► ended
//!             ▲        │ dies
//!             └─ down ◄┘ with --app-restart; else the worker ends, too
//! ```

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::config::{FrontConfig, Readiness};
use super::place::Place;
use super::pool::Pool;
use super::process::{self, Process};
use super::ready::{self, Notices};
use crate::worker::{AppState, Connections, Error, Signals, Socket, inherit, notify};

/// The first pause before an app is started again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long an app that accepts no more is waited for: to do so again, or to end by itself.
const DEATH_LIMIT: Duration = Duration::from_secs(1);

/// An app that was up for so long starts with the first pause again.
const STEADY: Duration = Duration::from_secs(10);

/// How clients reach the app.
#[derive(Debug)]
enum Reach {
    /// Through the worker.
    Proxied(Arc<Pool>),
    /// On the inherited sockets, past the worker.
    Direct,
}

/// The app and all that is needed to start it again.
#[derive(Debug)]
pub(crate) struct App {
    config: FrontConfig,
    reach: Reach,
    connections: Arc<Connections>,
    command: Command,
    notices: Option<Notices>,
    process: Process,
    started: Instant,
}

impl App {
    /// Starts it at its place, where nobody else may listen.
    pub(crate) async fn start(
        config: FrontConfig,
        words: &[OsString],
        connections: &Arc<Connections>,
    ) -> Result<(Self, Arc<Pool>), Error> {
        let place = place(&config)?;
        if is_answered(&place).await {
            return Err(Error::PlaceTaken(place.to_string()));
        }
        let mut command = process::command(words);
        match &place {
            Place::Port { port, .. } => drop(command.env("PORT", port.to_string())),
            Place::Socket(path) => {
                inherit::remove_stale(path);
                command.env("SOCKET_PATH", path);
                if config.socket_in_port {
                    command.env("PORT", path);
                }
            }
        }
        let pool = Pool::new(place);
        let app = Self::run(config, Reach::Proxied(pool.clone()), command, connections)?;
        let place = pool.place();
        notify::say(&format!("STATUS=starting: waiting for the app at {place}"));
        tracing::info!(pid = app.process.id(), "the app is starting at {place}");
        Ok((app, pool))
    }

    /// Starts it on sockets of its own.
    pub(crate) fn start_on(
        sockets: Vec<Socket>,
        config: FrontConfig,
        words: &[OsString],
        connections: &Arc<Connections>,
    ) -> Result<Self, Error> {
        let command = process::command_with_sockets(words, sockets);
        let command =
            command.map_err(|error| Error::AppStart(name(words), io::Error::other(error)))?;
        let app = Self::run(config, Reach::Direct, command, connections)?;
        notify::say("STATUS=starting: waiting for the app");
        tracing::info!(pid = app.process.id(), "the app is starting on the inherited sockets");
        Ok(app)
    }

    fn run(
        config: FrontConfig,
        reach: Reach,
        mut command: Command,
        connections: &Arc<Connections>,
    ) -> Result<Self, Error> {
        connections.set_app(AppState::Down);
        let notices = listen_for_notices(&config, &mut command)?;
        let process = run(&mut command)?;
        let (connections, started) = (connections.clone(), Instant::now());
        Ok(Self { config, reach, connections, command, notices, process, started })
    }

    /// Waits until it is ready; its end before that is an error.
    pub(crate) async fn ready(&mut self) -> Result<(), Error> {
        let place = match &self.reach {
            Reach::Proxied(pool) => Some(pool.place()),
            Reach::Direct => None,
        };
        let is_ready = ready::wait(place, &self.config.ready, self.notices.as_mut());
        tokio::select! {
            biased;
            how = self.process.ended() => return Err(Error::AppEnded(how)),
            () = is_ready => {}
        }
        tracing::info!("the app is ready after {:.1?}", self.started.elapsed());
        self.connections.set_app(AppState::Up);
        Ok(())
    }

    /// Watches over it, and starts it again where that is wanted; returns how it ended for good.
    pub(crate) async fn keep(&mut self) -> String {
        let (mut pause, longest) = PAUSES;
        let mut how = self.process.ended().await;
        loop {
            self.connections.set_app(AppState::Down);
            if !self.config.restart {
                return how;
            }
            if self.started.elapsed() > STEADY {
                pause = PAUSES.0;
            }
            tracing::error!("the app {how}; starting it again in {pause:?}");
            sleep(pause).await;
            pause = (pause * 2).min(longest);
            how = match self.start_again().await {
                Ok(()) => self.process.ended().await,
                Err(error) => error.to_string(),
            };
        }
    }

    async fn start_again(&mut self) -> Result<(), Error> {
        if let Some(notices) = &mut self.notices {
            notices.forget();
        }
        if let Reach::Proxied(pool) = &self.reach
            && let Place::Socket(path) = pool.place()
        {
            inherit::remove_stale(path);
        }
        self.process = run(&mut self.command)?;
        self.started = Instant::now();
        self.ready().await
    }

    /// How it has ended for good, if it has and nobody has heard of it yet: a process that dies
    /// closes its sockets some time before its end is told.
    pub(crate) async fn has_died(&mut self) -> Option<String> {
        let Reach::Proxied(pool) = &self.reach else { return None };
        if self.config.restart || is_answered(pool.place()).await {
            return None;
        }
        timeout(DEATH_LIMIT, self.process.ended()).await.ok()
    }

    /// Ends it: gently, and after `grace` or at another SIGTERM by force.
    pub(crate) async fn stop(mut self, grace: Duration, signals: &mut Signals) {
        self.connections.set_app(AppState::Stopping);
        self.process.signal(Signal::TERM);
        tokio::select! {
            how = self.process.ended() => return tracing::info!("the app {how}"),
            () = sleep(grace) => tracing::warn!("the app did not end in {grace:?}: killing it"),
            () = signals.terminate() => tracing::warn!("told to go once more: killing the app"),
        }
        self.process.signal(Signal::KILL);
        self.process.ended().await;
    }
}

/// Whether somebody listens there, also one who has no time for us.
async fn is_answered(place: &Place) -> bool {
    timeout(DEATH_LIMIT, place.connect()).await.map_or(true, |connected| connected.is_ok())
}

fn place(config: &FrontConfig) -> Result<Place, Error> {
    match (&config.socket, config.port) {
        (Some(path), None) => Ok(Place::Socket(path.clone())),
        (None, Some(port)) => Ok(Place::port(port)),
        (None, None) => Place::free_port().map_err(Error::FreePort),
        (Some(_), Some(_)) => Err(Error::value(
            "--app-socket",
            "an app is reached at one place: leave --app-port out",
        )),
    }
}

fn listen_for_notices(
    config: &FrontConfig,
    command: &mut Command,
) -> Result<Option<Notices>, Error> {
    if config.ready != Readiness::Notify {
        return Ok(None);
    }
    let notices = Notices::listen().map_err(Error::Notices)?;
    command.env("NOTIFY_SOCKET", &notices.path);
    Ok(Some(notices))
}

fn run(command: &mut Command) -> Result<Process, Error> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    Process::start(command).map_err(|error| Error::AppStart(program, error))
}

fn name(words: &[OsString]) -> String {
    words.first().map_or_else(String::new, |program| program.to_string_lossy().into_owned())
}
