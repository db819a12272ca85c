//! An instance alone, or all at once: with nobody there to take them, connections wait in systemd for
//! the next run, and no client notices.

#[allow(dead_code, unreachable_pub)]
#[path = "../workers/support/client.rs"]
mod client;

use std::time::{Duration, Instant};

use client::{Client, get, is_last, is_ok};
use rollctl::lab::{GroupPlan, Lab};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{PATIENCE, Stage, four, nobody_notices, release, wait_until};

const RESTARTS: usize = 3;

/// So many instances of the shipped units, with these lines in the drop-in of their `[Service]`.
fn plan(instances: usize, lines: &str) -> GroupPlan {
    let plan = four().instances(instances).known_user();
    plan.drop_in("worker@.service", &format!("[Service]\n{lines}\n"))
}

fn group(instances: usize, lines: &str) -> Stage {
    Stage::group(plan(instances, lines))
}

impl Stage {
    fn restarts(&self) {
        for _ in 0..RESTARTS {
            let before = self.runs();
            self.systemctl(&["restart", "worker@*"]);
            self.all_are_new_since(&before);
        }
    }

    fn client(&self) -> Client {
        Client::tcp(self.address.parse().unwrap())
    }

    /// So many clients that were answered once, every fifth having sent half a head of its next request.
    fn clients(&self, count: usize) -> Vec<Client> {
        let mut clients: Vec<Client> = (0..count).map(|_| self.client()).collect();
        clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
        clients.iter_mut().step_by(5).for_each(|client| client.sends(half_a_head()));
        self.until("worker_connections{state=\"head\"}", count.div_ceil(5));
        clients
    }

    /// Waits until a metric of the first instance has a value.
    #[track_caller]
    fn until(&self, name: &str, value: usize) {
        let socket = self.lab.run_dir().join("worker/1/admin.sock");
        let line = format!("\n{name} {value}\n");
        wait_until(&line, || {
            crate::support::get(&socket, "/metrics").is_ok_and(|(_, text)| text.contains(&line))
        });
    }

    fn log(&self) -> String {
        self.lab.log(self.unit(1))
    }

    #[track_caller]
    fn logs(&self, text: &str) {
        wait_until(text, || self.log().contains(text));
    }

    fn kill(&self) {
        let pid: i32 = self.lab.show(self.unit(1), "MainPID").unwrap().parse().unwrap();
        // It may just have ended by itself.
        let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
    }

    /// How many descriptors systemd keeps for an instance.
    fn stored(&self, number: usize) -> String {
        self.lab.show(self.unit(number), "NFileDescriptorStore").unwrap()
    }
}

fn half_a_head() -> String {
    get("/")[..10].to_owned()
}

const WORKER: &str = "/usr/libexec/rollctl/worker";

/// Asks, and is still to be answered.
fn asks(client: &mut Client) -> &mut [Client] {
    client.sends(get("/"));
    std::slice::from_mut(client)
}

/// Each asks once more.
fn ask(clients: &mut [Client]) {
    for (at, client) in clients.iter_mut().enumerate() {
        client.sends_what_goes(&get("/")[if at % 5 == 0 { 10 } else { 0 }..]);
    }
}

/// Each is answered, and may go on asking.
#[track_caller]
fn are_answered(clients: &mut [Client]) {
    for client in clients {
        let answer = client.reads();
        is_ok(&answer);
        assert!(!answer.contains("connection: close"), "{answer}");
    }
}

/// How many were answered, all others having seen the end.
fn answered(clients: &mut [Client]) -> usize {
    let answered = clients
        .iter_mut()
        .filter_map(|client| client.has_more_or_ended().then(|| is_ok(&client.reads())));
    answered.count()
}

#[test]
fn clients_of_a_lone_instance_keep_their_connections() {
    let stage = group(1, "");
    nobody_notices(&stage, Stage::restarts);
    assert_eq!(stage.stored(1), "0", "something stayed behind in systemd");
}

