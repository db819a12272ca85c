//! Behind the balancers of `packaging/examples` a roll of an unmodified Express app is not seen.

use std::collections::BTreeSet;
use std::time::Duration;

use rollctl::load::{Load, Style, Target};

use crate::roll_support::{Clients, Stage};
use crate::support::{App, Balancer, Trials, on_a_socket_each, on_one_socket};

pub(crate) fn stories(trials: Trials) -> Trials {
    let with = |balancer: Result<Balancer, _>| Ok((balancer?, App::express()?));
    trials
        .tell("nginx::on_the_shared_socket", with(Balancer::nginx()), |(nginx, app)| {
            rolls_unseen(&app, |stage| {
                let upstream = [("127.0.0.1:8080", stage.address.as_str())];
                nginx.serve_site(&stage.lab, "shared-socket.conf", &upstream)
            });
        })
        .tell("haproxy::on_the_shared_socket", with(Balancer::haproxy()), |(haproxy, app)| {
            rolls_unseen(&app, |stage| haproxy.proxy(&stage.lab, &stage.address));
        })
        .tell("caddy::on_the_shared_socket", with(Balancer::caddy()), |(caddy, app)| {
            rolls_unseen(&app, |stage| caddy.site(&stage.lab, &stage.address));
        })
        .tell("nginx::with_a_socket_an_instance", with(Balancer::nginx()), |(nginx, app)| {
            let (stage, addresses) = on_a_socket_each(&app, "");
            let front = site_with_a_server_an_instance(&nginx, &stage, &addresses);
            roll_unseen(&stage, all_sorts(&front));
            assert_eq!(Balancer::upstream_statuses(&stage.lab), BTreeSet::from(["200".to_owned()]));
        })
        .tell("nginx::refused_with_502", with(Balancer::nginx()), |(nginx, app)| {
            goes_to_the_next_when_refused(&nginx, &app, 502);
        })
        .tell("nginx::refused_with_503", with(Balancer::nginx()), |(nginx, app)| {
            goes_to_the_next_when_refused(&nginx, &app, 503);
        })
}

/// In a group on one shared socket, with a balancer in front of it.
fn rolls_unseen(app: &App, balancer: impl FnOnce(&Stage) -> String) {
    let stage = on_one_socket(app, "");
    let front = balancer(&stage);
    roll_unseen(&stage, all_sorts(&front));
}

/// In refuse mode, which is for requests that may be sent twice.
fn goes_to_the_next_when_refused(nginx: &Balancer, app: &App, status: u16) {
    let settings = format!("WORKER_DRAIN_MODE=refuse WORKER_DRAIN_STATUS={status}");
    let (stage, addresses) = on_a_socket_each(app, &settings);
    let front = site_with_a_server_an_instance(nginx, &stage, &addresses);
    roll_unseen(&stage, readers(&front));
    let seen = Balancer::upstream_statuses(&stage.lab);
    assert!(seen.contains(&format!("{status}, 200")), "nobody was refused: {seen:?}");
}

fn site_with_a_server_an_instance(nginx: &Balancer, stage: &Stage, addresses: &[String]) -> String {
    let shipped = ["127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083", "127.0.0.1:8084"];
    let upstreams = addresses.iter().map(String::as_str);
    let upstreams: Vec<_> = shipped.into_iter().zip(upstreams).collect();
    nginx.serve_site(&stage.lab, "socket-an-instance.conf", &upstreams)
}

const THOUGHT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(2);
const UPLOAD: usize = 256 * 1024;

fn all_sorts(front: &str) -> Load {
    readers(front)
        .clients(1, Style::download("/download", 32 << 20, LONG))
        .clients(1, Style::events("/events", 21, LONG / 20))
        .clients(6, Style::post("/echo", 1024).think(THOUGHT))
        .clients(1, Style::upload("/upload", UPLOAD, LONG).expect(format!("{UPLOAD} bytes\n")))
}

fn readers(front: &str) -> Load {
    Load::to(front.parse::<Target>().unwrap())
        .clients(6, Style::get("/").think(THOUGHT))
        .clients(2, Style::connect("/").think(THOUGHT))
        .clients(4, Style::slow(Duration::from_millis(100)))
}

fn roll_unseen(stage: &Stage, load: Load) {
    let before = stage.runs();
    let clients = Clients::begin(load);
    stage.roll(&["--observe", "0"]).exits_with(0);
    clients.lose_nothing();
    stage.all_are_new_since(&before);
}
