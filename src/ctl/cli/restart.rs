//! `rollctl restart`.

use super::args::RollArgs;
use super::plan;
use crate::ctl::{self, Error, ExitStatus};

pub(super) async fn run(args: &RollArgs) -> Result<ExitStatus, Error> {
    match args.asked.dry_run {
        true => plan::run(&args.asked, args.json).await,
        false => ctl::restart(&args.request()).await,
    }
}
