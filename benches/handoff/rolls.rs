//! Rolls of four instances, back to back, and what their clients saw of it.

use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rollctl::lab::{Group, GroupPlan, Lab, own_address, program};

use crate::clients::{Kind, Seen, Site, kinds};
use crate::real::site_of;
use crate::service;

/// Clients that say nothing for all of the rolls are not to be closed for that.
const PATIENT: &str = "[Service]
Environment=WORKER_IDLE_TIMEOUT=1h WORKER_HEADER_TIMEOUT=1h
";

/// Long enough for those that were busy when the last instance asked for its share.
const SETTLING: Duration = Duration::from_secs(2);

pub(crate) fn run(rolls: u32, wanted: &[String]) -> Result<(), Box<dyn Error>> {
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: Some(20_000), maximum: Some(20_000) },
    )?;
    println!(
        "| {:<28} | {:>5} | {:>10} | {:>4} | {:>10} | {:>11} | {:>12} | {:<19} |",
        "clients",
        "rolls",
        "requests",
        "lost",
        "reconnects",
        "wrong bytes",
        "a roll, ms",
        "connections each"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut bad = 0;
    let is_wanted =
        |kind: &Kind| wanted.is_empty() || wanted.iter().any(|it| kind.name.contains(it));
    for kind in kinds().into_iter().filter(is_wanted) {
        let seen = row(&kind, rolls)?;
        bad += seen.lost + seen.reconnects;
    }
    match bad {
        0 => Ok(()),
        some => Err(format!("{some} requests lost or connections closed").into()),
    }
}

fn row(kind: &Kind, rolls: u32) -> Result<Seen, Box<dyn Error>> {
    let lab = Lab::start()?;
    let mut plan = GroupPlan::new().instances(4).drop_in("worker@.service", PATIENT);
    if kind.site == Site::Node {
        plan = plan.drop_in("worker@.service", &node(&lab)?);
    }
    let group = plan.start(&lab)?;
    let address = match kind.site {
        Site::Nginx => nginx_before(&lab, &group)?,
        Site::BuiltIn | Site::Node => group.address.clone(),
    };
    let crowd = kind.clients.start(&address)?;
    let mut took = (0..rolls).map(|_| roll(&lab)).collect::<Result<Vec<_>, _>>()?;
    took.sort_unstable();
    sleep(SETTLING);
    let counts = of_each(&lab, &group, "worker_connections{")?;
    // In the last run of each: nobody but nginx connects again without having lost anything.
    let accepted: u64 = of_each(&lab, &group, "worker_accepted_total")?.into_iter().sum();
    let mut seen = crowd.end();
    if kind.site == Site::Nginx {
        seen.reconnects += accepted;
    }
    let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
    let millis = |at: usize| took.get(at).map_or(0, Duration::as_millis);
    println!(
        "| {:<28} | {rolls:>5} | {:>10} | {:>4} | {:>10} | {:>11} | {:>12} | {:<19} |",
        kind.name,
        seen.requests,
        seen.lost,
        seen.reconnects,
        seen.wrong,
        format!("{} … {}", millis(took.len() / 2), millis(took.len() - 1)),
        counts.join("/")
    );
    seen.words.iter().take(5).for_each(|words| println!("    {words}"));
    Ok(seen)
}

/// A drop-in that fronts an app of Node's own http.
fn node(lab: &Lab) -> Result<String, Box<dyn Error>> {
    let app = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/node/server.js");
    let app = lab.bring(Path::new(app))?;
    // Node makes code at run time.
    let exec = format!("/usr/libexec/rollctl/worker -- node {}", app.display());
    Ok(format!("[Service]\nExecStart=\nExecStart={exec}\nMemoryDenyWriteExecute=no\n"))
}

fn roll(lab: &Lab) -> Result<Duration, Box<dyn Error>> {
    let mut rollctl = lab.command(program("rollctl")?);
    let begun = Instant::now();
    let status = rollctl.args(["restart", "--user", "-q", "worker", "--observe", "0"]).status()?;
    match status.success() {
        true => Ok(begun.elapsed()),
        false => Err(format!("the roll ended with {status}").into()),
    }
}

/// The sum of a metric, as each instance tells it itself.
fn of_each(lab: &Lab, group: &Group, metric: &str) -> Result<Vec<u64>, Box<dyn Error>> {
    let sum = |number| {
        let text = get(&group.admin_socket(lab, number))?;
        let lines = text.lines().filter(|line| line.starts_with(metric));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    };
    (1..=group.instances).map(sum).collect()
}

/// nginx as in packaging/examples, but its pool stays as it is.
fn nginx_before(lab: &Lab, group: &Group) -> Result<String, Box<dyn Error>> {
    let front = own_address();
    let site = site_of(
        "nginx/shared-socket.conf",
        &[
            ("listen 80;", &format!("listen {front};")),
            ("127.0.0.1:8080", &group.address),
            (
                "keepalive_timeout 5s;",
                "keepalive_timeout 1h; keepalive_requests 100000000; keepalive_time 1h;",
            ),
        ],
    );
    service::start_nginx(lab, &front, &site)?;
    Ok(front)
}

fn get(socket: &Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
