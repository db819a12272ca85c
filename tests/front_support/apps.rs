//! Real apps, none of which knows of restarts, and what this machine lacks to run one.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Why a story cannot be told on this machine.
pub type Lack = String;

/// An app as a unit runs it, and what its files are.
#[derive(Clone, Debug)]
pub struct App {
    pub name: &'static str,
    /// The command line behind `worker [OPTIONS] --`.
    pub command: String,
    /// What the unit sees below /srv.
    mounts: Vec<(PathBuf, &'static str)>,
    /// Compiles as it runs, which `MemoryDenyWriteExecute=yes` forbids.
    has_jit: bool,
    /// How many requests it takes on at a time.
    pub at_a_time: usize,
}

/// How many requests an app takes on that has no limit of its own.
const MANY: usize = 100;

impl App {
    /// Node's own `http`.
    pub fn node() -> Result<Self, Lack> {
        let app = Self::new("node", "/usr/bin/node /srv/app/server.js", tests_app("node"))?;
        Ok(Self { has_jit: true, ..app })
    }

    /// The Express app of `packaging/examples`.
    pub fn express() -> Result<Self, Lack> {
        let app = Self::new("express", "/usr/bin/node /srv/shop/server.js", example("express"))?;
        let packages = brought("node/node_modules")?;
        // Node looks for packages in the directories above the app's, too.
        let mounts = vec![(example("express"), "/srv/shop"), (packages, "/srv/node_modules")];
        Ok(Self { mounts, has_jit: true, ..app })
    }

    /// gunicorn with processes that do one request at a time, and keep no connection.
    pub fn gunicorn_sync() -> Result<Self, Lack> {
        let app = Self::python("gunicorn sync", "gunicorn -w 6 -b 127.0.0.1:$PORT wsgi:app")?;
        Ok(Self { at_a_time: 6, ..app })
    }

    /// gunicorn with threads, and connections kept for 2 s.
    pub fn gunicorn_threads() -> Result<Self, Lack> {
        let command = "gunicorn -k gthread --threads 16 -b 127.0.0.1:$PORT wsgi:app";
        Ok(Self { at_a_time: 16, ..Self::python("gunicorn gthread", command)? })
    }

    /// uvicorn, which is told of no signal either.
    pub fn uvicorn() -> Result<Self, Lack> {
        let command = "uvicorn --port $PORT --log-level warning --ws websockets-sansio asgi:app";
        Self::python("uvicorn", command)
    }

    /// Sinatra on Puma.
    pub fn puma() -> Result<Self, Lack> {
        let command = "/usr/bin/puma -q -t 16:16 -b tcp://127.0.0.1:$PORT /srv/app/config.ru";
        let app = Self::new("puma", &in_shell(command), tests_app("ruby"))?;
        let sinatra = Command::new("/usr/bin/ruby").args(["-e", "require 'sinatra/base'"]).output();
        if !sinatra.is_ok_and(|ran| ran.status.success()) {
            return Err("sinatra is not installed".to_owned());
        }
        Ok(Self { at_a_time: 16, ..app })
    }

    fn python(name: &'static str, module: &str) -> Result<Self, Lack> {
        let command = format!("/srv/python/bin/python -m {module}");
        let app = Self::new(name, &in_shell(&command), tests_app("python"))?;
        let packages = brought("python")?;
        let mounts = vec![(tests_app("python"), "/srv/app"), (packages, "/srv/python")];
        Ok(Self { mounts, ..app })
    }

    fn new(name: &'static str, command: &str, files: PathBuf) -> Result<Self, Lack> {
        for program in command.split(['\'', ' ']).filter(|word| word.starts_with("/usr/bin/")) {
            if !Path::new(program).exists() {
                return Err(format!("{program} is not installed"));
            }
        }
        let mounts = vec![(files, "/srv/app")];
        let command = command.to_owned();
        Ok(Self { name, command, mounts, has_jit: false, at_a_time: MANY })
    }

    /// A drop-in for `worker@.service` that runs it.
    pub fn drop_in(&self, options: &str) -> String {
        let command = &self.command;
        let directory = self.mounts[0].1;
        let jit = if self.has_jit { "MemoryDenyWriteExecute=no\n" } else { "" };
        format!(
            "[Service]\nExecStart=\nExecStart=/usr/libexec/rollctl/worker {options} -- {command}\n\
             WorkingDirectory={directory}\n{jit}{}",
            self.files()
        )
    }

    /// What of a drop-in puts its files below /srv, wherever this project lies.
    pub fn files(&self) -> String {
        let mount =
            |(from, to): &(PathBuf, &str)| format!("BindReadOnlyPaths={}:{to}\n", from.display());
        let mounts: String = self.mounts.iter().map(mount).collect();
        format!("[Service]\nTemporaryFileSystem=/srv:ro\n{mounts}")
    }
}

/// With the port in it that only the worker's environment knows.
fn in_shell(command: &str) -> String {
    // systemd replaces $NAME itself unless the dollar is doubled.
    format!("/bin/sh -c 'exec {}'", command.replace('$', "$$"))
}

fn tests_app(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps").join(name)
}

/// A directory of `packaging/examples`.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples").join(name)
}

/// What `tests/apps/install` has brought.
pub fn brought(path: &str) -> Result<PathBuf, Lack> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("target"));
    let path = target.join("real").join(path);
    if path.exists() { Ok(path) } else { Err(format!("{} is not there", path.display())) }
}
