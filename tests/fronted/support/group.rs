//! Four instances of an app, on one socket or on one each.

use rollctl::lab::Lab;

use super::apps::App;
use super::sockets::with_a_socket_each;
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

/// A group whose instances have a socket each; with the addresses.
pub fn on_a_socket_each(app: &App, settings: &str) -> (Stage, Vec<String>) {
    let lab = Lab::start().unwrap();
    let (plan, addresses) = with_a_socket_each(four(), &lab);
    let stage = Stage::group_in(lab, plan.drop_in("worker@.service", &app.drop_in(settings)));
    (stage, addresses)
}
