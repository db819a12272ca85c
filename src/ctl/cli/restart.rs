//! `rollctl restart`.

use super::args::RollArgs;
use super::plan;
use crate::ctl::{self, Error, ExitStatus};

pub(super) async fn run(args: &RollArgs) -> Result<ExitStatus, Error> {
    match args.dry_run {
        true => plan::run(args).await,
        false => ctl::restart(&args.request()).await,
    }
}
