//! The service half of an instance.

use std::path::PathBuf;
use std::time::Duration;

use crate::ctl::outdated::Started;
use crate::ctl::systemd::{Half, News, Properties};

pub(super) const START_LIMIT: &str = "StartLimitIntervalUSec";

/// What an instance is as a service: settings from its files, and what depends on the instance.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// `Type=`: `notify`, `simple`, …
    pub kind: String,
    /// Its own timeouts to stop and to start; `None` is for ever.
    pub timeouts: (Option<Duration>, Option<Duration>),
    /// `StartLimitIntervalSec=`: zero is no limit, `None` is for ever.
    pub start_limit_interval: Option<Duration>,
    /// Its `RuntimeDirectory=`s, below the manager's runtime directory.
    pub runtime_directories: Vec<String>,
    /// Memory in use, in bytes.
    pub memory: Option<u64>,
    /// When its main process was started.
    pub started: Option<Started>,
    /// The programs that it runs, and their scripts.
    pub programs: Vec<PathBuf>,
    /// Its half of the unit's state.
    pub(super) news: Option<News>,
}

impl Service {
    /// From its half, and `StartLimitIntervalUSec` of the other one.
    pub(super) fn of(of: &Properties, limit: &Properties) -> Self {
        Self {
            kind: of.text("Type").to_owned(),
            timeouts: (of.span("TimeoutStopUSec"), of.span("TimeoutStartUSec")),
            start_limit_interval: limit.span(START_LIMIT),
            runtime_directories: of.texts("RuntimeDirectory"),
            memory: of.number("MemoryCurrent"),
            started: started(of),
            programs: programs(of),
            news: Some(News::new(Half::Service, of.state())),
        }
    }

    /// What holds for every instance that was read from the same files.
    pub(super) fn settings(&self) -> Self {
        let Self { timeouts, start_limit_interval, .. } = *self;
        Self { kind: self.kind.clone(), timeouts, start_limit_interval, ..Self::default() }
    }
}

fn started(of: &Properties) -> Option<Started> {
    let realtime = of.number("ExecMainStartTimestamp").filter(|time| *time > 0)?;
    Some(Started { realtime, monotonic: of.number("ExecMainStartTimestampMonotonic")? })
}

fn programs(of: &Properties) -> Vec<PathBuf> {
    of.commands("ExecStart").iter().flat_map(|words| programs_in(words)).collect()
}

/// An interpreter is told its script behind its options; what is behind `--` is for a program of its
/// own, as in `worker -- node server.js`.
fn programs_in(words: &[String]) -> Vec<PathBuf> {
    let one = |words: &[String]| {
        let mut words = words.iter();
        let program = words.next().cloned();
        let script = words.find(|word| !word.starts_with('-')).cloned();
        [program, script].into_iter().flatten()
    };
    let all = words.split(|word| word == "--").flat_map(one);
    all.filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_those_that_are_run_and_their_scripts() {
        let programs = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let programs = programs_in(&words).into_iter();
            programs.map(|it| it.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(programs("/bin/app"), "/bin/app");
        assert_eq!(programs("/bin/app --listen 127.0.0.1:1 /data"), "/bin/app");
        assert_eq!(programs("/bin/node --no-warnings /srv/app.js /data"), "/bin/node /srv/app.js");
        assert_eq!(
            programs("/bin/worker --hold 10s -- /bin/node /srv/app.js"),
            "/bin/worker /bin/node /srv/app.js"
        );
    }
}
