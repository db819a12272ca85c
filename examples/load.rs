//! A load of all sorts on a server, until its standard input ends: `load 127.0.0.1:8080`. Says
//! `busy` when it is, and what became of every request; exits with 1 if one was lost.

use std::error::Error;
use std::io::{Read, stdin};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use rollctl::load::{Load, Style, Target};

const THOUGHT: Duration = Duration::from_millis(10);
/// So many answers, and every client has begun.
const ENOUGH: u64 = 100;
/// Nobody is left alone with it.
const LONGEST: Duration = Duration::from_secs(600);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let target = std::env::args().nth(1).ok_or("where to?")?;
    let load = Load::to(target.parse::<Target>()?)
        .clients(4, Style::get("/").think(THOUGHT))
        .clients(4, Style::post("/echo", 1024).think(THOUGHT))
        .clients(4, Style::connect("/").think(THOUGHT))
        .clients(4, Style::slow(Duration::from_millis(100)))
        .lasting(LONGEST)
        .start()?;
    while load.answered() < ENOUGH {
        sleep(THOUGHT);
    }
    println!("busy");
    stdin().read_to_end(&mut Vec::new())?;
    let report = load.stop_and_wait();
    println!("{report}");
    let has_load = report.total().requests() > 0;
    Ok(if has_load && report.lost() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
