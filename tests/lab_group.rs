//! The standard group runs in a lab from the shipped units, on a socket of its own, under load.
#![cfg(feature = "lab")]

use std::time::Duration;

use rollctl::lab::{Group, GroupPlan, Lab};
use rollctl::load::{Class, Load, Style, Target};

#[test]
fn all_instances_hold_the_socket_and_serve() {
    let lab = Lab::start().unwrap();
    let group = worker_group().start(&lab).unwrap();
    for unit in group.units() {
        assert_eq!(lab.show(&unit, "ActiveState").unwrap(), "active", "{unit}");
    }
    assert_eq!(lab.show("worker.socket", "ActiveState").unwrap(), "active");
    let report = all_styles(&group).requests(2_000).start().unwrap().wait();
    assert_eq!(report.total().count(Class::Ok), 2_000, "{report}\n{}", lab.log(&group.instance(1)));
}

#[test]
fn a_group_can_listen_on_a_unix_socket() {
    let lab = Lab::start().unwrap();
    let path = lab.dir().join("group.sock");
    let group = worker_group().instances(2).listen(path.to_string_lossy()).start(&lab).unwrap();
    let report = all_styles(&group).requests(500).start().unwrap().wait();
    assert_eq!(report.total().count(Class::Ok), 500, "{report}");
}

#[test]
fn a_lab_that_ends_takes_nothing_from_another() {
    let stays = Lab::start().unwrap();
    let group = worker_group().instances(1).start(&stays).unwrap();
    let ends = Lab::start().unwrap();
    worker_group().instances(1).start(&ends).unwrap();
    drop(ends);
    assert!(group.admin_socket(&stays, 1).exists());
}

fn worker_group() -> GroupPlan {
    GroupPlan::new().program("worker", env!("CARGO_BIN_EXE_worker"))
}

fn all_styles(group: &Group) -> Load {
    Load::to(group.address.parse::<Target>().unwrap())
        .clients(4, Style::get("/"))
        .clients(4, Style::post("/echo", 1024))
        .clients(4, Style::connect("/"))
        .clients(4, Style::slow(Duration::from_millis(20)))
}
