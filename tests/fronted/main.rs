//! Real programs: apps behind the worker, balancers in front of it, and rolls of both.

mod apps;
mod balancers;
mod life;
#[path = "../rolls/support/mod.rs"]
mod roll_support;
mod support;
mod websockets;

use std::process::ExitCode;

use support::Trials;

fn main() -> ExitCode {
    let trials = apps::stories(Trials::default().about("apps"));
    let trials = balancers::stories(trials.about("balancers"));
    let trials = life::stories(trials.about("life"));
    websockets::stories(trials.about("websockets")).run()
}
