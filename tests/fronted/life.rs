//! The life of real apps behind the worker: how they start, what they see, and how they end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use rollctl::load::{Class, Load, Sample, Style, Target, pattern};

use crate::roll_support::{Stage, wait_until};
use crate::support::{App, Lack, Process, Trials, on_one_socket, some_on_one_socket};

const THOUGHT: Duration = Duration::from_millis(10);

pub(crate) fn stories(trials: Trials) -> Trials {
    trials
        .tell("the_app_sees_nothing_of_systemd", App::node(), the_app_sees_nothing_of_systemd)
        .tell("a_network_of_its_own", in_a_network_of_its_own(), a_network_of_its_own)
        .tell("an_app_that_answers_later", App::node(), an_app_that_answers_later)
        .tell("an_app_that_says_when", App::gunicorn_threads(), an_app_that_says_when)
        .tell("an_app_that_never_says", App::node(), an_app_that_never_says)
        .tell("an_app_on_a_unix_socket", App::node(), an_app_on_a_unix_socket)
        .tell("posts_that_meet_nodes_keep_alive", App::node(), |node| {
            posts_that_meet_the_keep_alive(&node, Duration::from_secs(5));
        })
        .tell("posts_that_meet_gunicorns_keep_alive", App::gunicorn_threads(), |gunicorn| {
            posts_that_meet_the_keep_alive(&gunicorn, Duration::from_secs(2));
        })
        .tell("an_app_that_dies", App::node(), an_app_that_dies)
        .tell("an_app_that_is_started_again", App::node(), an_app_that_is_started_again)
        .tell("events_without_an_end", App::express(), events_without_an_end)
        .tell("a_client_that_does_not_read", App::node(), a_client_that_does_not_read)
        .tell("an_app_that_does_not_read", App::node(), an_app_that_does_not_read)
        .tell("a_download_over_http2", with_curl(), a_download_over_http2)
        .tell(
            "sockets_for_the_app_itself",
            App::gunicorn_with_sockets(),
            sockets_for_the_app_itself,
        )
}

/// Neither its variables nor its sockets.
fn the_app_sees_nothing_of_systemd(app: App) {
    let stage = some_on_one_socket(1, &app, "");
    let (worker, app) = (Process::worker(&stage, 1), Process::app(&stage, 1));
    let leaks = |name: &str| {
        ["LISTEN_", "NOTIFY_", "WATCHDOG_"].iter().any(|of_systemd| name.starts_with(of_systemd))
    };
    let environment = worker.environment();
    assert!(environment.keys().any(|name| leaks(name)), "systemd told nothing: {environment:?}");
    let environment = app.environment();
    assert!(!environment.keys().any(|name| leaks(name)), "{environment:?}");
    let shared: Vec<_> = worker.sockets().intersection(&app.sockets()).cloned().collect();
    assert!(shared.is_empty(), "the app holds {shared:?} of the worker's");
}

/// Where no network may be made, systemd goes on without one.
fn in_a_network_of_its_own() -> Result<App, Lack> {
    let tried = Command::new("unshare").args(["--net", "true"]).output();
    let is_allowed = tried.is_ok_and(|tried| tried.status.success());
    is_allowed.then(App::express).ok_or("this user may make no network")?
}

