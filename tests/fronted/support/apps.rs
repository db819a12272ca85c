//! Real apps, none of which knows of restarts, and what this machine lacks to run one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::examples::example;
use super::programs::{Lack, brought};

/// An app: the drop-in for `worker@.service` that runs it, and its files.
#[derive(Clone, Debug)]
pub struct App {
    pub name: &'static str,
    drop_in: String,
    /// What the unit sees below /srv.
    mounts: Vec<(PathBuf, &'static str)>,
    /// How many requests it takes on at a time.
    pub at_a_time: usize,
}

/// How many requests an app takes on that has no limit of its own.
const MANY: usize = 100;

impl App {
    /// Node's own `http`.
    pub fn node() -> Result<Self, Lack> {
        let command = "/usr/bin/node /srv/app/server.js";
        let jit = "MemoryDenyWriteExecute=no\n";
        Self::new("node", &(runs(command) + jit), vec![(tests_app("node"), "/srv/app")])
    }

    /// The Express app of `packaging/examples`, with its drop-in.
    pub fn express() -> Result<Self, Lack> {
        let shop = example("express");
        let drop_in = fs::read_to_string(shop.join("worker@.service.d/shop.conf")).unwrap();
        // Node looks for packages in the directories above the app's, too.
        let mounts =
            vec![(shop, "/srv/shop"), (brought("express/node_modules")?, "/srv/node_modules")];
        Self::new("express", &drop_in, mounts)
    }

    /// Node with the package `ws`.
    pub fn node_websockets() -> Result<Self, Lack> {
        let app = Self::node()?;
        let mut mounts = app.mounts;
        mounts.push((brought("node/node_modules")?, "/srv/node_modules"));
        let drop_in = app.drop_in.replace("server.js", "websockets.js");
        Ok(Self { name: "node ws", drop_in, mounts, ..app })
    }

    /// gunicorn with processes that do one request at a time, and keep no connection.
    pub fn gunicorn_sync() -> Result<Self, Lack> {
        let app = Self::python("gunicorn sync", "gunicorn -w 6 -b 127.0.0.1:$PORT wsgi:app")?;
        Ok(Self { at_a_time: 6, ..app })
    }

    /// gunicorn that takes the inherited sockets, with `WORKER_PASS_SOCKETS=yes`.
    pub fn gunicorn_with_sockets() -> Result<Self, Lack> {
        Self::python("gunicorn with sockets", "gunicorn -w 3 wsgi:app")
    }

    /// gunicorn with threads, and connections kept for 2 s.
    pub fn gunicorn_threads() -> Result<Self, Lack> {
        let command = "gunicorn -k gthread --threads 16 -b 127.0.0.1:$PORT wsgi:app";
        Ok(Self { at_a_time: 16, ..Self::python("gunicorn gthread", command)? })
    }

    /// uvicorn, with WebSockets.
    pub fn uvicorn() -> Result<Self, Lack> {
        let command = "uvicorn --port $PORT --log-level warning --ws websockets-sansio asgi:app";
        Self::python("uvicorn", command)
    }

    /// Sinatra on Puma.
    pub fn puma() -> Result<Self, Lack> {
        let command = "/usr/bin/puma -q -t 16:16 -b tcp://127.0.0.1:$PORT /srv/app/config.ru";
        let mounts = vec![(tests_app("ruby"), "/srv/app")];
        let app = Self::new("puma", &runs(&in_shell(command)), mounts)?;
        let sinatra = Command::new("/usr/bin/ruby").args(["-e", "require 'sinatra/base'"]).output();
        if !sinatra.is_ok_and(|ran| ran.status.success()) {
            return Err("sinatra is not installed".to_owned());
        }
        Ok(Self { at_a_time: 16, ..app })
    }

    fn python(name: &'static str, module: &str) -> Result<Self, Lack> {
        let command = in_shell(&format!("/srv/python/bin/python -m {module}"));
        let mounts = vec![(tests_app("python"), "/srv/app"), (brought("python")?, "/srv/python")];
        Self::new(name, &runs(&command), mounts)
    }

    fn new(
        name: &'static str,
        drop_in: &str,
        mounts: Vec<(PathBuf, &'static str)>,
    ) -> Result<Self, Lack> {
        for program in drop_in.split(['\'', ' ', '\n']).filter(|it| it.starts_with("/usr/bin/")) {
            if !Path::new(program).exists() {
                return Err(format!("{program} is not installed"));
            }
        }
        Ok(Self { name, drop_in: drop_in.to_owned(), mounts, at_a_time: MANY })
    }

    /// The drop-in, with the app's files below /srv wherever this project lies, and with these
    /// settings of the worker's (`WORKER_LINGER=2s …`).
    pub fn drop_in(&self, settings: &str) -> String {
        let mount =
            |(from, to): &(PathBuf, &str)| format!("BindReadOnlyPaths={}:{to}\n", from.display());
        let mounts: String = self.mounts.iter().map(mount).collect();
        let drop_in = &self.drop_in;
        format!("{drop_in}TemporaryFileSystem=/srv:ro\n{mounts}Environment={settings}\n")
    }
}

fn runs(command: &str) -> String {
    format!(
        "[Service]\nExecStart=\nExecStart=/usr/libexec/rollctl/worker -- {command}\n\
         WorkingDirectory=/srv/app\n"
    )
}

/// With the port in it that only the worker's environment knows.
fn in_shell(command: &str) -> String {
    // systemd replaces $NAME itself unless the dollar is doubled.
    format!("/bin/sh -c 'exec {}'", command.replace('$', "$$"))
}

fn tests_app(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps").join(name)
}
