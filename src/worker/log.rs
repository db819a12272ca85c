//! Where log lines go: to journald with their fields when stderr is the journal, else to stderr,
//! with `<N>` priorities when another program of systemd's reads it.

use std::env;
use std::fmt;

use rustix::fs::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use super::Error;

/// Starts logging for this process; `RUST_LOG` chooses what is logged (default `info`).
///
/// # Errors
///
/// [`Error::Value`] when `RUST_LOG` is not a filter, [`Error::Log`] when logging has been started
/// already.
pub fn start() -> Result<(), Error> {
    let filter = match env::var("RUST_LOG") {
        Ok(text) => text.parse::<EnvFilter>().map_err(|bad| Error::value("RUST_LOG", bad))?,
        Err(_) => EnvFilter::new("info"),
    };
    let lines = tracing_subscriber::registry().with(filter);
    let journal = is_journal().then(tracing_journald::layer).and_then(Result::ok);
    let started = match journal {
        Some(journal) => {
            let journal = journal.with_field_prefix(None).with_priority_mappings(PRIORITIES);
            lines.with(journal).try_init()
        }
        None => {
            let with_priority = is_under_systemd();
            let lines_to_stderr = tracing_subscriber::fmt::layer()
                .event_format(Line { with_priority })
                .with_ansi(false)
                .with_writer(std::io::stderr);
            lines.with(lines_to_stderr).try_init()
        }
    };
    started.map_err(|error| Error::Log(error.to_string()))
}

/// Says why there is no worker, in one line, whether logging was started or not.
pub(crate) fn last_word(error: &Error) {
    match is_under_systemd() {
        true => eprintln!("<3>worker: {error}"),
        false => eprintln!("worker: {error}"),
    }
}

/// systemd reads `<N>` in front of a line as its priority (SyslogLevelPrefix= in systemd.exec(5)).
fn is_under_systemd() -> bool {
    env::var_os("INVOCATION_ID").is_some()
}

/// systemd names the device and inode of the journal's stream, so that a redirected stderr is told
/// from it (sd-daemon, `JOURNAL_STREAM` in systemd.exec(5)).
fn is_journal() -> bool {
    let named = env::var("JOURNAL_STREAM").ok();
    let stderr = fstat(std::io::stderr()).ok();
    match (named, stderr) {
        (Some(named), Some(stat)) => named == format!("{}:{}", stat.st_dev, stat.st_ino),
        _ => false,
    }
}

/// `worker: message field=value`
struct Line {
    with_priority: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.with_priority {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        write!(writer, "worker: ")?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// As [`priority`], for the journal.
const PRIORITIES: PriorityMappings = PriorityMappings {
    error: Priority::Error,
    warn: Priority::Warning,
    info: Priority::Informational,
    debug: Priority::Debug,
    trace: Priority::Debug,
};

/// The priorities of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
