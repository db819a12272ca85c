//! One round of a peer: started, loaded in a closed and then in an open loop, rolled under each.
//!
//! ```text
//! warm-up ─► steady ─► rolling ─► after ─► rolling ─► after …
//! ```

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rollctl::ctl::Window;
use rollctl::lab::Lab;
use rollctl::load::{Load, Report, Running as RunningLoad, Style, Tally, Target, Timeline};

use crate::peer::{Peer, Result, Running};
use crate::raw::{Extent, LoadKind, Round};

/// A runtime that compiles while it runs is not measured meanwhile.
const WARM_UP: Duration = Duration::from_secs(1);
const STEADY: Duration = Duration::from_millis(1500);
/// For what a roll leaves behind.
const AFTER: Duration = Duration::from_millis(700);
const STEP: Duration = Duration::from_millis(100);

const NEW_CONNECTIONS: &str = "new connections";
/// Spares the machine's ports: of two clients together at most 400 a second.
const BETWEEN_CONNECTIONS: Duration = Duration::from_millis(5);

const LOADS: [LoadKind; 2] = [LoadKind::Closed, LoadKind::Open];

/// Of three rounds the last has the open loop only, which tells more: for the time's sake. They are
/// counted from 1.
pub(crate) fn has(number: usize, kind: LoadKind) -> bool {
    kind == LoadKind::Open || !number.is_multiple_of(3)
}

pub(crate) fn round(peer: &Peer, number: usize, extent: Extent) -> Result<Vec<Round>> {
    let lab = Lab::start()?;
    let running = (peer.start)(&lab)?;
    let loads = LOADS.into_iter().filter(|kind| has(number, *kind));
    loads.map(|kind| under_load(peer.name, &running, &lab, kind, extent)).collect()
}

fn under_load(
    name: &str,
    running: &Running,
    lab: &Lab,
    kind: LoadKind,
    extent: Extent,
) -> Result<Round> {
    until_well(&running.address)?;
    let load = load(kind, running.address.parse()?).start()?;
    sleep(WARM_UP);
    load.mark("steady");
    sleep(STEADY);
    let memory_mib = running.memory(lab)?;
    let mut trouble = Vec::new();
    for _ in 0..extent.rolls {
        load.mark("rolling");
        let rolled = running.roll(lab);
        trouble.extend(rolled.err().map(|error| error.to_string()));
        load.mark("after");
        sleep(AFTER);
    }
    Ok(Round { memory_mib, trouble, ..told(name, &running.version, kind, load) })
}

/// Who has just been rolled may need a while: nginx leaves a server out for 10 s.
fn until_well(address: &str) -> Result {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let asked = Load::to(address.parse::<Target>()?).clients(4, Style::get("/")).requests(100);
        let report = asked.start()?.wait();
        match report.lost() {
            0 => return Ok(()),
            _ if Instant::now() > until => return Err(report.to_string().into()),
            _ => sleep(Duration::from_millis(100)),
        }
    }
}

/// Eight clients that keep their connection, half of them POST; and two that make a new one for
/// each request.
fn load(kind: LoadKind, target: Target) -> Load {
    let (get, post) = (Style::get("/"), Style::post("/echo", 1024));
    let new = Style::connect("/").named(NEW_CONNECTIONS);
    let load = Load::to(target).first_phase("warm-up").timeline(STEP);
    match kind {
        LoadKind::Closed => {
            load.clients(4, get).clients(4, post).clients(2, new.think(BETWEEN_CONNECTIONS))
        }
        // 400 a second, and 100 on new connections.
        LoadKind::Open => {
            let (every, seldom) = (Duration::from_millis(20), Duration::from_millis(20));
            load.clients(4, get.every(every))
                .clients(4, post.every(every))
                .clients(2, new.every(seldom))
        }
    }
}

fn told(name: &str, version: &str, kind: LoadKind, load: RunningLoad) -> Round {
    let mut report = load.stop_and_wait();
    let none = Timeline { step: STEP, steps: Vec::new() };
    let timeline = report.timeline.take().unwrap_or(none);
    let phases = report.phases.iter().filter(|phase| phase.name == "rolling");
    let rolled = phases.map(|it| (it.begun.as_secs_f64(), (it.begun + it.lasted).as_secs_f64()));
    let rolled: Vec<(f64, f64)> = rolled.collect();
    let steady = window(&report, |_, phase| phase == "steady");
    let styles = report.styles().map(|style| {
        (style.to_owned(), window(&report, |own, phase| own == style && phase != "warm-up"))
    });
    Round {
        peer: name.to_owned(),
        version: version.to_owned(),
        load: kind,
        steady_rate: steady.requests as f64 / lasted(&report, "steady").as_secs_f64(),
        steady,
        rolling: window(&report, |_, phase| phase == "rolling"),
        styles: styles.collect::<BTreeMap<_, _>>(),
        rolls: rolled.iter().map(|(begun, ended)| ended - begun).collect(),
        trouble: Vec::new(),
        memory_mib: 0.0,
        load_cpu_us: report.cpu.as_secs_f64() * 1e6 / report.total().requests() as f64,
        timeline,
        rolled,
    }
}

/// Who makes a new connection each time reconnects by his nature.
fn window(report: &Report, wanted: impl Fn(&str, &str) -> bool) -> Window {
    let tally: Tally = report.select(&wanted);
    let keeping = report.select(|style, phase| wanted(style, phase) && style != NEW_CONNECTIONS);
    Window::of(&tally, keeping.reconnects)
}

fn lasted(report: &Report, name: &str) -> Duration {
    report.phases.iter().filter(|phase| phase.name == name).map(|phase| phase.lasted).sum()
}
