//! The balancers of `packaging/examples`, as units of a lab: only their addresses are others.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;

use rollctl::lab::{Lab, own_address};

use super::examples::site_of;
use super::programs::{Lack, Program};
use crate::roll_support::wait_until;

/// One of them.
#[derive(Clone, Debug)]
pub struct Balancer(Program);

impl Balancer {
    pub fn nginx() -> Result<Self, Lack> {
        Program::find("nginx").map(Self)
    }

    pub fn haproxy() -> Result<Self, Lack> {
        Program::find("haproxy").map(Self)
    }

    pub fn caddy() -> Result<Self, Lack> {
        Program::find("caddy").map(Self)
    }

    /// nginx with a site of the examples.
    pub fn serve_site(&self, lab: &Lab, site: &str, upstreams: &[(&str, &str)]) -> String {
        let front = own_address();
        let listen = format!("listen {front};");
        let site =
            site_of(&format!("nginx/{site}"), &[upstreams, &[("listen 80;", &listen)]].concat());
        let dir = lab.dir().to_string_lossy();
        let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("    {name}_temp_path {dir}/nginx-{name};\n"))
            .concat();
        let config = format!(
            "pid {dir}/nginx.pid;\nevents {{}}\nhttp {{\n    log_format upstreams $upstream_status;\n    \
             access_log {dir}/nginx.log upstreams;\n{temp}{site}\n}}\n"
        );
        let config = write(lab, "nginx.conf", &config);
        self.start(lab, front, &format!("-e stderr -c {config} -g 'daemon off;'"))
    }

    /// What the upstream servers of nginx have answered: `200`, or `503, 200` where one refused and
    /// the next one did not.
    pub fn upstream_statuses(lab: &Lab) -> BTreeSet<String> {
        let log = fs::read_to_string(lab.dir().join("nginx.log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }

    /// HAProxy with the example.
    pub fn proxy(&self, lab: &Lab, upstream: &str) -> String {
        let front = own_address();
        let bind = format!("bind {front}");
        let config = [("127.0.0.1:8080", upstream), ("bind :80", &bind)];
        let config = write(lab, "haproxy.cfg", &site_of("haproxy/haproxy.cfg", &config));
        self.start(lab, front, &format!("-db -f {config}"))
    }

    /// Caddy with the example, which asks nobody for certificates then.
    pub fn site(&self, lab: &Lab, upstream: &str) -> String {
        let front = own_address();
        let (ip, port) = front.split_once(':').unwrap();
        let bind = format!("http://:{port} {{\n\tbind {ip}");
        let site = [("127.0.0.1:8080", upstream), ("shop.example.org {", &bind)];
        let site = site_of("caddy/Caddyfile", &site);
        let config = write(lab, "Caddyfile", &format!("{{\n\tadmin off\n}}\n{site}"));
        self.start(lab, front, &format!("run --config {config} --adapter caddyfile"))
    }

    fn start(&self, lab: &Lab, front: String, arguments: &str) -> String {
        let home = format!("Environment=HOME={}\n", lab.dir().display());
        let unit = self.0.service(arguments) + &home;
        lab.install("balancer.service", &unit).unwrap();
        lab.reload().unwrap();
        lab.systemctl(["start", "balancer.service"]).unwrap();
        wait_until("the balancer listens", || TcpStream::connect(&front).is_ok());
        front
    }
}

fn write(lab: &Lab, name: &str, text: &str) -> String {
    let path = lab.dir().join(name);
    fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}
