//! Groups whose instances have a socket each, made as `nginx/README.md` says.

use std::fs;
use std::path::{Path, PathBuf};

use rollctl::lab::{GroupPlan, Lab, own_address};

use super::examples::example;

/// The plan with a socket an instance, and the addresses of four.
pub fn with_a_socket_each(plan: GroupPlan, lab: &Lab) -> (GroupPlan, Vec<String>) {
    let own = own_address();
    let ip = own.split(':').next().unwrap();
    let listen = format!("[Socket]\nListenStream=\nListenStream={ip}:2000%i\n");
    let plan = plan.units(units_with_a_socket_each(lab)).drop_in("worker@.socket", &listen);
    (plan, (1..=4).map(|number| format!("{ip}:2000{number}")).collect())
}

fn units_with_a_socket_each(lab: &Lab) -> PathBuf {
    let dir = lab.dir().join("units");
    fs::create_dir(&dir).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("units");
    fs::copy(shipped.join("worker.service"), dir.join("worker.service")).unwrap();
    let template = fs::read_to_string(shipped.join("worker@.service")).unwrap();
    // sed 's/^Sockets=.*/Sockets=%p@%i.socket/'
    let (before, after) = template.split_once("\nSockets=%p.socket\n").unwrap();
    let template = format!("{before}\nSockets=%p@%i.socket\n{after}");
    fs::write(dir.join("worker@.service"), template).unwrap();
    fs::copy(example("nginx/worker@.socket"), dir.join("worker@.socket")).unwrap();
    dir
}
