//! The shipped units are sound: systemd reads them without a word, and worker@ is well hardened.
#![cfg(feature = "lab")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/units");
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/examples");

/// The manual is not installed here; rpm and deb bring it with the units.
const VERIFY: [&str; 2] = ["verify", "--man=no"];

#[test]
fn systemd_finds_nothing_to_complain_about() {
    let dir = tempfile::tempdir().unwrap();
    let units = copy_with_our_programs(UNITS, dir.path());
    assert!(units.len() >= 3, "{units:?}");
    let verified = analyze(&VERIFY, &units);
    assert!(verified.status.success() && said(&verified).is_empty(), "{}", said(&verified));
}

#[test]
fn nor_about_the_examples() {
    let dir = tempfile::tempdir().unwrap();
    let units = copy_with_our_programs(UNITS, dir.path());
    for unit in ["worker@.service", "worker.socket"] {
        let drop_ins = dir.path().join(format!("{unit}.d"));
        fs::create_dir(&drop_ins).unwrap();
        copy_with_our_programs(&format!("{EXAMPLES}/express/{unit}.d"), &drop_ins);
    }
    // The app's directory is there on nobody's machine but its own.
    let app = dir.path().join("worker@.service.d/shop.conf");
    let text = fs::read_to_string(&app).unwrap().replace("/srv/shop", "/srv");
    fs::write(&app, text.replace("/usr/bin/node", "/bin/true")).unwrap();
    let socket = dir.path().join("worker@1.socket");
    fs::copy(format!("{EXAMPLES}/nginx/worker@.socket"), &socket).unwrap();
    let verified = analyze(&VERIFY, &[units, vec![socket]].concat());
    assert!(verified.status.success() && said(&verified).is_empty(), "{}", said(&verified));
}

#[test]
fn an_instance_is_exposed_to_no_more_than_1_6() {
    let unit = Path::new(UNITS).join("worker@.service");
    let rated = analyze(&["security", "--offline=true", "--threshold=16", "--no-pager"], &[unit]);
    assert!(rated.status.success(), "{}", said(&rated));
}

/// Copies the units; where they name our programs, with one that exists on every machine, for an
/// absent program is all that `verify` may not complain about.
fn copy_with_our_programs(from: &str, dir: &Path) -> Vec<PathBuf> {
    let copy = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).unwrap();
        let text = text.replace("/usr/libexec/rollctl/worker", "/bin/true");
        let path = dir.join(entry.file_name());
        fs::write(&path, text.replace("/usr/bin/rollctl", "/bin/true")).unwrap();
        path
    };
    let entries = fs::read_dir(from).unwrap().map(Result::unwrap);
    entries.filter(|entry| entry.file_type().unwrap().is_file()).map(copy).collect()
}

fn analyze(arguments: &[&str], units: &[PathBuf]) -> Output {
    Command::new("systemd-analyze").args(arguments).args(units).output().unwrap()
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    texts.concat()
}
