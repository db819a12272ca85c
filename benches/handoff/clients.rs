//! The kinds of clients, and what each kind saw.

use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rollctl::load::{Class, Load, Loyal, LoyalRunning, Manner, Running, Style, Target};

const HALVES: Manner = Manner::Halves(Duration::from_millis(5));

/// All have been served when they have got so many answers, and they have this long for it.
const MANY: u64 = 200;
const PATIENCE: Duration = Duration::from_secs(30);

/// Some clients, and whom they ask.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) clients: Clients,
    pub(crate) site: Site,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// The worker's own app.
    BuiltIn,
    /// One of Node's behind the worker.
    Node,
    /// nginx, whose pool of connections to the workers is what has to last.
    Nginx,
}

pub(crate) enum Clients {
    Of(Vec<(usize, Style)>),
    Loyal(Vec<(usize, Manner)>),
    Both(Vec<(usize, Style)>, Vec<(usize, Manner)>),
}

pub(crate) fn kinds() -> Vec<Kind> {
    let thinks = |seconds: f64| Duration::from_secs_f64(seconds);
    let upload = || Style::upload("/echo", 64 << 10, Duration::from_millis(700));
    let download = Style::download("/download", 12 << 20, Duration::from_secs(1));
    let of = |name, clients| Kind { name, clients, site: Site::BuiltIn };
    let quiet = vec![
        (64, Style::get("/").think(thinks(1.5))),
        (48, Style::post("/echo", 1024).think(thinks(1.5))),
        (16, Style::get("/").think(thinks(30.0))),
    ];
    let busy = || vec![(32, Style::get("/")), (32, Style::post("/echo", 1024))];
    let idle = vec![(4_500, Manner::Idle), (500, Manner::HalfHead)];
    let some = vec![
        (32, HALVES),
        (4, Manner::Pipeline(500)),
        (400, Manner::Idle),
        (100, Manner::HalfHead),
    ];
    let others = vec![
        (16, Style::get("/").think(thinks(0.005))),
        (16, Style::post("/echo", 1024).think(thinks(0.3))),
        (16, upload()),
    ];
    let slow = vec![(8, download), (8, upload())];
    vec![
        of("quiet, gaps of 1.5 and 30 s", Clients::Of(quiet)),
        of("busy GET and POST", Clients::Of(busy())),
        Kind { site: Site::Nginx, ..of("the same through nginx", Clients::Of(busy())) },
        of("two halves, 5 ms apart", Clients::Loyal(vec![(128, HALVES)])),
        of("pipelines, 2,000 deep", Clients::Loyal(vec![(8, Manner::Pipeline(2_000))])),
        of("5,000 idle, 500 half heads", Clients::Loyal(idle)),
        of("uploads of 0.7 s", Clients::Of(vec![(64, upload())])),
        Kind { site: Site::Node, ..of("Node: up 0.7 s, down 1 s", Clients::Of(slow)) },
        of("mixed", Clients::Both(others, some)),
    ]
}

/// Clients at work.
pub(crate) struct Crowd {
    load: Option<Running>,
    loyal: Option<LoyalRunning>,
}

/// What they saw: requests, those of them that were lost or had a wrong byte in the answer, and
/// connections that were made beside the first.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) lost: u64,
    pub(crate) wrong: u64,
    pub(crate) reconnects: u64,
    pub(crate) words: Vec<String>,
}

impl Clients {
    /// Returns when they are being served.
    pub(crate) fn start(&self, address: &str) -> Result<Crowd, Box<dyn Error>> {
        let (styles, manners) = match self {
            Self::Of(styles) => (&styles[..], &[][..]),
            Self::Loyal(manners) => (&[][..], &manners[..]),
            Self::Both(styles, manners) => (&styles[..], &manners[..]),
        };
        let mut crowd = Crowd { load: None, loyal: None };
        if !manners.is_empty() {
            let loyal = Loyal::to(address.parse()?);
            let add = |loyal: Loyal, (count, manner): &_| loyal.clients(*count, *manner);
            crowd.loyal = Some(manners.iter().fold(loyal, add).start()?);
        }
        if !styles.is_empty() {
            let load = Load::to(address.parse::<Target>()?);
            let add = |load: Load, (count, style): &(_, Style)| load.clients(*count, style.clone());
            let running = styles.iter().fold(load, add).start()?;
            are_served(&running)?;
            crowd.load = Some(running);
        }
        Ok(crowd)
    }
}

fn are_served(running: &Running) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + PATIENCE;
    while running.answered() < MANY {
        if running.lost() > 0 || Instant::now() > until {
            let (answered, lost) = (running.answered(), running.lost());
            return Err(format!(
                "{answered} answers of {MANY}, and {lost} lost, before a roll has begun"
            )
            .into());
        }
        sleep(Duration::from_millis(5));
    }
    Ok(())
}

impl Crowd {
    pub(crate) fn end(self) -> Seen {
        let mut seen = Seen::default();
        if let Some(load) = self.load {
            let report = load.stop_and_wait();
            let total = report.total();
            seen.requests += total.requests();
            seen.lost += total.lost();
            seen.wrong += total.count(Class::WrongBody);
            seen.reconnects += total.reconnects;
            seen.words.extend(total.samples().iter().map(|sample| sample.text.clone()));
        }
        if let Some(loyal) = self.loyal {
            // One that fails does not come back, so it has no second connection.
            let report = loyal.stop_and_wait();
            seen.requests += report.answered + report.failures.len() as u64;
            seen.lost += report.failures.len() as u64;
            seen.wrong += report.wrong;
            seen.words.extend(report.failures);
        }
        seen
    }
}
