//! What the command line refuses, in one line and with status 2; none of this needs systemd.

use std::collections::BTreeSet;
use std::process::{Command, Output};

fn rollctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rollctl")).args(arguments).output().unwrap()
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let wrong: [&[&str]; 30] = [
        &[],
        &["frobnicate"],
        &["restart"],
        &["plan"],
        &["restart", ""],
        &["restart", "@"],
        &["restart", "worker@"],
        &["restart", "worker@{4..1}"],
        &["restart", "w*"],
        &["restart", "web.socket"],
        &["restart", "w", "--pause", "soon"],
        &["restart", "w", "--timeout", "0"],
        &["restart", "w", "--max-unavailable", "0"],
        &["restart", "w", "--max-unavailable", "101%"],
        &["restart", "w", "--health", "ftp://x/"],
        &["restart", "w", "--user", "--system"],
        &["prove", "w"],
        &["prove", "--url", "http://h/"],
        &["prove", "w", "--url", "https://h/"],
        &["prove", "w", "--url", "http://h/", "--instead", "true"],
        &["prove", "--url", "http://h/", "--pause", "1s", "--instead", "true"],
        &["prove", "--url", "http://h/", "--instead", " "],
        &["prove", "--url", "http://h/", "--dry-run", "--instead", "true"],
        &["prove", "w", "--url", "http://h/", "--clients", "0"],
        &["prove", "w", "--url", "http://h/", "--clients", "65"],
        &["list", "--host=-oProxyCommand=true"],
        &["-H", "web1/shop", "list"],
        &["list", "-M", "a b"],
        &["list", "-M", "shop", "--user"],
        &["restart", "w", "-qH", "web1"],
    ];
    for arguments in wrong {
        let output = rollctl(arguments);
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {err}");
        assert!(!err.is_empty() && output.stdout.is_empty(), "{arguments:?}: {err}");
        assert!(!err.contains("panicked"), "{err}");
    }
}

#[test]
fn an_argument_that_is_no_text_ends_with_2() {
    use std::os::unix::ffi::OsStrExt;
    let bytes = std::ffi::OsStr::from_bytes(b"w@\xff");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollctl"));
    assert_eq!(command.arg("restart").arg(bytes).output().unwrap().status.code(), Some(2));
}

#[test]
#[cfg(feature = "prove")]
fn a_file_may_have_a_name_that_is_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollctl"));
    command.args(["prove", "w", "--url", "http://127.0.0.1:1/", "--svg"]);
    let file = [std::env::temp_dir().as_os_str().as_bytes(), b"/no-text-\xff.svg"].concat();
    let output = command.arg(std::ffi::OsStr::from_bytes(&file)).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{err}");
    assert!(err.contains("does not answer"), "{err}");
}

#[test]
fn help_is_no_error_and_begins_its_lines_with_a_verb() {
    let output = rollctl(&["restart", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("--max-unavailable <N|P%>"), "{help}");
    assert!(rollctl(&["--version"]).stdout.starts_with(b"rollctl "));
}

#[test]
fn the_table_of_exit_statuses_is_in_the_help() {
    let help = String::from_utf8(rollctl(&["--help"]).stdout).unwrap();
    for (status, meaning) in rollctl::ctl::ExitStatus::TABLE {
        assert!(help.contains(&format!("{:>3}  {meaning}", status.code())), "{help}");
    }
}

#[test]
fn a_reader_that_went_away_does_not_make_it_panic() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollctl"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.arg("--help").stdout(writer).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn under_policy_stand_the_keys_of_the_units_and_nothing_else() {
    let keys: BTreeSet<&str> = rollctl::ctl::Settings::KEYS.iter().map(|key| key.flag).collect();
    for verb in ["restart", "plan", "prove"] {
        let help = String::from_utf8(rollctl(&[verb, "--help"]).stdout).unwrap();
        let policy = help.lines().skip_while(|line| !line.starts_with("Policy")).skip(1);
        let policy = policy.take_while(|line| line.is_empty() || line.starts_with(' '));
        let told: BTreeSet<&str> = policy.filter_map(flag).collect();
        assert_eq!(told, keys, "{verb}");
    }
}

/// `  -q, --quiet  …`
fn flag(line: &str) -> Option<&str> {
    let option = line.trim_start().split("  ").next()?.split(' ').find(|it| it.starts_with("--"));
    option.filter(|_| line.trim_start().starts_with('-'))?.strip_prefix("--")
}
