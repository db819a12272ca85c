//! Health URLs: `unix:/run/worker/%i/admin.sock:/healthz`, `http://127.0.0.1:80%i/healthz`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::ctl::policy::expand;
use crate::ctl::scope::Scope;
use crate::ctl::unit_name::UnitName;

/// A health URL with specifiers, the same for every instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthUrl(String);

/// Where one instance is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// At a unix socket.
    Unix {
        /// The socket.
        socket: PathBuf,
        /// What is asked for.
        path: String,
    },
    /// At an address and port, in plain HTTP.
    Tcp {
        /// `host:port`.
        authority: String,
        /// What is asked for.
        path: String,
    },
}

impl HealthUrl {
    /// Whether instances are told apart by it; else one could answer for another.
    pub fn names_the_instance(&self) -> bool {
        ["%i", "%I", "%n", "%N"].iter().any(|specifier| self.0.contains(specifier))
    }

    /// Where this instance is asked.
    ///
    /// # Errors
    ///
    /// When what comes out is no address.
    pub fn target(&self, scope: Scope, unit: &UnitName) -> Result<Target, String> {
        let text = expand(&self.0, scope, unit)?;
        Target::read(&text)
    }
}

impl FromStr for HealthUrl {
    type Err = String;

    /// Tries it on an instance `1`, so that a URL that can never be one is refused at once.
    fn from_str(text: &str) -> Result<Self, String> {
        let url = Self(text.to_owned());
        url.target(Scope::System, &UnitName::new("x@1.service"))?;
        Ok(url)
    }
}

impl fmt::Display for HealthUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Target {
    fn read(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("unix:") {
            let (socket, path) = rest.split_once(":/").unwrap_or((rest, "healthz"));
            return match socket.starts_with('/') {
                true => Ok(Self::Unix { socket: socket.into(), path: checked_path(path)? }),
                false => Err(format!("{text:?}: the path of a unix socket begins with a /")),
            };
        }
        if let Some(rest) = text.strip_prefix("http://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let authority = checked_authority(authority)
                .ok_or_else(|| format!("{text:?}: {authority:?} is no HOST:PORT"))?;
            return Ok(Self::Tcp { authority, path: checked_path(path)? });
        }
        Err(format!("{text:?} is no health URL (write unix:/PATH:/healthz or http://HOST:PORT/)"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { socket, path } => write!(f, "unix:{}:{path}", socket.display()),
            Self::Tcp { authority, path } => write!(f, "http://{authority}{path}"),
        }
    }
}

fn checked_path(path: &str) -> Result<String, String> {
    let path = format!("/{path}");
    match path.parse::<http::Uri>() {
        Ok(_) => Ok(path),
        Err(error) => Err(format!("{path:?}: {error}")),
    }
}

/// A host with a port; port 80 is understood.
fn checked_authority(text: &str) -> Option<String> {
    let authority: http::uri::Authority = text.parse().ok()?;
    let has_user = text.contains('@');
    let port_is_wrong = authority.port_u16().is_none() && text.trim_end_matches(']').contains(':');
    let is_bare_v6 = format!("{text}:80").parse::<SocketAddr>().is_ok_and(|at| at.is_ipv6());
    match authority.port_u16() {
        _ if has_user || authority.host().is_empty() => None,
        Some(_) => Some(text.to_owned()),
        None if port_is_wrong && !is_bare_v6 => None,
        None => Some(format!("{text}:80")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(url: &str, unit: &str) -> String {
        let url: HealthUrl = url.parse().unwrap();
        url.target(Scope::System, &UnitName::new(unit)).unwrap().to_string()
    }

    #[test]
    fn every_instance_has_its_own_address() {
        let unix = "unix:%t/%p/%i/admin.sock:/healthz?full=1";
        assert_eq!(target(unix, "w@2.service"), "unix:/run/w/2/admin.sock:/healthz?full=1");
        assert_eq!(target("unix:/run/%N.sock", "w@2.service"), "unix:/run/w@2.sock:/healthz");
        assert_eq!(target("http://127.0.0.1:80%i/", "w@12.service"), "http://127.0.0.1:8012/");
        assert_eq!(target("http://[::1]:80%i/a%%20b", "w@1.service"), "http://[::1]:801/a%20b");
        assert_eq!(target("http://localhost/%j", "a-b@1.service"), "http://localhost:80/b");
        assert_eq!(target("unix:/%I:/", "w@a-b\\x2dc.service"), "unix:/a/b-c:/");
    }

    #[test]
    fn refuses_the_rest_in_one_line() {
        let bad = [
            "",
            "https://x/",
            "unix:run/x",
            "http://",
            "http://:80/",
            "http://u@h/",
            "http://h:x/",
            "http://h:99999/",
            "http://h/a b",
            "%q",
            "unix:/x%",
            "/run/x.sock",
        ];
        for text in bad {
            let error = text.parse::<HealthUrl>().expect_err(text);
            assert!(!error.contains('\n'), "{error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(unix:|http://)?[%/:a-zA-Z0-9@.\\[\\]-]{0,24}", unit in "\\PC{0,12}") {
            if let Ok(url) = text.parse::<HealthUrl>() {
                let _ = url.target(Scope::User, &UnitName::new(unit));
            }
        }
    }
}
