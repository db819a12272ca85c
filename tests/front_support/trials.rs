//! Trials: stories that are told where what they need is there, and visibly skipped where it is not.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use super::programs::Lack;

/// The trials of one test program.
#[derive(Default)]
pub struct Trials(Vec<Trial>);

impl Trials {
    /// Adds a story about something real, if it is there.
    pub fn tell<T: Send + 'static>(
        mut self,
        name: impl Into<String>,
        needed: Result<T, Lack>,
        story: impl FnOnce(T) + Send + 'static,
    ) -> Self {
        let name = name.into();
        let trial = match needed {
            Ok(needed) => Trial::test(name, move || {
                story(needed);
                Ok(())
            }),
            Err(lack) if must_be_told() => Trial::test(name, move || Err(lack.into())),
            Err(lack) => {
                eprintln!("skipped: {name}: {lack} (make test brings it)");
                Trial::test(name, || Ok(())).with_ignored_flag(true)
            }
        };
        self.0.push(trial);
        self
    }

    /// Runs them as any test program would.
    pub fn run(self) -> ExitCode {
        libtest_mimic::run(&Arguments::from_args(), self.0).exit_code()
    }
}

/// Where nobody reads what was skipped, it has failed.
fn must_be_told() -> bool {
    std::env::var_os("CI").is_some_and(|ci| !ci.is_empty())
}
