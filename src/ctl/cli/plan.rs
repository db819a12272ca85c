//! `rollctl plan`.

use super::args::RollArgs;
use crate::ctl::{Error, ExitStatus};

pub(super) async fn run(_args: &RollArgs) -> Result<ExitStatus, Error> {
    Ok(ExitStatus::Serving)
}
