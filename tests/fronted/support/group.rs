//! Four instances of an app, on one socket or on one each.

use std::fs;
use std::path::Path;

use rollctl::lab::{Lab, own_address};

use super::apps::{App, example};
use crate::roll_support::{Stage, four};

/// A group on one shared socket, as its units are shipped.
pub fn on_one_socket(app: &App, settings: &str) -> Stage {
    some_on_one_socket(4, app, settings)
}

/// Fewer of them.
pub fn some_on_one_socket(instances: usize, app: &App, settings: &str) -> Stage {
    let plan = four().instances(instances);
    Stage::group(plan.drop_in("worker@.service", &app.drop_in(settings)))
}

/// A group whose instances have a socket each, made as `nginx/README.md` says; with the addresses.
pub fn on_a_socket_each(app: &App, settings: &str) -> (Stage, Vec<String>) {
    let lab = Lab::start().unwrap();
    let own = own_address();
    let ip = own.split(':').next().unwrap();
    let listen = format!("[Socket]\nListenStream=\nListenStream={ip}:2000%i\n");
    let plan = four()
        .units(units_with_a_socket_each(&lab))
        .drop_in("worker@.socket", &listen)
        .drop_in("worker@.service", &app.drop_in(settings));
    let stage = Stage::group_in(lab, plan);
    (stage, (1..=4).map(|number| format!("{ip}:2000{number}")).collect())
}

fn units_with_a_socket_each(lab: &Lab) -> std::path::PathBuf {
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
