//! The load generator: clients that never retry, in a closed or an open loop, each request in one
//! class.
//!
//! ```text
//! Load::to(target).clients(64, Style::get("/")).start() ─► Running ─ mark("during") ─ stop() ─► Report
//!   its own thread: client × N ─► connection (hyper over a watched stream) ─► book: crew × phase
//! ```
//!
//! A good request counts in the phase in which it spent most of its time, a lost one in the phase
//! in which it was lost.

mod answer;
mod book;
mod class;
mod client;
mod connection;
mod loyal;
mod paced;
mod report;
mod rhythm;
mod slow;
mod style;
mod tally;
mod target;
mod timeline;
mod watched;

use std::io::{self, ErrorKind::InvalidInput};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::{HeaderValue, Uri};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinSet, LocalSet};

pub use class::Class;
pub use loyal::{Loyal, LoyalReport, LoyalRunning, Manner};
pub use report::{Phase, Report};
pub use slow::{Slow, SlowEnd, SlowRunning};
pub use style::{Style, pattern};
pub use tally::{Sample, Tally};
pub use target::{BadTarget, Target};
pub use timeline::{Step, Timeline};

use book::{Book, Shared};
use client::{Client, Limits, Stop};
use timeline::Recorder;

/// A load that is still to be started.
#[derive(Clone, Debug)]
pub struct Load {
    target: Target,
    host: HeaderValue,
    crews: Vec<(usize, Style)>,
    limits: Limits,
    lasts: Option<Duration>,
    requests: Option<u64>,
    first_phase: String,
    timeline: Option<Duration>,
}

impl Load {
    /// A load on a server, without clients yet; requests time out after 10 s, connects after 5 s.
    pub fn to(target: impl Into<Target>) -> Self {
        Self {
            target: target.into(),
            host: HeaderValue::from_static("localhost"),
            crews: Vec::new(),
            limits: Limits { connect: Duration::from_secs(5), request: Duration::from_secs(10) },
            lasts: None,
            requests: None,
            first_phase: "before".to_owned(),
            timeline: None,
        }
    }

    /// Names the host that is asked for [default: `localhost`].
    pub fn host(mut self, host: HeaderValue) -> Self {
        self.host = host;
        self
    }

    /// Adds clients of one style; styles may be mixed.
    pub fn clients(mut self, count: usize, style: Style) -> Self {
        self.crews.push((count, style));
        self
    }

    /// Gives a request this long from its first byte out to its last byte in.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.limits.request = limit;
        self
    }

    /// Gives a connect this long.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// Ends by itself after this time.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasts = Some(time);
        self
    }

    /// Ends by itself after this many requests of all clients together.
    pub fn requests(mut self, count: u64) -> Self {
        self.requests = Some(count);
        self
    }

    /// Names the phase it begins with [default: `before`].
    pub fn first_phase(mut self, name: &str) -> Self {
        name.clone_into(&mut self.first_phase);
        self
    }

    /// Keeps what happened in each step of this length [default: only the sums].
    pub fn timeline(mut self, step: Duration) -> Self {
        self.timeline = Some(step);
        self
    }

    /// Starts the clients in a thread of their own; an error when a path is none, or the system has
    /// no thread left.
    pub fn start(self) -> io::Result<Running> {
        let uris = self.uris()?;
        let shared = Arc::new(Shared::new(&self.first_phase, self.requests));
        let (stop, stopped) = watch::channel(false);
        let (send, report) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let own = shared.clone();
        std::thread::Builder::new().name("load".to_owned()).spawn(move || {
            // Nobody waits any more when the handle was dropped.
            let _ = send.send(LocalSet::new().block_on(&runtime, self.run(uris, own, stopped)));
        })?;
        Ok(Running { shared, stop, report })
    }

    fn uris(&self) -> io::Result<Vec<Uri>> {
        let paths = self.crews.iter().map(|(_, style)| style.path.parse());
        paths.collect::<Result<_, _>>().map_err(|error| io::Error::new(InvalidInput, error))
    }

    async fn run(
        self,
        uris: Vec<Uri>,
        shared: Arc<Shared>,
        mut stopped: watch::Receiver<bool>,
    ) -> Report {
        let names = self.crews.iter().map(|(_, style)| style.name.clone());
        let book = Rc::new(Book::new(shared, names, self.timeline.map(Recorder::new)));
        let (stop, told) = watch::channel(None);
        let mut clients = self.spawn(&uris, &book, &told);
        let order = async {
            // Ends when told to stop, and when the handle is gone.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        tokio::select! {
            () = order => (),
            () = tokio::time::sleep(self.lasts.unwrap_or(Duration::MAX)) => (),
            () = async { while clients.join_next().await.is_some() {} } => (),
        }
        stop.send_replace(Some(Instant::now()));
        // Bounded: no request takes longer than its limits.
        while clients.join_next().await.is_some() {}
        Report { cpu: cpu_of_this_thread(), ..book.report() }
    }

    fn spawn(&self, uris: &[Uri], book: &Rc<Book>, told: &Stop) -> JoinSet<()> {
        let (mut clients, begun) = (JoinSet::new(), Instant::now());
        let target = Rc::new(self.target.clone());
        for (crew, (count, style)) in self.crews.iter().enumerate() {
            let style = Rc::new(style.clone());
            for number in 0..*count {
                let client = Client {
                    number: clients.len(),
                    crew,
                    style: style.clone(),
                    uri: uris[crew].clone(),
                    target: target.clone(),
                    host: self.host.clone(),
                    limits: self.limits,
                    book: book.clone(),
                    first_wish: style.rhythm.first(begun, number, *count),
                    connection: None,
                    sent: 0,
                };
                clients.spawn_local(client.run(told.clone()));
            }
        }
        clients
    }
}

/// All that the load has needed, for it has a thread of its own.
fn cpu_of_this_thread() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

/// A load at work; dropping it stops the clients without a report.
pub struct Running {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    report: oneshot::Receiver<Report>,
}

impl Running {
    /// Begins the next phase.
    pub fn mark(&self, phase: &str) {
        self.shared.mark(phase);
    }

    /// How many requests have ended well so far.
    pub fn answered(&self) -> u64 {
        self.shared.ok.load(Ordering::Relaxed)
    }

    /// How many were lost so far.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Lets the requests in flight finish; then the result.
    pub async fn stop(self) -> Report {
        self.stop.send_replace(true);
        self.end().await
    }

    /// Waits until the load ends by itself; then the result.
    pub async fn end(self) -> Report {
        match self.report.await {
            Ok(report) => report,
            Err(_) => panic!("the thread of the load has panicked"),
        }
    }

    /// [`Running::stop`] for callers without a runtime.
    pub fn stop_and_wait(self) -> Report {
        self.stop.send_replace(true);
        self.wait()
    }

    /// [`Running::end`] for callers without a runtime.
    pub fn wait(self) -> Report {
        match self.report.blocking_recv() {
            Ok(report) => report,
            Err(_) => panic!("the thread of the load has panicked"),
        }
    }
}
