//! `docs/benchmarks.md` and its pictures, made from the raw results.

mod figures;
mod losing;
mod others;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use rollctl::ctl::Picture;

use crate::nodes::in_project;
use crate::peer::Result;
use crate::raw::{self, LoadKind, Machine, Peers};
use crate::round;
use figures::Figures;
use others::Others;

const PICTURE: &str = "benchmarks.svg";

/// The page of the project is made by the whole benchmark only; of a quick one it is kept beside the
/// raw results.
pub(crate) fn write() -> Result {
    let peers: Peers = raw::read("peers")?.ok_or("no raw results of `make bench` are there")?;
    let raw_results = raw::file("");
    let beside = raw_results.parent().unwrap_or(Path::new("target/bench")).to_owned();
    let dir: PathBuf = if peers.extent.is_quick { beside } else { in_project("docs") };
    let others = Others::read()?;
    let (closed, open) =
        (Figures::all(&peers, LoadKind::Closed), Figures::all(&peers, LoadKind::Open));
    fs::write(dir.join(PICTURE), picture(&open)?)?;
    let page = dir.canonicalize()?.join("benchmarks.md");
    fs::write(&page, text(&peers, &closed, &open, &others))?;
    println!("{}", page.display());
    Ok(())
}

fn text(peers: &Peers, closed: &[Figures], open: &[Figures], others: &Others) -> String {
    let parts = [
        head(peers),
        losing::text(closed, open, others),
        format!("## Rolling restarts\n\n{ROLLING}\n"),
        format!("### Open loop: 400 requests a second, and 100 on new connections\n\n{OPEN}\n"),
        tables::rolling(open),
        format!("![Timelines of latency and losses]({PICTURE})\n\n{DRAWN}\n"),
        "### Closed loop: the next request follows the answer\n".to_owned(),
        tables::rolling(closed),
        "### What was lost\n".to_owned(),
        tables::losses(&[("open", open), ("closed", closed)]),
        skipped(peers),
        others.text(),
        generator(closed, open),
    ];
    parts.join("\n")
}

const ROLLING: &str = "\
Four workers of the same small app (`/` says hello, `/echo` gives a POST of 1 KiB back), each peer on a
private systemd with its own kind of rolling restart; `rollctl` with its defaults, `--observe 500ms`
included. Eight clients keep their connection, half of them GET and half POST, and two make a new one for
each request. No client retries: a request has its whole answer, byte for byte, or is lost. A
roll is over when none of the old workers is left. Medians over the rounds, in brackets the least and
the most; latencies in ms, those of good requests.";

const OPEN: &str = "\
Latencies count from the time at which a request was to be sent, so a stall is felt by all that it held
up.";

const DRAWN: &str = "\
The first round of each under the open loop, in seconds from its first roll, in steps of 100 ms: the
longest latency (in powers of ten), below it the lost requests; the rolls are shaded.";

fn head(peers: &Peers) -> String {
    let Machine { date, cores, processor, kernel, systemd, load_before, load_after, .. } =
        &peers.machine;
    let rounds = peers.extent.rounds;
    let mut busy = peers.machine.busy_otherwise.clone();
    busy.sort_by(f64::total_cmp);
    let percent = |share: Option<&f64>| share.map_or(0.0, |share| share * 100.0);
    let (median, most) = (percent(busy.get(busy.len() / 2)), percent(busy.last()));
    format!(
        "# Benchmarks\n\nMade by `make bench`, from its raw results in `target/bench/`; not to be edited. \
         {date}, {cores} cores\n({processor}), Linux {kernel}, {systemd}. Rounds: {rounds} under the \
         open loop, {} under the closed one; rolls of each in each of them: {}.\n\nWhat else the machine did: {median:.0} % of it (at most {most:.0} %) was \
         busy whenever nothing of the benchmark ran;\nload average {load_before} before and {load_after} \
         after. Clients, workers and systemd share it.\n",
        (1..=rounds).filter(|number| round::has(*number, LoadKind::Closed)).count(),
        peers.extent.rolls,
    )
}

fn picture(open: &[Figures]) -> Result<String> {
    let rounds = open.iter().filter_map(Figures::first);
    let pictures = rounds.map(|round| {
        let rolls: Vec<_> = round.rolled.iter().map(|(begun, ended)| *begun..*ended).collect();
        let from = rolls.first().map_or(0.0, |roll| roll.start - 1.0);
        let to = rolls.last().map_or(0.0, |roll| roll.end + 0.5);
        let zero = from + 1.0;
        Picture::of(&round.peer, &round.timeline, rolls).from_to(from..to).since(zero)
    });
    Ok(Picture::sheet(&pictures.collect::<Vec<_>>(), 2)?)
}

fn skipped(peers: &Peers) -> String {
    let lines = peers.skipped.iter().map(|it| format!("- skipped: {}: {}\n", it.peer, it.why));
    lines.collect()
}

fn generator(closed: &[Figures], open: &[Figures]) -> String {
    let cpu = |figures: &[Figures]| {
        figures::Spread::of(figures.iter().map(|it| it.spread(|round| round.load_cpu_us).median))
    };
    format!(
        "## The load generator\n\nOne thread of its own. A request costs it {} µs of CPU in the closed \
         loop and {} µs in the open one.\n",
        cpu(closed).told(0),
        cpu(open).told(0)
    )
}
