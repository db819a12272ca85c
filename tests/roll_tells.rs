//! What rollctl tells: before a roll, during it, and at its end.
#![cfg(all(feature = "lab", feature = "cli", feature = "ctl", feature = "worker"))]

mod roll_support;

use roll_support::Stage;

#[test]
fn a_dry_run_touches_nothing() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let output = stage.rollctl().args(["restart", "--user", "--dry-run", "q"]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), stage.plan(&["q"]));
    assert_eq!(stage.runs(), before);
}
