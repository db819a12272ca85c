//! Writes the man pages of both programs and the completions of `rollctl`, from the command lines
//! themselves: `cargo run --all-features --example manual -- DIRECTORY`.

use std::io::Result;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use rollctl::ctl::{ExitStatus, cli};

#[path = "../src/bin/worker/options.rs"]
#[allow(dead_code)]
mod options;

fn main() -> Result<()> {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(std::io::Error::other("which directory?"));
    };
    fs::create_dir_all(&directory)?;
    for command in verbs(&cli::command()) {
        let seen = "worker@.service(5), worker(8), systemctl(1), journalctl(1)";
        write(&directory, command, "1", &[EXIT_STATUS, FILES], seen)?;
    }
    let worker = options::Options::command().name("worker");
    write(&directory, worker, "8", &[], "worker@.service(5), rollctl(1), systemd.socket(5)")?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut cli::command(), "rollctl", &directory)?;
    }
    Ok(())
}

/// A section that is no option's: its heading, and what stands in it.
type Section = (&'static str, fn() -> String);

const EXIT_STATUS: Section = ("EXIT STATUS", exit_status);
const FILES: Section = ("FILES", files);

/// The program and each of its verbs, which have a page each.
fn verbs(program: &Command) -> Vec<Command> {
    let name = program.get_name();
    let verb = |verb: &Command| {
        // clap wants names that live as long as the program, which is not long.
        let long: &str = format!("{name}-{}", verb.get_name()).leak();
        let spaced: &str = format!("{name} {}", verb.get_name()).leak();
        verb.clone().name(long).bin_name(spaced).version(env!("CARGO_PKG_VERSION"))
    };
    let verbs = program.get_subcommands().map(verb);
    std::iter::once(program.clone()).chain(verbs).collect()
}

fn write(to: &Path, command: Command, section: &str, more: &[Section], seen: &str) -> Result<()> {
    let file = to.join(format!("{}.{section}", command.get_name()));
    let source = format!("rollctl {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).section(section).source(source).manual("rollctl").date("");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    for (heading, text) in more {
        page.extend(format!(".SH \"{heading}\"\n{}", text()).bytes());
    }
    page.extend(format!(".SH \"SEE ALSO\"\n{}\n", seen.replace('-', "\\-")).bytes());
    fs::write(file, page)
}

fn exit_status() -> String {
    let row =
        |(status, meaning): &(ExitStatus, &str)| format!(".TP\n{}\n{meaning}\n", status.code());
    ExitStatus::TABLE.iter().map(row).collect()
}

fn files() -> String {
    let files = [
        ("/var/lib/rollctl/GROUP/*.jsonl", "what each roll did: rollctl history, rollctl status"),
        ("/run/rollctl/GROUP.lock", "held by the roll under way"),
        (
            "/run/rollctl/wanted/GROUP/now",
            "touched by a deploy, it asks roll@GROUP.path for a roll",
        ),
        ("/etc/rollctl/deployers.conf", "the groups that members of rollctl may roll"),
        ("/etc/default/rollctl", "whether groups are rolled when their package is upgraded"),
    ];
    files
        .map(|(path, meaning)| format!(".TP\n\\fI{}\\fR\n{meaning}\n", path.replace('-', "\\-")))
        .concat()
}
