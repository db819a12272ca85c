//! Apps that know nothing of restarts lose nothing when the worker in front of them is rolled.

use std::time::Duration;

use rollctl::load::{Load, Style, Target};

use crate::roll_support::{Clients, Rolled};
use crate::support::{App, Lack, Trials, on_one_socket};

pub(crate) fn stories(trials: Trials) -> Trials {
    let apps: [fn() -> Result<App, Lack>; 6] = [
        App::node,
        App::express,
        App::gunicorn_sync,
        App::gunicorn_threads,
        App::uvicorn,
        App::puma,
    ];
    let names = ["node", "express", "gunicorn_sync", "gunicorn_gthread", "uvicorn", "puma"];
    let mut trials = trials;
    for (app, name) in apps.into_iter().zip(names) {
        trials = trials.tell(format!("{name}::a_roll_loses_nothing"), app(), a_roll_loses_nothing);
    }
    trials
}

/// Longer than a whole instance takes that waits for nobody.
const LONG: Duration = Duration::from_secs(3);

/// Busy clients leave at their next request, and none of these is idle for so long. No instance may
/// have all the clients: each is to stop under load.
const SETTINGS: &str = "WORKER_LINGER=2s WORKER_MAX_CONNECTIONS=8";

fn a_roll_loses_nothing(app: App) {
    let stage = on_one_socket(&app, SETTINGS);
    let before = stage.runs();
    let clients = Clients::begin(all_sorts(&app, &stage.address));
    let rolled = stage.roll(&["--observe", "0"]).exits_with(0);
    clients.lose_nothing();
    stage.all_are_new_since(&before);
    // Those that went on for long were there when their instances were told to go.
    let waited = stage.instances.iter().filter(|unit| took_over_a_second(&rolled, unit)).count();
    assert!(
        waited >= 2.min(long_clients(&app)),
        "{waited} instances had to wait:\n{}",
        rolled.story()
    );
}

fn all_sorts(app: &App, address: &str) -> Load {
    let thought = Duration::from_millis(10);
    let long = long_clients(app);
    Load::to(address.parse::<Target>().unwrap())
        .clients(long, Style::upload("/echo", 256 * 1024, LONG))
        .clients(long, Style::download("/download", 32 << 20, LONG))
        .clients(long, Style::events("/events", 31, LONG / 30))
        .clients(2, Style::get("/").think(thought))
        .clients(2, Style::post("/echo", 1024).think(thought))
        .clients(2, Style::connect("/").think(thought))
        .clients(2, Style::slow(Duration::from_millis(100)))
}

/// A client of each long style; an app of few processes must have some left for the others.
fn long_clients(app: &App) -> usize {
    if app.at_a_time < 10 { 1 } else { 3 }
}

fn took_over_a_second(rolled: &Rolled, unit: &str) -> bool {
    rolled.entered(unit, "starting") - rolled.entered(unit, "stopping") > 1.0
}
