//! Servers with a master process of their own that restarts four workers.

use std::fs;
use std::process::Command;

use rollctl::lab::Lab;

use crate::nodes::{PLAIN, SLOW, in_project};
use crate::peer::{Peer, Result, Running, local_address, port, signal, version};
use crate::real::{Program, brought};
use crate::service;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "PM2 reload, plain",
        is_quick: false,
        start: |lab| pm2(lab, PLAIN, "exec_mode: 'cluster'"),
    },
    Peer {
        name: "PM2 reload, SIGINT handler, wait_ready, kill_timeout 5 s",
        is_quick: true,
        start: |lab| graceful(lab, ""),
    },
    Peer {
        name: "PM2 reload, SIGINT handler, wait_ready, kill_timeout 5 s, Node that boots for 1 s",
        is_quick: false,
        start: |lab| {
            let slow = in_project(SLOW);
            graceful(lab, &format!(", node_args: '--require={}'", slow.display()))
        },
    },
    Peer {
        name: "gunicorn gthread, HUP",
        is_quick: true,
        start: |lab| gunicorn(lab, "gthread --threads 16", "wsgi:app"),
    },
    Peer {
        name: "gunicorn with uvicorn workers, HUP",
        is_quick: false,
        start: |lab| gunicorn(lab, "uvicorn_worker.UvicornWorker", "asgi:app"),
    },
    Peer { name: "Puma, phased restart", is_quick: true, start: puma },
    Peer { name: "uWSGI, chain reload", is_quick: false, start: uwsgi },
];

const UNIT: &str = "peer.service";
const PYTHON: &str = "tests/apps/python";

fn graceful(lab: &Lab, more: &str) -> Result<Running> {
    let settings =
        "exec_mode: 'cluster', wait_ready: true, listen_timeout: 10000, kill_timeout: 5000";
    pm2(lab, "benches/peers/apps/graceful.js", &format!("{settings}{more}"))
}

fn pm2(lab: &Lab, app: &str, settings: &str) -> Result<Running> {
    let pm2 = brought("pm2/node_modules/.bin/pm2")?;
    let (address, home) = (local_address(), lab.dir().join("pm2"));
    let config = lab.dir().join("shop.config.js");
    let (app, number) = (in_project(app), port(&address));
    fs::write(
        &config,
        format!(
            "module.exports = {{ apps: [{{ name: 'shop', script: '{}', instances: 4, \
             env: {{ PORT: {number} }}, {settings} }}] }};\n",
            app.display()
        ),
    )?;
    let service = format!(
        "[Service]\nExecStart=/usr/bin/node {}-runtime start {}\nEnvironment=PM2_HOME={}\n",
        pm2.display(),
        config.display(),
        home.display()
    );
    let command = move || {
        let mut command = Command::new(&pm2);
        command.env("PM2_HOME", &home);
        command
    };
    let version = version(Command::new("cat").arg(brought("pm2/node_modules/pm2/package.json")?))?;
    let reload = move |_: &Lab| {
        let output = command().args(["reload", "shop"]).output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    };
    service::start(lab, UNIT, &service, &address)?;
    Ok(Running { order: Box::new(reload), ..with_master(address, version, "") })
}

fn gunicorn(lab: &Lab, kind: &str, app: &str) -> Result<Running> {
    let (gunicorn, address) = (Program::brought("python/bin/gunicorn")?, local_address());
    let arguments = format!("-w 4 -k {kind} -b {address} {app}");
    let service = gunicorn.service(&arguments) + &in_directory(PYTHON);
    let version = version(gunicorn.command().arg("--version"))?;
    service::start(lab, UNIT, &service, &address)?;
    Ok(with_master(address, version, "SIGHUP"))
}

fn puma(lab: &Lab) -> Result<Running> {
    let (puma, address) = (Program::find("puma")?, local_address());
    let config = in_project("benches/peers/apps/puma.rb");
    let arguments = format!("-q -C {} -b tcp://{address} config.ru", config.display());
    let service = puma.service(&arguments) + &in_directory("tests/apps/ruby");
    let version = version(puma.command().arg("--version"))?;
    service::start(lab, UNIT, &service, &address)?;
    Ok(with_master(address, version, "SIGUSR1"))
}

fn uwsgi(lab: &Lab) -> Result<Running> {
    let (uwsgi, address) = (Program::brought("uwsgi/bin/uwsgi")?, local_address());
    let order = lab.dir().join("reload");
    fs::write(&order, "")?;
    let arguments = format!(
        "--master --processes 4 --threads 16 --lazy-apps --need-app --http11-socket {address} \
         --wsgi-file wsgi.py --callable app --disable-logging --die-on-term --touch-chain-reload {}",
        order.display()
    );
    let service = uwsgi.service(&arguments) + &in_directory(PYTHON);
    let version = version(uwsgi.command().arg("--version"))?;
    service::start(lab, UNIT, &service, &address)?;
    let touch = move |_: &Lab| Ok(fs::write(&order, "now")?);
    Ok(Running { order: Box::new(touch), ..with_master(address, version, "") })
}

fn in_directory(path: &str) -> String {
    // Python would leave files there.
    let settings = "KillMode=mixed\nEnvironment=PYTHONDONTWRITEBYTECODE=1\n";
    format!("WorkingDirectory={}\n{settings}", in_project(path).display())
}

fn with_master(address: String, version: String, with: &'static str) -> Running {
    let units = vec![UNIT.to_owned()];
    let order = signal(UNIT, with);
    Running { address, version, units, has_master: true, fronts: Vec::new(), order }
}
