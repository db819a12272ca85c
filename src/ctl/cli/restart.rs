//! `rollctl restart`.

use super::args::RollArgs;
use super::{by_reload, plan};
use crate::ctl::{self, Error, ExitStatus};

pub(super) async fn run(args: &RollArgs) -> Result<ExitStatus, Error> {
    match () {
        () if args.asked.dry_run => plan::run(&args.asked, args.json).await,
        () if by_reload::is_needed(args) => by_reload::run(args).await,
        () => ctl::restart(&args.request()).await,
    }
}
