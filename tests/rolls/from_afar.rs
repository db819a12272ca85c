//! Rolls on another machine. An `ssh` of the story stands for ssh and sshd: it hands its last word to
//! a shell in a session of its own, and what runs there goes on when it dies.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rollctl::load::Style;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Rolling, Stage, four};

const SLOW_START: &str = "[Service]\nExecStartPre=/bin/sleep 1\n";

/// `bare` has no rollctl, `silent` does not answer; on the way to `web0` an old ssh says that all is well
/// when it is told to end.
const SSH: &str = r#"#!/bin/sh
echo $$ >"$0.pid"
while [ "$1" != -- ]; do shift; done
host=$2
shift 2
case $host in
silent) echo "ssh: connect to host silent port 22: Connection refused" >&2; exit 255 ;;
bare) PATH=/usr/bin:/bin ;;
*web0) trap 'exit 0' TERM; PATH=ROLLCTL:/usr/bin:/bin ;;
*) PATH=ROLLCTL:/usr/bin:/bin ;;
esac
export PATH
setsid sh -c "$*" &
wait $!
"#;

struct Far {
    stage: Stage,
    ssh: PathBuf,
}

impl Far {
    fn reach(stage: Stage) -> Self {
        let ssh = stage.lab.dir().join("far/ssh");
        let rollctl = Path::new(env!("CARGO_BIN_EXE_rollctl")).parent().unwrap();
        std::fs::create_dir(ssh.parent().unwrap()).unwrap();
        std::fs::write(&ssh, SSH.replace("ROLLCTL", rollctl.to_str().unwrap())).unwrap();
        std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { stage, ssh }
    }

    /// `rollctl -H HOST`, which finds that ssh and no other.
    fn rollctl(&self, host: &str) -> Command {
        let mut rollctl = self.stage.rollctl();
        let bin = self.ssh.parent().unwrap().to_str().unwrap();
        rollctl.env("PATH", format!("{bin}:/usr/bin:/bin")).args(["-H", host]);
        rollctl
    }

    fn begin(&self, host: &str, verb: &str, arguments: &[&str]) -> Rolling {
        self.stage.begin_as(self.rollctl(host), verb, arguments)
    }

    fn ends(&self, host: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        told(self.rollctl(host).args(arguments))
    }

    /// The connection, and nothing of what runs there.
    fn cut(&self) {
        let pid = std::fs::read_to_string(self.ssh.with_extension("pid")).unwrap();
        kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    }
}

fn told(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_roll_over_there_is_a_roll_like_any_other() {
    let far = Far::reach(Stage::four());
    let before = far.stage.runs();
    let clients = far.stage.load(8, Style::get("/"));
    let rolled = far.begin("ada@web1", "restart", &["worker@*"]).end().exits_with(0);
    assert_eq!(rolled.order(), far.stage.instances);
    far.stage.all_are_new_since(&before);
    clients.lose_nothing();
    let history = far.stage.prints("history", &[]);
    assert!(history.contains("restart --user") && !history.contains("-H"), "{history}");
}

#[test]
fn what_is_typed_here_arrives_there() {
    let far = Far::reach(Stage::queue(&["1", "2", "3"]));
    let rolled =
        far.begin("ada@web1", "restart", &["q@{1..2}", "--observe", "0"]).end().exits_with(0);
    assert_eq!(rolled.order(), ["q@1.service", "q@2.service"]);
    let why = "it's \"worth\" $5; `no` * more\\";
    let (status, said, _) = far.ends("web1", &["freeze", "--user", "q", "-m", why]);
    assert_eq!(status, Some(0));
    assert!(said.contains(why), "{said}");
}

#[test]
fn its_exit_status_is_that_of_the_rollctl_there() {
    let far = Far::reach(Stage::queue(&["1"]));
    let (status, said, error) = far.ends("web1:2222", &["status", "--user", "nobody"]);
    assert_eq!((status, said.as_str()), (Some(3), ""));
    assert!(error.contains("no roll of nobody"), "{error}");
    assert!(error.ends_with("there: ssh -p 2222 web1, or rollctl -H web1:2222 …\n"), "{error}");
}

#[test]
fn who_cannot_be_reached_is_told_with_what_to_type_next() {
    let far = Far::reach(Stage::queue(&["1"]));
    let before = far.stage.runs();
    let roll = ["restart", "--user", "q"];
    let (status, _, error) = far.ends("silent", &roll);
    assert_eq!(status, Some(4), "{error}");
    assert!(error.contains("Connection refused") && error.contains("rollctl -H silent status"));
    let (status, _, error) = far.ends("bare", &roll);
    assert_eq!(status, Some(5), "{error}");
    assert!(error.contains("there is no rollctl on bare; nothing was touched"), "{error}");
    let (status, _, error) = told(far.rollctl("web1").env("PATH", "/nonexistent").args(roll));
    assert_eq!(status, Some(5), "{error}");
    assert!(error.contains("there is no ssh on this machine; nothing was touched"), "{error}");
    assert_eq!(far.stage.runs(), before);
}

#[test]
fn a_roll_whose_ssh_dies_goes_on_to_its_end() {
    let far = Far::reach(Stage::group(four().instances(2)));
    far.stage.change("worker@.service", "50-slow", SLOW_START);
    let before = far.stage.runs();
    let mut roll = far.begin("ada@web1", "restart", &["worker"]);
    roll.until("worker@1.service", "starting");
    far.cut();
    let rolled = roll.end().exits_with(4);
    rolled.says("if a roll has begun there, it goes on\n  next: rollctl -H ada@web1 status");
    far.stage.all_are_new_since(&before);
    far.stage.all_serve();
    assert!(far.stage.prints("history", &[]).contains("done    2 of 2"));
}

#[test]
fn who_interrupts_the_way_there_interrupts_no_roll() {
    for host in ["ada@web1", "ada@web0"] {
        let far = Far::reach(Stage::group(four().instances(2)));
        far.stage.change("worker@.service", "50-slow", SLOW_START);
        let before = far.stage.runs();
        let mut roll = far.begin(host, "restart", &["worker"]);
        roll.until("worker@1.service", "starting").send(Signal::TERM);
        roll.end().exits_with(130).says("if a roll has begun there, it goes on");
        far.stage.all_are_new_since(&before);
    }
}
