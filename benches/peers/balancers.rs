//! nginx and HAProxy: before others, and reloaded themselves.

use std::fs;

use rollctl::lab::{Lab, own_address};

use crate::nodes;
use crate::peer::{Peer, Result, Running, signal, version};
use crate::real::{Program, site_of};
use crate::service::{self, NGINX_UNIT};

pub(crate) const PEERS: &[Peer] = &[
    Peer { name: "nginx reload, 4 Node behind it", is_quick: false, start: nginx_reloaded },
    Peer { name: "HAProxy reload, 4 Node behind it", is_quick: false, start: haproxy_reloaded },
];

/// A site of packaging/examples.
pub(crate) enum Site {
    SharedSocket,
    /// The addresses, what is set for each, and what more failures are taken to the next server.
    ServerEach(Vec<String>, &'static str, &'static str),
}

/// Puts nginx before a peer.
pub(crate) fn nginx_before(lab: &Lab, peer: Running, site: &Site) -> Result<Running> {
    let front = own_address();
    let nginx = service::start_nginx(lab, &front, &site.text(&front, &peer.address))?;
    let own = version(nginx.command().arg("-v"))?;
    let version = format!("nginx {own}, {}", peer.version);
    Ok(Running { address: front, version, fronts: vec![NGINX_UNIT.to_owned()], ..peer })
}

impl Site {
    fn text(&self, front: &str, app: &str) -> String {
        let listen = format!("listen {front};");
        match self {
            Self::SharedSocket => site_of(
                "nginx/shared-socket.conf",
                &[("listen 80;", &listen), ("127.0.0.1:8080", app)],
            ),
            Self::ServerEach(addresses, setting, more) => {
                let next = "proxy_next_upstream error timeout http_502 http_503";
                let next_and_more = format!("{next} {more}");
                let servers = addresses.iter().map(|it| format!("server {it} {setting};"));
                let servers: Vec<String> = servers.collect();
                let known =
                    (1..=4).map(|number| format!("server 127.0.0.1:808{number} max_fails=0;"));
                let known: Vec<String> = known.collect();
                let pairs =
                    known.iter().zip(&servers).map(|(from, to)| (from.as_str(), to.as_str()));
                let rest = [("listen 80;", listen.as_str()), (next, &next_and_more)];
                let all: Vec<(&str, &str)> = pairs.chain(rest).collect();
                site_of("nginx/socket-an-instance.conf", &all)
            }
        }
    }
}

fn nginx_reloaded(lab: &Lab) -> Result<Running> {
    let (addresses, nodes) = nodes::four(lab, nodes::PLAIN)?;
    let site = Site::ServerEach(addresses, "max_fails=0", "");
    let running = nginx_before(lab, nodes, &site)?;
    Ok(reloaded(running, NGINX_UNIT, "SIGHUP"))
}

fn haproxy_reloaded(lab: &Lab) -> Result<Running> {
    let (addresses, nodes) = nodes::four(lab, nodes::PLAIN)?;
    let haproxy = Program::find("haproxy")?;
    let front = own_address();
    let bind = format!("bind {front}");
    let servers = addresses.iter().enumerate();
    let servers = servers.map(|(at, it)| format!("server shop{at} {it} pool-purge-delay 1s\n    "));
    let servers: String = servers.collect();
    let replaced =
        [("server shop 127.0.0.1:8080 pool-purge-delay 1s", servers.as_str()), ("bind :80", &bind)];
    let path = lab.dir().join("haproxy.cfg");
    fs::write(&path, site_of("haproxy/haproxy.cfg", &replaced))?;
    let service = haproxy.service(&format!("-W -f {}", path.display()));
    service::start(lab, "haproxy.service", &service, &front)?;
    let own = version(haproxy.command().arg("-v"))?;
    let version = format!("HAProxy {own}, {}", nodes.version);
    let fronts = vec!["haproxy.service".to_owned()];
    let running = Running { address: front, version, fronts, ..nodes };
    Ok(reloaded(running, "haproxy.service", "SIGUSR2"))
}

/// It is the balancer that is restarted, and the apps that stay.
fn reloaded(running: Running, unit: &'static str, with: &'static str) -> Running {
    let Running { units, fronts, .. } = running;
    Running { units: fronts, fronts: units, has_master: true, order: signal(unit, with), ..running }
}
