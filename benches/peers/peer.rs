//! A peer: somebody who serves a small app with four workers, and has a way to restart them.

use std::collections::BTreeSet;
use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rollctl::lab::Lab;

use crate::process::{family, is_alive, memory};

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// One of those that are compared.
pub(crate) struct Peer {
    /// Who it is, and in which setting.
    pub(crate) name: &'static str,
    /// Whether `make bench-quick` has time for it.
    pub(crate) is_quick: bool,
    /// Starts it on a private systemd; an error is why this machine cannot.
    pub(crate) start: fn(&Lab) -> Result<Running>,
}

/// A peer at work.
pub(crate) struct Running {
    /// Where it serves.
    pub(crate) address: String,
    pub(crate) version: String,
    /// The units of its workers.
    pub(crate) units: Vec<String>,
    /// Whether the main process of a unit is no worker, and stays when they are restarted.
    pub(crate) has_master: bool,
    /// What stands before them.
    pub(crate) fronts: Vec<String>,
    /// Its own kind of rolling restart.
    pub(crate) order: Order,
}

type Order = Box<dyn Fn(&Lab) -> Result>;

/// Nobody waits longer for a roll.
const PATIENCE: Duration = Duration::from_secs(60);

impl Running {
    /// A roll is over when what ordered it says so, and none of the old workers is left.
    pub(crate) fn roll(&self, lab: &Lab) -> Result {
        let old = self.workers(lab)?;
        (self.order)(lab)?;
        let until = Instant::now() + PATIENCE;
        while old.iter().any(|id| is_alive(*id)) || self.workers(lab)?.len() < old.len() {
            if Instant::now() > until {
                return Err(format!("old workers were still there after {PATIENCE:?}").into());
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The processes that a roll replaces.
    fn workers(&self, lab: &Lab) -> Result<BTreeSet<u32>> {
        let mut workers = BTreeSet::new();
        for main in main_processes(lab, &self.units)? {
            workers.extend(family(main).into_iter().filter(|id| !self.has_master || *id != main));
        }
        Ok(workers)
    }

    /// What all of it takes, in MiB.
    pub(crate) fn memory(&self, lab: &Lab) -> Result<f64> {
        let units = [&self.units[..], &self.fronts].concat();
        let all = main_processes(lab, &units)?.into_iter().flat_map(family);
        Ok(memory(&all.collect::<Vec<_>>()))
    }
}

fn main_processes(lab: &Lab, units: &[String]) -> Result<Vec<u32>> {
    let arguments = ["show", "--value", "-p", "MainPID", "--"].into_iter();
    let text = lab.systemctl(arguments.chain(units.iter().map(String::as_str)))?;
    let ids = text.split_whitespace().map(str::parse::<u32>);
    Ok(ids.collect::<std::result::Result<Vec<_>, _>>()?.into_iter().filter(|id| *id > 0).collect())
}

/// Sends a signal to the main process of a unit, and to nobody else.
pub(crate) fn signal(unit: &'static str, signal: &'static str) -> Order {
    Box::new(move |lab| {
        lab.systemctl(["kill", "--kill-who=main", "--signal", signal, unit])?;
        Ok(())
    })
}

/// An address of 127.0.0.1, where the apps listen, that no client's connection can take.
pub(crate) fn local_address() -> String {
    loop {
        let own = rollctl::lab::own_address();
        let address = own.rsplit_once(':').map(|(_, port)| format!("127.0.0.1:{port}"));
        let address = address.unwrap_or_default();
        if std::net::TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// The port of an address.
pub(crate) fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or("", |(_, port)| port)
}

/// What a program says of its version: the first word with a digit and a dot in it.
pub(crate) fn version(command: &mut std::process::Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let words = text.split(|c: char| c.is_whitespace() || "/()\",".contains(c));
    let is_version = |word: &&str| {
        word.contains('.') && word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
    };
    let word = words.into_iter().find(is_version).unwrap_or("?");
    Ok(word.trim_start_matches('v').to_owned())
}
