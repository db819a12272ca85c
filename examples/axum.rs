//! An axum service that takes its socket from systemd and leaves without dropping a request.
//!
//! ```text
//! WORKER_LISTEN=127.0.0.1:8080 cargo run --example axum
//! ```

use axum::{Router, extract::Path, routing::get};
use hyper_util::service::TowerToHyperService;

fn main() -> std::process::ExitCode {
    let app = Router::new()
        .route("/", get(|| async { "hello\n" }))
        .route("/{name}", get(|Path(name): Path<String>| async move { format!("hello {name}\n") }));
    rollctl::worker::main(TowerToHyperService::new(app))
}