#[test]
fn clients_of_instances_that_restart_all_at_once_keep_their_connections() {
    nobody_notices(&group(4, ""), Stage::restarts);
}

#[test]
fn clients_of_an_app_behind_a_lone_worker_keep_their_connections() {
    let lab = Lab::start().unwrap();
    // Its unit sees neither home directories nor /tmp, wherever this repository may be.
    let app =
        lab.bring(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/odd.py").as_ref()).unwrap();
    let line = format!("ExecStart=\nExecStart={WORKER} -- python3 {}", app.display());
    let stage = Stage::group_in(lab, plan(1, &line));
    let mut clients: Vec<Client> = (0..20).map(|_| stage.client()).collect();
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/counts")));
    stage.restarts();
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/counts")));
    stage.logs("0 moved, 20 parked");
}

#[test]
fn what_is_in_hand_is_finished_while_the_others_are_served() {
    let stage = group(1, "");
    let (mut slow, mut quick) = (stage.client(), stage.client());
    is_ok(&quick.asks("/"));
    slow.sends(get("/slow?ms=1500"));
    stage.until("worker_in_flight", 1);
    stage.systemctl(&["restart", "--no-block", "worker@1"]);
    stage.logs("draining: 1 requests");
    let asked = Instant::now();
    are_answered(asks(&mut quick));
    assert!(asked.elapsed() < Duration::from_secs(1), "it had to wait for the slow one");
    are_answered(std::slice::from_mut(&mut slow));
    for client in [&mut slow, &mut quick] {
        is_ok(&client.asks("/"));
    }
    stage.logs("0 moved, 2 parked");
}

#[test]
fn a_unit_that_is_stopped_lets_its_connections_linger() {
    let stage = group(1, "");
    let mut clients = stage.clients(10);
    stage.systemctl(&["stop", "--no-block", "worker@1"]);
    stage.logs("linger: the unit is stopped, and not restarted");
    ask(&mut clients);
    clients.iter_mut().for_each(|client| is_last(&client.reads()));
    stage.logs("0 moved, 0 parked");
}

#[test]
fn a_unit_without_room_in_the_store_lets_its_connections_linger() {
    let stage = group(1, "FileDescriptorStoreMax=0");
    let mut clients = stage.clients(10);
    stage.systemctl(&["restart", "--no-block", "worker@1"]);
    stage.logs("linger: FileDescriptorStoreMax= of the unit leaves no room");
    ask(&mut clients);
    clients.iter_mut().for_each(|client| is_last(&client.reads()));
    stage.logs("0 moved, 0 parked");
}

#[test]
fn what_the_store_has_no_room_for_lingers() {
    let stage = group(1, "FileDescriptorStoreMax=1\nEnvironment=WORKER_LINGER=1s");
    let mut clients: Vec<Client> = (0..12).map(|_| stage.client()).collect();
    // Two of them fill a message, and two messages a locker.
    let half = format!("GET / HTTP/1.1\r\nhost: test\r\nx-long: {}", "x".repeat(50_000));
    clients.iter_mut().for_each(|client| client.sends(&half));
    stage.until("worker_connections{state=\"head\"}", 12);
    stage.systemctl(&["restart", "--no-block", "worker@1"]);
    stage.logs("draining");
    clients.iter_mut().for_each(|client| client.sends("\r\n\r\n"));
    let answers: Vec<String> = clients.iter_mut().map(Client::reads).collect();
    answers.iter().for_each(|answer| is_ok(answer));
    let last = answers.iter().filter(|answer| answer.contains("connection: close")).count();
    assert!((1..12).contains(&last), "{last} were told that it is the last answer");
    stage.logs(&format!("0 moved, {} parked", 12 - last));
}

#[test]
fn what_siblings_refuse_waits_in_systemd() {
    let full = "[Service]\nEnvironment=WORKER_MAX_CONNECTIONS=2\n";
    let stage = group(1, "");
    stage.change("worker@2.service", "50-small", full);
    stage.systemctl(&["start", "worker@2"]);
    let mut clients: Vec<Client> = (0..20).map(|_| stage.client()).collect();
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    stage.systemctl(&["restart", "worker@1"]);
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    let (log, other) = (stage.log(), stage.lab.log("worker@2.service"));
    assert!(log.contains(" parked ") && !log.contains(" 0 parked "), "{log}{other}");
}

#[test]
fn when_siblings_take_no_more_what_is_in_hand_is_finished_first() {
    let stage = group(1, "");
    let small = "Environment=WORKER_MAX_CONNECTIONS=2 WORKER_BALANCE=no";
    stage.change("worker@2.service", "50-small", &format!("[Service]\n{small}\n"));
    let mut slow = stage.client();
    let mut quick: Vec<Client> = (0..3).map(|_| stage.client()).collect();
    quick.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    slow.sends(get("/slow?ms=3000"));
    stage.until("worker_in_flight", 1);
    stage.systemctl(&["start", "worker@2"]);
    stage.systemctl(&["restart", "--no-block", "worker@1"]);
    stage.logs("draining: 1 requests");
    let asked = Instant::now();
    quick.iter_mut().for_each(|client| client.sends(get("/")));
    are_answered(&mut quick);
    assert!(asked.elapsed() < Duration::from_secs(2), "they had to wait for the slow one");
    are_answered(std::slice::from_mut(&mut slow));
    wait_until("it has gone", || stage.log().contains("drained "));
    let (log, other) = (stage.log(), stage.lab.log("worker@2.service"));
    assert!(log.contains("1 moved, 3 parked"), "{log}\n{other}");
}

/// A lone instance whose connections wait in systemd, for its next run does not start.
fn waiting(restart: &str) -> (Stage, Vec<Client>) {
    let stage = group(1, restart);
    let clients = stage.clients(20);
    stage.change("worker@.service", "50-bad", &release("/bin/false", ""));
    let _ = stage.lab.systemctl(["restart", "worker@1"]);
    stage.logs("0 moved, 20 parked");
    (stage, clients)
}

#[test]
fn connections_wait_until_a_bad_release_is_mended() {
    let (stage, mut clients) = waiting("RestartSec=50ms");
    assert_eq!(stage.stored(1), "1");
    ask(&mut clients);
    // This one is dead when its turn comes.
    drop(clients.pop());
    stage.change_back("worker@.service", "50-bad");
    are_answered(&mut clients);
    stage.until("worker_resumed_total", 20);
    assert_eq!(stage.stored(1), "0");
}

#[test]
fn connections_end_when_a_bad_release_is_given_up() {
    let (stage, mut clients) = waiting("Restart=no");
    assert_eq!(stage.state("worker@1.service"), "failed");
    ask(&mut clients);
    assert_eq!(answered(&mut clients), 0);
}

#[test]
fn connections_end_when_a_bad_release_is_stopped() {
    let (stage, mut clients) = waiting("");
    stage.systemctl(&["stop", "worker@1"]);
    assert_eq!(answered(&mut clients), 0);
}

#[test]
fn a_worker_that_is_killed_loses_what_it_has_and_not_what_is_with_systemd() {
    let mut parked = 0;
    for step in 0..8 {
        let stage = group(1, "RestartSec=50ms");
        let mut clients = stage.clients(150);
        let begun = stage.runs();
        stage.systemctl(&["restart", "--no-block", "worker@1"]);
        std::thread::sleep(Duration::from_millis(step));
        stage.kill();
        wait_until("the next run serves", || {
            stage.is_serving("worker@1.service") && stage.runs() != begun
        });
        ask(&mut clients);
        parked += answered(&mut clients);
        // Nothing is wrong with those it serves now.
        are_answered(asks(&mut stage.client()));
    }
    assert!(parked > 0, "it never came to park any");
}
