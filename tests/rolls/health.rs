//! Health: at which address it is asked, and whose answer counts.

use crate::support::{Stage, answer_at, four};

const OF_ANOTHER_RUN: &str = "{\"invocation\":\"00000000000000000000000000000000\"}";

#[test]
fn at_its_own_address_it_answers_for_itself() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let url = admin_socket_of(&stage, "%i");
    let plan = stage.plan(&["worker", "--health", &url]);
    assert!(plan.contains("worker/2/admin.sock:/healthz"), "{plan}");
    stage.roll(&["--health", &url]).exits_with(0);
    stage.all_are_new_since(&before);
}

#[test]
fn a_neighbour_cannot_answer_for_it() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let url = admin_socket_of(&stage, "2");
    let rolled = stage.restart(&["worker@1", "--health", &url, "--timeout", "2s"]).exits_with(1);
    rolled.says("worker/2/admin.sock:/healthz was answered by another run");
    assert_eq!(stage.run_of(2), before[1]);
}

fn admin_socket_of(stage: &Stage, instance: &str) -> String {
    format!("unix:{}/worker/{instance}/admin.sock:/healthz", stage.lab.run_dir().display())
}

#[test]
fn an_answer_for_another_run_does_not_count() {
    fails_at_the_answer("200 OK", OF_ANOTHER_RUN, "was answered by another run");
}

#[test]
fn an_answer_of_503_is_not_healthy() {
    fails_at_the_answer("503 Service Unavailable", "draining", "answered 503 Service Unavailable");
}

#[test]
fn an_answer_of_404_is_not_healthy() {
    fails_at_the_answer("404 Not Found", "", "answered 404 Not Found");
}

/// Of three that do nothing the first is well, in words of its own, and the second answers so.
#[track_caller]
fn fails_at_the_answer(status: &'static str, body: &'static str, why: &str) {
    let stage = Stage::queue(&["1", "2", "3"]);
    let before = stage.runs();
    answer_at(&stage.lab.dir().join("1.sock"), "200 OK", "fine");
    answer_at(&stage.lab.dir().join("2.sock"), status, body);
    let url = format!("unix:{}/%i.sock:/healthz", stage.lab.dir().display());
    let arguments = ["q", "--health", &url, "--timeout", "2s", "--observe", "100ms"];
    let rolled = stage.restart(&arguments).exits_with(1);
    assert_eq!(rolled.standing("q@1.service"), "serving");
    rolled.says("q@2.service did not become healthy within 2s").says(why);
    assert_eq!(stage.run_of(3), before[2]);
}
