//! The health gate: whether the instance's own probe answers, and for this run.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::Question;
use super::http;
use super::url::{HealthUrl, Target};
use crate::ctl::command::{self, Order};
use crate::ctl::error::Error;
use crate::ctl::journal::tamed;
use crate::ctl::policy::CommandLine;
use crate::ctl::scope::Scope;
use crate::ctl::select::Instance;
use crate::roll::{Invocation, Verdict};

/// How health is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// At the instance's admin socket, if it has one.
    #[default]
    AdminSocket,
    /// Not at all.
    Off,
    /// At this address.
    Url(HealthUrl),
    /// By this command.
    Exec(CommandLine),
}

/// What a check answers when it cannot tell: EX_TEMPFAIL of sysexits.h.
const UNSURE: i32 = 75;

/// Where one instance's health is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// At this address.
    Http(Target),
    /// By this program, with these arguments.
    Exec(Vec<String>),
}

/// How one instance's health is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Where.
    pub check: Check,
    /// Whether it must be there; else it is asked only if it is.
    pub is_required: bool,
    /// Whether nobody named it: it is where our worker has it.
    pub is_admin_socket: bool,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_admin_socket, self.is_required) {
            (false, _) => match &self.check {
                Check::Http(target) => write!(f, "health at {target}"),
                Check::Exec(words) => write!(f, "health by {}", words.join(" ")),
            },
            (true, true) => f.write_str("health at its admin.sock"),
            (true, false) => f.write_str("health at its admin.sock if there is one"),
        }
    }
}

/// What a worker says of itself at `/healthz`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The run that answers, as it was written.
    pub invocation: Option<String>,
    /// The version of the app.
    pub version: Option<String>,
    /// What it is doing: `serving`, `draining`.
    pub state: Option<String>,
}

impl Answer {
    /// Reads what it can: any service may answer, and in any form.
    fn read(body: &[u8]) -> Self {
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let field = |name| match json.get(name)? {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(tamed(text)),
            other => Some(tamed(&other.to_string())),
        };
        Self { invocation: field("invocation"), version: field("version"), state: field("state") }
    }

    /// Whether it may be this run's: one that does not name its run is believed.
    fn is_from(&self, invocation: Invocation) -> bool {
        let same =
            |text: &String| text.replace('-', "").eq_ignore_ascii_case(&invocation.to_string());
        self.invocation.as_ref().is_none_or(same)
    }
}

impl FromStr for Health {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::Off),
            text => match text.strip_prefix("exec:") {
                Some(command) => command.parse().map(Self::Exec),
                None => text.parse().map(Self::Url),
            },
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdminSocket => f.write_str("the instance's admin socket, if it has one"),
            Self::Off => f.write_str("none"),
            Self::Url(url) => url.fmt(f),
            Self::Exec(command) => write!(f, "exec:{command}"),
        }
    }
}

impl Health {
    /// Whether an answer may take as long as it takes.
    pub fn is_command(&self) -> bool {
        matches!(self, Self::Exec(_))
    }

    pub(super) fn probe(
        &self,
        scope: Scope,
        instance: &Instance,
        is_required: bool,
    ) -> Result<Option<Probe>, Error> {
        match self {
            Self::Off => Ok(None),
            Self::AdminSocket => Ok(admin_socket(scope, instance)
                .map(|socket| Target::Unix { socket, path: "/healthz".to_owned() })
                .map(|target| Probe {
                    check: Check::Http(target),
                    is_required,
                    is_admin_socket: true,
                })),
            Self::Url(url) => {
                let target = url.target(scope, &instance.unit).map_err(Error::Usage)?;
                Ok(Some(Probe::named(Check::Http(target))))
            }
            Self::Exec(command) => {
                Ok(Some(Probe::named(Check::Exec(command.words(scope, &instance.unit)))))
            }
        }
    }
}

impl Probe {
    fn named(check: Check) -> Self {
        Self { check, is_required: true, is_admin_socket: false }
    }

    /// Asks once.
    pub(super) async fn ask(&self, question: &Question) -> Verdict {
        match &self.check {
            Check::Http(Target::Unix { socket, .. }) if !self.is_required && !socket.exists() => {
                Verdict::Passed
            }
            Check::Http(target) => ask_at(target, question.invocation).await,
            Check::Exec(words) => run(words, question).await,
        }
    }
}

async fn ask_at(target: &Target, invocation: Invocation) -> Verdict {
    match http::get(target).await {
        Err(why) => Verdict::NotYet(format!("{target}: {why}")),
        Ok((status, _)) if !status.is_success() => {
            Verdict::NotYet(format!("{target} answered {status}"))
        }
        Ok((_, body)) if !Answer::read(&body).is_from(invocation) => {
            Verdict::NotYet(format!("{target} was answered by another run"))
        }
        Ok(_) => Verdict::Passed,
    }
}

/// The last line that it printed tells more than its status does.
async fn run(words: &[String], question: &Question) -> Verdict {
    let order = Order {
        words: words.to_vec(),
        environment: question.environment.clone(),
        within: question.within,
    };
    let mut last = String::new();
    let ended = command::run(&order, |line| last = line).await;
    let (program, colon) = (&words[0], if last.is_empty() { "" } else { ": " });
    match ended.code() {
        Some(0) => Verdict::Passed,
        Some(UNSURE) if last.is_empty() => Verdict::Unsure(format!("{program} cannot tell")),
        Some(UNSURE) => Verdict::Unsure(format!("{program} cannot tell: {last}")),
        _ => Verdict::NotYet(format!("{program} {ended}{colon}{last}")),
    }
}

/// What a running instance says of itself, or in a few words why it says nothing; `None` if it
/// has no admin socket.
pub async fn ask_health(scope: Scope, instance: &Instance) -> Option<Result<Answer, String>> {
    let socket = admin_socket(scope, instance).filter(|socket| socket.exists())?;
    let target = Target::Unix { socket, path: "/healthz".to_owned() };
    Some(http::get(&target).await.map(|(status, body)| {
        let mut answer = Answer::read(&body);
        answer.state.get_or_insert_with(|| status.to_string());
        answer
    }))
}

pub(super) fn has_admin_socket(scope: Scope, instance: &Instance) -> bool {
    instance.state.active.is_up()
        && admin_socket(scope, instance).is_some_and(|socket| socket.exists())
}

/// `$RUNTIME_DIRECTORY/admin.sock` of an instance that has a runtime directory of its own.
fn admin_socket(scope: Scope, instance: &Instance) -> Option<PathBuf> {
    let instance_name = instance.unit.instance();
    // One directory for all would be a sibling's as well.
    let is_own = |directory: &&String| directory.contains(instance_name);
    let directory = instance.service.runtime_directories.iter().find(is_own)?;
    Some(scope.runtime_dir().join(directory).join("admin.sock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_run_can_answer_for_an_instance() {
        let ours = Invocation([0xab; 16]);
        let hex = ours.to_string();
        let is_from = |body: String| Answer::read(body.as_bytes()).is_from(ours);
        assert!(is_from(format!("{{\"invocation\":\"{hex}\",\"instance\":\"1\"}}")));
        for silent in ["", "fine", "[]", "{}", "{\"invocation\":null}", "{\"status\":1}"] {
            assert!(is_from(silent.to_owned()), "{silent}");
        }
        for other in ["\"\"", "\"00\"", "1", "{}", "\"-\""] {
            assert!(!is_from(format!("{{\"invocation\":{other}}}")), "{other}");
        }
    }
}
