//! `rollctl list`.

use super::args::ListArgs;
use crate::ctl::{Error, ExitStatus};

pub(super) async fn run(_args: &ListArgs) -> Result<ExitStatus, Error> {
    Ok(ExitStatus::Serving)
}
