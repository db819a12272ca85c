//! The journal: `journalctl ROLL_GROUP=worker` reads as a story, and its ids are explained.

use std::path::Path;
use std::process::Command;

use crate::support::{Stage, four, release, wait_until};

const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/rollctl.catalog");

#[test]
fn a_roll_reads_as_a_story() {
    let stage = Stage::group(four().instances(2));
    stage.systemctl(&["start", "roll@worker"]);
    wait_until("its end is told", || {
        entries(&stage).iter().any(|it| it.contains("ROLL_EVENT=roll_ended"))
    });
    let story = messages(&stage);
    let told = [
        "worker: rolling 2 instances in 2 batches",
        "worker@1: stopping",
        "worker@1: serving (",
        "worker@2: serving (",
        "worker: 2 instances are new and serving, after ",
    ];
    let places: Vec<usize> = told
        .iter()
        .map(|text| story.iter().position(|it| it.starts_with(text)))
        .map(|place| place.unwrap_or_else(|| panic!("{story:#?}")))
        .collect();
    assert!(places.is_sorted(), "{story:#?}");
    let entries = entries(&stage);
    let serving = entries.iter().find(|it| it.contains("ROLL_PHASE=serving")).unwrap();
    let fields = ["ROLL_INSTANCE=worker@1.service", "ROLL_EVENT=phase_changed", "ROLL_ID="];
    assert!(fields.iter().all(|field| serving.contains(field)), "{serving}");
    let ids =
        entries.iter().map(|it| field(it, "ROLL_ID")).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(ids.len(), 1, "{entries:#?}");
}

#[test]
fn one_that_fails_says_what_to_type_next() {
    let stage = Stage::group(four().instances(2));
    stage.change("worker@.service", "50-release", &release("/bin/false", ""));
    stage.lab.systemctl(["start", "roll@worker"]).unwrap_err();
    wait_until("it is explained", || {
        messages(&stage).last().is_some_and(|it| it.contains("did not come back"))
    });
    let entries = entries(&stage);
    let failed = entries.iter().find(|it| it.contains("ROLL_EVENT=instance_failed")).unwrap();
    assert_eq!(field(failed, "PRIORITY"), "3");
    let last = entries.last().unwrap();
    assert!(last.contains("MESSAGE=worker@1.service did not come back"), "{last}");
    assert!(last.contains("worker@2 was left alone and serves"), "{last}");
}

#[test]
fn every_id_is_explained_by_the_catalog() {
    let stage = Stage::queue(&["1", "2"]);
    let roll = stage.as_unit("restart", &["q", "--observe", "0"]).output().unwrap();
    assert!(roll.status.success(), "{roll:?}");
    // Written is not yet read, there as in any journal.
    wait_until("its end is told", || {
        stage.lab.journal("ROLL_GROUP", "q").iter().any(|it| it.contains("ROLL_EVENT=roll_ended"))
    });
    let entries = stage.lab.journal("ROLL_GROUP", "q");
    let ids: Vec<&str> = entries.iter().map(|it| field(it, "MESSAGE_ID")).collect();
    let ids: Vec<&str> = ids.into_iter().filter(|id| !id.is_empty()).collect();
    let catalog = std::fs::read_to_string(CATALOG).unwrap();
    assert!(ids.len() >= 4, "{entries:#?}");
    for id in ids {
        assert!(catalog.contains(&format!("\n-- {id}\n")), "{id} is not explained");
    }
    for id in ids_in(concat!(env!("CARGO_MANIFEST_DIR"), "/src/ctl/report/journal.rs")) {
        assert!(catalog.contains(&format!("\n-- {id}\n")), "{id} is not explained");
    }
}

#[test]
fn journalctl_takes_the_catalog() {
    let root = tempfile::tempdir().unwrap();
    for dir in ["usr/lib/systemd/catalog", "var/lib/systemd/catalog"] {
        std::fs::create_dir_all(root.path().join(dir)).unwrap();
    }
    std::fs::copy(CATALOG, root.path().join("usr/lib/systemd/catalog/rollctl.catalog")).unwrap();
    let journalctl = |what: &str| {
        let root = format!("--root={}", root.path().display());
        let output = Command::new("journalctl").args([&root, what]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    journalctl("--update-catalog");
    let listed = journalctl("--list-catalog");
    let ids = ids_in(CATALOG);
    assert_eq!(ids.len(), 10);
    for id in ids {
        assert!(listed.contains(&format!("{id} rollctl: ")), "{id} is not in:\n{listed}");
    }
}

/// Every word of 32 hexadecimal digits.
fn ids_in(path: impl AsRef<Path>) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let words = text.split(|c: char| !c.is_ascii_hexdigit());
    words.filter(|word| word.len() == 32).map(str::to_owned).collect()
}

fn entries(stage: &Stage) -> Vec<String> {
    stage.lab.journal("ROLL_GROUP", "worker")
}

fn messages(stage: &Stage) -> Vec<String> {
    entries(stage).iter().map(|entry| field(entry, "MESSAGE").to_owned()).collect()
}

fn field<'a>(entry: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix('=');
    entry.lines().find_map(value).unwrap_or_default()
}
