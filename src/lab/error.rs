//! Why a lab could not do something, and what to do about it.

use std::path::PathBuf;

/// An error of the lab: what happened, and what to install or type next.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// This machine lacks something that every lab needs.
    #[error("no private systemd manager can run here: {missing}\n  next: {next}")]
    Missing {
        /// What is not there.
        missing: String,
        /// What to install or type.
        next: String,
    },
    /// The manager was started and did not come up.
    #[error("the private systemd manager did not start: {reason}\n{log}\n  next: {next}")]
    NotStarted {
        /// What was waited for.
        reason: String,
        /// What the keeper and the manager said.
        log: String,
        /// What to type.
        next: &'static str,
    },
    /// A command in the lab ended with a failure.
    #[error("{command} failed ({status})\n{output}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// What it printed.
        output: String,
    },
    /// A file or a program could not be used.
    #[error("{what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it did not work.
        source: std::io::Error,
    },
}

impl LabError {
    pub(super) fn missing(missing: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Missing { missing: missing.into(), next: next.into() }
    }

    pub(super) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
