//! WebSockets of real apps see a roll as one thing only: Close 1001, and the way back is open.

use crate::roll_support::Stage;
use crate::support::{App, Balancer, Lack, Talk, Trials, on_one_socket};

const CLIENTS: usize = 12;

pub(crate) fn stories(trials: Trials) -> Trials {
    let talk = |app: Result<App, Lack>| Talk::is_possible().and(app);
    let with = |balancer: Result<Balancer, Lack>| Ok((balancer?, talk(App::node_websockets())?));
    trials
        .tell("node_ws::are_closed_by_1001", talk(App::node_websockets()), |app| {
            are_closed_by_1001(&app, |stage| stage.address.clone());
        })
        .tell("uvicorn::are_closed_by_1001", talk(App::uvicorn()), |app| {
            are_closed_by_1001(&app, |stage| stage.address.clone());
        })
        .tell("nginx::are_closed_by_1001", with(Balancer::nginx()), |(nginx, app)| {
            are_closed_by_1001(&app, |stage| {
                let upstream = [("127.0.0.1:8080", stage.address.as_str())];
                nginx.serve_site(&stage.lab, "shared-socket.conf", &upstream)
            });
        })
        .tell("haproxy::are_closed_by_1001", with(Balancer::haproxy()), |(haproxy, app)| {
            are_closed_by_1001(&app, |stage| haproxy.proxy(&stage.lab, &stage.address));
        })
        .tell("caddy::are_closed_by_1001", with(Balancer::caddy()), |(caddy, app)| {
            are_closed_by_1001(&app, |stage| caddy.site(&stage.lab, &stage.address));
        })
}

fn are_closed_by_1001(app: &App, front: impl FnOnce(&Stage) -> String) {
    let stage = on_one_socket(app, "WORKER_TUNNEL_GRACE=300ms WORKER_LINGER=2s");
    let talk = Talk::begin(&front(&stage), CLIENTS);
    stage.roll(&["--observe", "0"]).exits_with(0);
    let told = talk.end();
    let closed = told["codes"]["1001"].as_u64().unwrap_or_default();
    assert!(closed >= CLIENTS as u64, "every instance was restarted: {told}");
    assert_eq!(told["codes"].as_object().unwrap().len(), 1, "{told}");
    assert_eq!(told["failed"].as_array().unwrap().len(), 0, "{told}");
    assert_eq!(told["connects"], closed + CLIENTS as u64, "{told}");
}
