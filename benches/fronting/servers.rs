//! The servers that are compared.

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Process, cpu, memory};

pub(crate) const NGINX_TO_NODE: &str = "nginx → node";

/// Set to an address, it makes this program a bare hyper server.
pub(crate) const SERVE: &str = "FRONTING_BARE";

/// A server, and the app behind it if that is another process.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    proxy: Process,
    app: Option<Process>,
}

impl Server {
    fn new(name: &'static str, address: SocketAddr, proxy: Process, app: Option<Process>) -> Self {
        wait_for(address);
        Self { name, address, proxy, app }
    }

    /// Of everything that answers a request.
    pub(crate) fn cpu(&self) -> Duration {
        self.family().into_iter().map(cpu).sum()
    }

    /// The same, in MiB.
    pub(crate) fn memory(&self) -> f64 {
        memory(&self.family())
    }

    fn family(&self) -> Vec<u32> {
        let app = self.app.iter().flat_map(Process::family);
        self.proxy.family().into_iter().chain(app).collect()
    }

    /// Of what stands between client and app alone: nginx works in a child, the app of a worker
    /// is one.
    pub(crate) fn proxy_cpu(&self) -> Duration {
        match self.name.starts_with("nginx") {
            true => self.proxy.family().into_iter().map(cpu).sum(),
            false => cpu(self.proxy.id()),
        }
    }
}

pub(crate) fn all() -> Vec<Server> {
    let [node, nginx, files, behind, port, socket, page, bare] = [(); 8].map(|()| free_address());
    let app = Process::start(node_at(node, &mut Command::new("node")));
    let behind_nginx = Process::start(node_at(behind, &mut Command::new("node")));
    wait_for(behind);
    vec![
        Server::new("node alone", node, app, None),
        Server::new(NGINX_TO_NODE, nginx, start_nginx(nginx, PROXY, behind), Some(behind_nginx)),
        Server::new("worker → node, port", port, fronting(port, &[]), None),
        Server::new("worker → node, socket", socket, fronting(socket, &own_socket()), None),
        Server::new("nginx, a file", files, start_nginx(files, "", behind), None),
        Server::new("worker, built-in", page, worker(page, &[]), None),
        Server::new("bare hyper", bare, bare_at(bare), None),
    ]
}

fn node_at(address: SocketAddr, node: &mut Command) -> &mut Command {
    node.arg(root().join("tests/apps/node/server.js")).env("PORT", address.port().to_string())
}

pub(crate) fn fronting(address: SocketAddr, options: &[String]) -> Process {
    let app = root().join("tests/apps/node/server.js").display().to_string();
    let words = ["--", "node", &app].map(str::to_owned);
    worker(address, &[options, &words].concat())
}

fn worker(address: SocketAddr, words: &[String]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    Process::start(command.arg("--listen").arg(address.to_string()).args(words))
}

fn own_socket() -> [String; 2] {
    let path = env::temp_dir().join(format!("fronting-{}.sock", std::process::id()));
    ["--app-socket".to_owned(), path.display().to_string()]
}

/// nginx as its documentation sets it up for a proxy, with one process as the worker has.
fn start_nginx(address: SocketAddr, at_root: &str, app: SocketAddr) -> Process {
    let dir = env::temp_dir().join(format!("fronting-{}-{}", std::process::id(), address.port()));
    fs::create_dir_all(&dir).expect("a directory");
    fs::write(dir.join("index.html"), "hello\n").expect("a file");
    let config = NGINX.replace("DIR", &dir.display().to_string());
    let config = config.replace("ADDRESS", &address.to_string()).replace("AT_ROOT", at_root);
    let config = config.replace("APP", &app.to_string());
    fs::write(dir.join("nginx.conf"), config).expect("a file");
    Process::start(Command::new(nginx()).arg("-c").arg(dir.join("nginx.conf")))
}

const NGINX: &str = "
daemon off; worker_processes 1; pid DIR/pid; error_log DIR/error.log;
events { worker_connections 4096; }
http {
    access_log off; keepalive_requests 100000000; tcp_nodelay on; open_file_cache max=10;
    client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
    server { listen ADDRESS; root DIR; AT_ROOT }
    upstream app { server APP; keepalive 128; keepalive_requests 100000000; }
}
";

/// The fields that the worker sets, too.
const PROXY: &str = "location / {
    proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection '';
    proxy_set_header Host $host; proxy_set_header X-Request-Id $request_id;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
    proxy_set_header Forwarded 'for=$remote_addr;proto=$scheme;host=$host';
}";

fn nginx() -> PathBuf {
    let brought = root().join("target/real/programs/usr/sbin/nginx");
    if brought.exists() { brought } else { "nginx".into() }
}

fn bare_at(address: SocketAddr) -> Process {
    let this = env::current_exe().expect("this program");
    Process::start(Command::new(this).env(SERVE, address.to_string()))
}

/// Serves for ever where the environment says so: the worker's built-in app, without the worker.
pub(crate) fn serve_if_told() {
    let Ok(address) = env::var(SERVE) else { return };
    crate::bare::serve(address.parse().expect("an address"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn free_address() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address")
}

pub(crate) fn wait_for(address: SocketAddr) {
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < until, "nobody listens at {address}");
        thread::sleep(Duration::from_millis(10));
    }
}
