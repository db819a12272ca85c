//! `rollctl prove`.

use std::fs::{self, OpenOptions};
use std::io::{stderr, stdout};
use std::path::{Path, PathBuf};

use clap::Args;

use super::args::AskedArgs;
use super::{plan, proof};
use crate::ctl::report::say;
use crate::ctl::{
    Error, ExitStatus, Figures, Instead, Measure, Output, Proof, ProofUrl, Proved, prove,
    prove_command,
};
use crate::span::Span;

/// More would measure the machine, and not the roll.
const MOST_CLIENTS: i64 = 64;

#[derive(Debug, Args)]
#[command(mut_arg("patterns", |it| it.required(false).required_unless_present("instead")))]
pub(super) struct ProveArgs {
    #[command(flatten)]
    pub(super) asked: AskedArgs,
    /// Load this, in plain HTTP; it must answer with 2xx: http://HOST:PORT/PATH
    #[arg(long, value_name = "URL", help_heading = HEADING)]
    url: ProofUrl,
    /// Load it by this many clients; every other makes a new connection for each request
    #[arg(long, value_name = "N", default_value = "8", help_heading = HEADING)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=MOST_CLIENTS))]
    clients: u8,
    /// Load it for so long before the roll
    #[arg(long, value_name = "SPAN", default_value = "5s", help_heading = HEADING)]
    before: Span,
    /// Run this in place of a roll: what restarts the service today
    #[arg(long, value_name = "COMMAND", conflicts_with_all = FOR_ROLLS, help_heading = HEADING)]
    instead: Option<Instead>,
    /// Draw the timeline there: latencies and losses every 100 ms
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    svg: Option<PathBuf>,
    /// Print the figures as one JSON object, and nothing else
    #[arg(long, conflicts_with = "quiet", help_heading = HEADING)]
    json: bool,
}

const FOR_ROLLS: [&str; 5] = ["patterns", "outdated", "lock_wait", "dry_run", "PolicyArgs"];

const HEADING: &str = "Load";

pub(super) async fn run(args: &ProveArgs) -> Result<ExitStatus, Error> {
    if args.asked.dry_run {
        return plan::run(&args.asked, args.json).await;
    }
    args.svg.as_deref().map_or(Ok(()), may_be_written)?;
    // The figures are the one object; of the roll only its errors are told then.
    let (output, measure) = (Output::of(false, args.asked.quiet || args.json), args.measure());
    let proved = match &args.instead {
        None => prove(&args.asked.request(output), &measure).await?,
        Some(instead) => prove_command(instead, output, &measure).await?,
    };
    match proved {
        Proved::NotRolled(status) => Ok(status),
        Proved::Rolled(proof) => Ok(args.tell(&proof)),
    }
}

impl ProveArgs {
    fn measure(&self) -> Measure {
        let (url, clients) = (self.url.clone(), usize::from(self.clients));
        Measure { url, clients, before: self.before.0 }
    }

    fn tell(&self, proof: &Proof) -> ExitStatus {
        let figures = Figures::of(proof);
        match (self.json, self.asked.quiet) {
            (true, _) => say(stdout(), &serde_json::to_string(&figures).unwrap_or_default()),
            (_, true) => {}
            _ => say(stdout(), &proof::table(proof, &figures)),
        }
        if let Some(text) = proof::losses(proof, self.asked.scope()) {
            say(stderr(), &text);
        }
        match self.svg.as_deref().map_or(Ok(()), |file| draw(proof, file)) {
            Ok(()) => proof.status(),
            Err(text) => {
                say(stderr(), &text);
                // The roll is what counts, but who asked for a picture has none.
                match proof.status() {
                    ExitStatus::Serving => ExitStatus::Failed,
                    status => status,
                }
            }
        }
    }
}

/// Known before the roll, not after it.
fn may_be_written(file: &Path) -> Result<(), Error> {
    let is_new = !file.exists();
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened.map_err(|error| {
        let file = file.display();
        Error::Refused(format!(
            "the timeline cannot be written to {file}: {error}; nothing was touched\n  \
             next: --svg with a file in a directory of yours"
        ))
    })?;
    if is_new {
        // It is there again when there is something in it.
        let _ = fs::remove_file(file);
    }
    Ok(())
}

fn draw(proof: &Proof, file: &Path) -> Result<(), String> {
    let written = proof.svg().and_then(|svg| fs::write(file, svg).map_err(|e| e.to_string()));
    let path = file.display();
    written.map_err(|error| {
        format!("rollctl: the timeline was not written to {path}: {error}\n  next: df -h")
    })
}
