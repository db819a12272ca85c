//! `rollctl prove`: a user's own group under load, before, while and after it is rolled.
//!
//! ```text
//! the URL answers ─► the roll may begin ─► load: before ─► during the roll ─► after ─► Proof
//!        └─ refused        └─ refused              └─ Ctrl-C: nothing was touched
//! ```
//!
//! The load is the project's one load generator, and the roll is that of `rollctl restart`; in its
//! place, any command that restarts the service is measured. It is bounded: so many clients, each with a thought between two requests; it ends with the roll.

mod figures;
mod look;
mod svg;
mod url;
mod way;

use std::io::{self, stdout};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::error::Error;
use super::exit::ExitStatus;
use super::report::{Output, listed, say};
use super::restart::{Ready, Request};
use crate::load::{Load, Report, Running, Style};
use crate::span::Span;

pub use figures::{Figures, Window};
pub use svg::Picture;
pub use url::ProofUrl;
pub use way::Instead;
use way::Way;

/// The load goes on for so long after the roll, for its stragglers.
const AFTER: Duration = Duration::from_secs(1);

/// What the timeline is made of.
const STEP: Duration = Duration::from_millis(100);

/// Between two requests of a client that keeps its connection.
const THOUGHT: Duration = Duration::from_millis(5);

/// The same of all that make new ones, taken together: 200 a second leave the machine its ports.
const BETWEEN_CONNECTIONS: Duration = Duration::from_millis(5);

const KEEP_ALIVE: &str = "keep-alive";
const NEW_CONNECTIONS: &str = "new connections";

/// How the group is loaded.
#[derive(Clone, Debug)]
pub struct Measure {
    /// What is asked for again and again.
    pub url: ProofUrl,
    /// How many clients; every other makes a new connection for each request.
    pub clients: usize,
    /// How long they ask before the roll.
    pub before: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Proved {
    /// There was a roll, and this is what it cost.
    Rolled(Box<Proof>),
    /// There was none: nothing to roll, or interrupted before.
    NotRolled(ExitStatus),
}

/// A roll under load.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The groups that were rolled.
    pub groups: Vec<String>,
    /// The command that was run in place of a roll.
    pub command: Option<String>,
    /// How they were loaded.
    pub measure: Measure,
    /// How the roll ended.
    pub rolled: ExitStatus,
    /// How long it took.
    pub took: Duration,
    /// The requests of the phases `before`, `during` and `after`.
    pub report: Report,
}

impl Proof {
    /// `worker: the roll took 2.31 s, 0 of 9,412 requests lost`
    pub fn sentence(&self) -> String {
        let what = match &self.command {
            None => format!("{}: the roll took", listed(&self.groups)),
            Some(command) => format!("{command}: it took"),
        };
        let (took, all) = (self.took.as_secs_f64(), self.report.total());
        let (lost, requests) = (grouped(all.lost()), grouped(all.requests()));
        format!("{what} {took:.2} s, {lost} of {requests} requests lost")
    }

    /// How `rollctl prove` ends: as the roll did; if that was well, by what was lost.
    pub fn status(&self) -> ExitStatus {
        match self.rolled {
            ExitStatus::Serving if self.report.lost() > 0 => ExitStatus::Failed,
            status => status,
        }
    }
}

/// Loads the URL, rolls the groups as [`super::restart`] does, and measures.
///
/// # Errors
///
/// When the URL does not answer as it should, or the roll may not begin; nothing was touched then.
pub async fn prove(request: &Request, measure: &Measure) -> Result<Proved, Error> {
    let target = answering(&measure.url).await?;
    match Ready::prepare(request).await? {
        Some(ready) => {
            under_load(Way::Roll(Box::new(ready)), request.output, measure, target).await
        }
        None => Ok(Proved::NotRolled(ExitStatus::Serving)),
    }
}

