//! Our own groups: rolled by rollctl, and by what systemd has of its own.

use std::process::Command;

use rollctl::lab::{GroupPlan, Lab, program};

use crate::balancers::{self, Site};
use crate::nodes::{SLOW, in_project};
use crate::peer::{Peer, Result, Running, version};
use crate::real::{App, with_a_socket_each};

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "rollctl: the built-in app",
        is_quick: true,
        start: |lab| rolled(lab, GroupPlan::new()),
    },
    Peer {
        name: "rollctl: the built-in app, --handoff no",
        is_quick: false,
        start: |lab| rolled(lab, set(GroupPlan::new(), "WORKER_HANDOFF=no")),
    },
    Peer { name: "rollctl: Node", is_quick: true, start: |lab| rolled(lab, node("")?) },
    Peer {
        name: "rollctl: Node, --handoff no",
        is_quick: false,
        start: |lab| rolled(lab, node("WORKER_HANDOFF=no")?),
    },
    Peer {
        name: "rollctl: Node that boots for 1 s",
        is_quick: false,
        start: |lab| rolled(lab, slow_node()?),
    },
    Peer { name: "rollctl: nginx → Node", is_quick: false, start: behind_nginx },
    Peer {
        name: "rollctl: nginx → Node, refuse mode",
        is_quick: false,
        start: |lab| refusing(lab, ""),
    },
    Peer {
        name: "rollctl: nginx → Node, refuse mode and non_idempotent",
        is_quick: false,
        start: |lab| refusing(lab, "non_idempotent"),
    },
    Peer {
        name: "systemctl restart 'worker@*': the built-in app",
        is_quick: true,
        start: |lab| all_at_once(lab, GroupPlan::new()),
    },
    Peer {
        name: "systemctl restart 'worker@*': Node",
        is_quick: false,
        start: |lab| all_at_once(lab, node("")?),
    },
    Peer {
        name: "systemctl restart 'worker@*': Node that boots for 1 s",
        is_quick: false,
        start: |lab| all_at_once(lab, slow_node()?),
    },
];

fn node(settings: &str) -> Result<GroupPlan> {
    Ok(GroupPlan::new().drop_in("worker@.service", &App::node()?.drop_in(settings)))
}

fn slow_node() -> Result<GroupPlan> {
    let slow = in_project(SLOW);
    let seen = format!("[Service]\nBindReadOnlyPaths={}:/srv/slow.js\n", slow.display());
    Ok(node("NODE_OPTIONS=--require=/srv/slow.js")?.drop_in("worker@.service", &seen))
}

fn set(plan: GroupPlan, settings: &str) -> GroupPlan {
    plan.drop_in("worker@.service", &format!("[Service]\nEnvironment={settings}\n"))
}

/// On one shared socket, as the units are shipped.
fn rolled(lab: &Lab, plan: GroupPlan) -> Result<Running> {
    let group = plan.known_user().start(lab)?;
    let roll = |lab: &Lab| {
        let mut rollctl = lab.command(program("rollctl")?);
        let output = rollctl.args(["restart", "--user", "-q", "worker"]).output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    };
    Ok(Running {
        version: version(Command::new(program("rollctl")?).arg("--version"))?,
        units: group.units(),
        address: group.address,
        has_master: false,
        fronts: Vec::new(),
        order: Box::new(roll),
    })
}

/// What systemd has of its own.
fn all_at_once(lab: &Lab, plan: GroupPlan) -> Result<Running> {
    let order = |lab: &Lab| Ok(lab.systemctl(["restart", "worker@*"]).map(drop)?);
    Ok(Running { order: Box::new(order), ..rolled(lab, plan)? })
}

fn behind_nginx(lab: &Lab) -> Result<Running> {
    let running = rolled(lab, node("")?)?;
    balancers::nginx_before(lab, running, &Site::SharedSocket)
}

/// In refuse mode nginx needs somebody else to go to: a socket an instance.
fn refusing(lab: &Lab, more: &'static str) -> Result<Running> {
    let settings = "WORKER_DRAIN_MODE=refuse WORKER_DRAIN_STATUS=502";
    let (plan, addresses) = with_a_socket_each(node(settings)?, lab);
    let running = rolled(lab, plan)?;
    balancers::nginx_before(lab, running, &Site::ServerEach(addresses, "max_fails=0", more))
}
