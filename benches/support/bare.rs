//! The worker's built-in app, served by hyper without the worker.

use std::net::SocketAddr;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use rollctl::worker::{Config, Worker, app};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// Serves for ever, on one thread as the worker does.
pub(crate) fn serve(address: SocketAddr) {
    let (_, app) = worker_at("127.0.0.1:0");
    let serve = async move {
        let listener = TcpListener::bind(address).await.expect("a listener");
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            stream.set_nodelay(true).expect("nodelay");
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), app.clone());
            tokio::spawn(async { drop(serving.await) });
        }
    };
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(serve)
}

/// A worker that listens there, and its app, which shows what it knows.
pub(crate) fn worker_at(address: &str) -> (Worker, app::BuiltIn) {
    let mut config = Config::default();
    config.listen = Some(address.parse().expect("an address"));
    let worker = Worker::new(config).expect("a worker");
    let app = app::BuiltIn::new(worker.about());
    (worker, app)
}
