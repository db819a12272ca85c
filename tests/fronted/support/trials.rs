//! Trials: stories that are told where what they need is there, and visibly skipped where it is not.

use std::fmt::Display;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use super::programs::Lack;

/// The trials of one test program.
#[derive(Default)]
pub struct Trials {
    about: &'static str,
    all: Vec<Trial>,
}

impl Trials {
    /// What the stories that follow are about: the first word of their names.
    pub fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// Adds a story about something real, if it is there.
    pub fn tell<T: Send + 'static>(
        mut self,
        name: impl Display,
        needed: Result<T, Lack>,
        story: impl FnOnce(T) + Send + 'static,
    ) -> Self {
        let name = format!("{}::{name}", self.about);
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
        self.all.push(trial);
        self
    }

    /// Runs them as any test program would.
    pub fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let test_threads = arguments.test_threads.or_else(threads);
        libtest_mimic::run(&Arguments { test_threads, ..arguments }, self.all).exit_code()
    }
}

/// The variable that every other test program obeys.
fn threads() -> Option<usize> {
    std::env::var("RUST_TEST_THREADS").ok()?.parse().ok()
}

/// Where nobody reads what was skipped, it has failed.
fn must_be_told() -> bool {
    std::env::var_os("CI").is_some_and(|ci| !ci.is_empty())
}