/// Loads the URL, runs a command that restarts the service in its own way, and measures.
///
/// # Errors
///
/// When the URL does not answer as it should, or there is no such program; nothing was touched then.
pub async fn prove_command(
    instead: &Instead,
    output: Output,
    measure: &Measure,
) -> Result<Proved, Error> {
    let target = answering(&measure.url).await?;
    under_load(Way::Command(instead), output, measure, target).await
}

async fn under_load(
    mut way: Way<'_>,
    output: Output,
    measure: &Measure,
    target: SocketAddr,
) -> Result<Proved, Error> {
    let load = load(measure, target).start().map_err(|error| no_load(&error))?;
    tell(output, measure, &way);
    if !lasts(&mut way, measure.before).await {
        return Ok(Proved::NotRolled(interrupted(output)));
    }
    load.mark("during");
    let begun = Instant::now();
    let rolled = way.go().await?;
    let took = begun.elapsed();
    let report = ended(&mut way, load).await;
    let (groups, command, measure) = (way.groups(), way.command(), measure.clone());
    Ok(Proved::Rolled(Box::new(Proof { groups, command, measure, rolled, took, report })))
}

/// The address behind the URL that answers as it should, or what is wrong with the last one.
async fn answering(url: &ProofUrl) -> Result<SocketAddr, Error> {
    let found = url.addresses().await.map_err(|error| no_answer(url, &error.to_string()))?;
    let mut wrong = "its host has no address".to_owned();
    for target in found {
        let asked = to(url, target).clients(1, Style::get(url.path())).requests(1);
        let report = asked.start().map_err(|error| no_load(&error))?.end().await;
        match report.total().samples().first() {
            None => return Ok(target),
            Some(lost) => wrong = format!("{}: {}", lost.class, lost.text),
        }
    }
    Err(no_answer(url, &wrong))
}

fn to(url: &ProofUrl, target: SocketAddr) -> Load {
    Load::to(target).host(url.host().clone())
}

fn load(measure: &Measure, target: SocketAddr) -> Load {
    let (url, connecting) = (&measure.url, measure.clients / 2);
    let thought = BETWEEN_CONNECTIONS * u32::try_from(connecting).unwrap_or(u32::MAX);
    let keeping = Style::get(url.path()).think(THOUGHT).named(KEEP_ALIVE);
    to(url, target)
        .clients(measure.clients - connecting, keeping)
        .clients(connecting, Style::connect(url.path()).think(thought).named(NEW_CONNECTIONS))
        .timeline(STEP)
}

/// Whether nobody interrupted this time.
async fn lasts(way: &mut Way<'_>, time: Duration) -> bool {
    tokio::select! {
        () = sleep(time) => true,
        () = way.interrupted() => false,
    }
}

/// The load ends a little after the roll, sooner when somebody is in a hurry.
async fn ended(way: &mut Way<'_>, load: Running) -> Report {
    load.mark("after");
    lasts(way, AFTER).await;
    load.stop().await
}

fn tell(output: Output, measure: &Measure, way: &Way<'_>) {
    let Measure { url, clients, before } = measure;
    let (s, span, way) = (if *clients == 1 { "" } else { "s" }, Span(*before), way.told());
    if output == Output::Told {
        say(stdout(), &format!("loading {url} by {clients} client{s} for {span}, then {way}"));
    }
}

fn interrupted(output: Output) -> ExitStatus {
    if output == Output::Told {
        say(io::stderr(), "rollctl: interrupted before the roll began; nothing was touched");
    }
    ExitStatus::Interrupted
}

fn no_answer(url: &ProofUrl, wrong: &str) -> Error {
    Error::Refused(format!(
        "{url} does not answer with 2xx: {wrong}; nothing was touched\n  next: curl -v '{url}'"
    ))
}

fn no_load(error: &io::Error) -> Error {
    Error::Refused(format!(
        "the load cannot be started: {error}; nothing was touched\n  next: ulimit -a"
    ))
}

/// A number with a comma between its thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    parts.collect::<Vec<_>>().join(",")
}