/// The inherited socket serves, and a roll is not seen; the app's port is seen by nobody.
fn a_network_of_its_own(app: App) {
    let stage = on_one_socket(&app, "WORKER_LINGER=2s");
    let is_seen = || {
        let ports = (1..=4).map(|number| Process::app(&stage, number).port());
        ports.map(|port| TcpStream::connect(("127.0.0.1", port)).is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(is_seen(), [true; 4], "without a network of their own");
    let clients = stage.mixed_load();
    stage.change("worker@.service", "30-network", "[Service]\nPrivateNetwork=yes\n");
    stage.roll(&["--observe", "0"]).exits_with(0);
    assert_eq!(is_seen(), [false; 4], "with a network of their own");
    stage.roll(&["--observe", "0"]).exits_with(0);
    clients.lose_nothing();
}

/// Accepting is not answering: `--app-ready /path` waits for the latter.
fn an_app_that_answers_later(app: App) {
    let settings = "WORKER_APP_READY=/ready WARM_UP_MS=1000";
    let stage = some_on_one_socket(1, &app, settings);
    let clients = stage.load(2, Style::get("/ready").think(THOUGHT));
    clients.lose_nothing();
}

fn an_app_that_says_when(app: App) {
    let stage = some_on_one_socket(1, &app, "WORKER_APP_READY=notify");
    stage.load(2, Style::get("/").think(THOUGHT)).lose_nothing();
}

/// It listens, but with `--app-ready notify` that is not enough.
fn an_app_that_never_says(app: App) {
    let stage = some_on_one_socket(1, &app, "");
    let notify = "[Service]\nEnvironment=WORKER_APP_READY=notify\nTimeoutStartSec=2s\nRestart=no\n";
    stage.change("worker@.service", "30-notify", notify);
    stage.lab.systemctl(["restart", stage.unit(1)]).unwrap_err();
    assert_eq!(stage.lab.show(stage.unit(1), "Result").unwrap(), "timeout");
}

fn an_app_on_a_unix_socket(app: App) {
    let stage = on_one_socket(&app, "WORKER_APP_SOCKET=%t/worker/%i/app.sock WORKER_LINGER=2s");
    let clients = stage.mixed_load();
    stage.roll(&["--observe", "0"]).exits_with(0);
    clients.lose_nothing();
}

/// A POST must not be sent on a connection that the app is closing just then.
fn posts_that_meet_the_keep_alive(app: &App, keep_alive: Duration) {
    let stage = some_on_one_socket(1, app, "");
    let around =
        |millis: i64| Duration::from_millis((keep_alive.as_millis() as i64 + millis) as u64);
    let load = Load::to(stage.address.parse::<Target>().unwrap());
    let load = (-10..10).fold(load, |load, number| {
        load.clients(1, Style::post("/echo", 100).think(around(number * 5)))
    });
    let report = load.requests(60).start().unwrap().wait();
    assert_eq!((report.total().count(Class::Ok), report.lost()), (60, 0), "{report}");
}

/// What it had is answered with 502, and so is each client's next request if it comes before the
/// worker knows; systemd starts the instance again, and the others serve.
fn an_app_that_dies(app: App) {
    let stage = on_one_socket(&app, "");
    let clients = stage.load(8, Style::slow(Duration::from_millis(100)));
    let with_requests = busiest(&stage);
    Process::app(&stage, with_requests).kill();
    let unit = stage.unit(with_requests).to_owned();
    wait_until("the app's end is told", || stage.lab.log(&unit).contains("was killed by SIGKILL"));
    wait_until("the instance is started again", || {
        stage.lab.show(&unit, "NRestarts").unwrap() == "1" && stage.is_serving(&unit)
    });
    clients.get_answers(50);
    let report = clients.stop();
    assert!((1..=16).contains(&report.lost()), "{report}");
    assert!(report.total().samples().iter().all(is_told), "{report}");
}

/// Whether a client knows what became of a request that a killed app had: 502, or, if its response
/// had begun, an end that cannot be taken for that of the response.
fn is_told(lost: &Sample) -> bool {
    match lost.class {
        Class::OtherStatus => lost.text.contains("502"),
        class => class == Class::Cut,
    }
}

/// The instance, counted from 1, with the most requests in flight.
fn busiest(stage: &Stage) -> usize {
    let mut busiest = 1;
    wait_until("an instance has requests", || {
        busiest =
            (1..=stage.instances.len()).max_by_key(|number| in_flight(stage, *number)).unwrap();
        in_flight(stage, busiest) > 0
    });
    busiest
}

/// How many requests an instance says it has, once a second.
fn in_flight(stage: &Stage, number: usize) -> u32 {
    let status = stage.lab.show(stage.unit(number), "StatusText").unwrap();
    let count = status.strip_prefix("serving: ").and_then(|rest| rest.split(' ').next());
    count.and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// Requests that come while it is down wait for it; only what it had is lost.
fn an_app_that_is_started_again(app: App) {
    let stage = some_on_one_socket(1, &app, "WORKER_APP_RESTART=yes");
    let clients = stage.load(8, Style::post("/echo", 100).think(THOUGHT));
    let first = Process::app(&stage, 1);
    first.kill();
    clients.get_answers(100);
    let report = clients.stop();
    assert!(report.lost() <= 8, "{report}");
    assert!(report.total().samples().iter().all(is_told), "{report}");
    assert_ne!(Process::app(&stage, 1), first);
    assert_eq!(stage.lab.show(stage.unit(1), "NRestarts").unwrap(), "0");
}

/// Nobody could wait for their end: they are cut at the deadline, and so that the client knows.
fn events_without_an_end(app: App) {
    let stage = some_on_one_socket(1, &app, "WORKER_DRAIN_TIMEOUT=2s");
    let without_end = Style::events("/events", 100_000, Duration::from_millis(20));
    let load = Load::to(stage.address.parse::<Target>().unwrap());
    let load = load.request_timeout(Duration::from_secs(60)).requests(6);
    let listeners = load.clients(3, without_end).start().unwrap();
    for _ in 0..2 {
        wait_until("all three listen", || in_flight(&stage, 1) == 3);
        stage.systemctl(&["restart", stage.unit(1)]);
    }
    let report = listeners.wait();
    assert_eq!(report.total().lost_by_class(), [(Class::Cut, 6)], "{report}");
}

/// More than anybody could hold.
const HUGE: u64 = 1 << 30;

/// What the kernel, the worker and the app may hold together of a body that nobody reads.
const HELD: u64 = 64 << 20;

/// Back-pressure reaches the app, and the worker's memory does not grow.
fn a_client_that_does_not_read(app: App) {
    let stage = some_on_one_socket(1, &app, "");
    let (worker, app) = (Process::worker(&stage, 1), Process::app(&stage, 1));
    let before = worker.memory();
    let mut client = TcpStream::connect(&stage.address).unwrap();
    write!(client, "GET /download?bytes={HUGE} HTTP/1.1\r\nHost: shop\r\n\r\n").unwrap();
    client.read_exact(&mut [0; 1000]).unwrap();
    let mut written = app.written();
    wait_until("the app writes no more", || {
        std::thread::sleep(Duration::from_millis(300));
        written == std::mem::replace(&mut written, app.written())
    });
    assert!(written > 1 << 20 && written < HELD, "the app could write {written} bytes");
    let grown = worker.memory().saturating_sub(before);
    assert!(grown < 8 << 20, "the worker has grown by {grown} bytes");
}

/// Back-pressure reaches the client, and the worker's memory does not grow.
fn an_app_that_does_not_read(app: App) {
    let stage = some_on_one_socket(1, &app, "");
    let worker = Process::worker(&stage, 1);
    let before = worker.memory();
    let mut client = TcpStream::connect(&stage.address).unwrap();
    client.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    write!(client, "POST /ignore HTTP/1.1\r\nHost: shop\r\nContent-Length: {HUGE}\r\n\r\n")
        .unwrap();
    let (piece, mut sent) = ([0; 1 << 16], 0);
    while let Ok(written) = client.write(&piece) {
        sent += written as u64;
        assert!(sent < HELD, "somebody takes everything");
    }
    let grown = worker.memory().saturating_sub(before);
    assert!(grown < 8 << 20, "the worker has grown by {grown} bytes");
}

fn with_curl() -> Result<App, Lack> {
    let curl = Command::new("curl").arg("--version").output().ok();
    let speaks = curl.is_some_and(|it| String::from_utf8_lossy(&it.stdout).contains("HTTP2"));
    if speaks { App::express() } else { Err("there is no curl that speaks HTTP/2".to_owned()) }
}

/// HTTP/2 to the worker, HTTP/1.1 to the app, and an instance that stops in the middle of it.
fn a_download_over_http2(app: App) {
    const BYTES: usize = 32 << 20;
    let stage = some_on_one_socket(1, &app, "");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--http2-prior-knowledge"]);
    curl.args(["--limit-rate", "12M", "--write-out", "%{stderr}%{http_version}"]);
    curl.arg(format!("http://{}/download?bytes={BYTES}", stage.address));
    let curl = curl.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let downloading = std::thread::spawn(|| curl.wait_with_output().unwrap());
    wait_until("it has begun", || in_flight(&stage, 1) == 1);
    stage.systemctl(&["restart", stage.unit(1)]);
    let output = downloading.join().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said == "2", "{}: {said}", output.status);
    assert!(output.stdout == pattern(BYTES), "{} other bytes", output.stdout.len());
}

/// gunicorn knows how to take them and how to go; the worker supervises.
fn sockets_for_the_app_itself(app: App) {
    let stage = on_one_socket(&app, "WORKER_PASS_SOCKETS=yes");
    let clients = stage.mixed_load();
    stage.roll(&["--observe", "0"]).exits_with(0);
    clients.lose_nothing();
}
