//! Four Node processes behind nginx, restarted by the classic recipe: SIGTERM, 502, start, in turn.

use std::path::{Path, PathBuf};
use std::process::Command;

use rollctl::lab::Lab;

use crate::balancers::{Site, nginx_before};
use crate::peer::{Peer, Result, Running, local_address, port, version};
use crate::service::until_listening;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "the recipe (nginx + 4 Node), nginx's defaults",
        is_quick: false,
        start: |lab| recipe(lab, RECIPE, "", ""),
    },
    Peer {
        name: "the recipe (nginx + 4 Node), max_fails=0",
        is_quick: true,
        start: |lab| recipe(lab, RECIPE, "max_fails=0", ""),
    },
    Peer {
        name: "the recipe (nginx + 4 Node), max_fails=0 and non_idempotent",
        is_quick: false,
        start: |lab| recipe(lab, RECIPE, "max_fails=0", "non_idempotent"),
    },
    Peer {
        name: "the recipe (nginx + 4 Node), max_fails=0, that boot for 1 s",
        is_quick: false,
        start: |lab| recipe(lab, &after_a_second(RECIPE), "max_fails=0", ""),
    },
];

/// The app as it is.
pub(crate) const PLAIN: &str = "tests/apps/node/server.js";
const RECIPE: &str = "benches/peers/apps/recipe.js";

pub(crate) fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What makes any app of Node's boot for a second.
pub(crate) const SLOW: &str = "benches/peers/apps/slow.js";

/// What Node is told to run.
fn after_a_second(app: &str) -> String {
    format!("--require={} {}", in_project(SLOW).display(), app)
}

fn recipe(lab: &Lab, app: &str, setting: &'static str, more: &'static str) -> Result<Running> {
    let (addresses, nodes) = four(lab, app)?;
    nginx_before(lab, nodes, &Site::ServerEach(addresses, setting, more))
}

/// A service each, with their addresses.
pub(crate) fn four(lab: &Lab, app: &str) -> Result<(Vec<String>, Running)> {
    let addresses: Vec<String> = (0..4).map(|_| local_address()).collect();
    let service = format!(
        "[Service]\nExecStart=/usr/bin/node {app}\nWorkingDirectory={}\nEnvironment=PORT=%i\n\
         KillMode=mixed\n",
        in_project("").display()
    );
    lab.install("node@.service", &service)?;
    lab.reload()?;
    let mut units = Vec::new();
    for address in &addresses {
        units.push(format!("node@{}.service", port(address)));
    }
    lab.systemctl(["start"].into_iter().chain(units.iter().map(String::as_str)))?;
    addresses.iter().try_for_each(|address| until_listening(address))?;
    let node = version(Command::new("/usr/bin/node").arg("--version"))?;
    let (own, each) = (units.clone(), addresses.clone());
    let in_turn = move |lab: &Lab| {
        own.iter().zip(&each).try_for_each(|(unit, address)| {
            lab.systemctl(["stop", unit])?;
            lab.systemctl(["start", unit])?;
            until_listening(address)
        })
    };
    let running = Running {
        address: addresses[0].clone(),
        version: format!("Node {node}"),
        units,
        has_master: false,
        fronts: Vec::new(),
        order: Box::new(in_turn),
    };
    Ok((addresses, running))
}
