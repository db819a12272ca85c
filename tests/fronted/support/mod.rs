//! Verbs for stories of real programs: apps behind the worker, balancers in front of it.
//!
//! ```text
//! load ─► balancer (nginx, HAProxy, Caddy) ─► worker@1 … worker@4 ─► app (Node, Python, Ruby)
//! Trials: each story, or why it cannot be told here
//! ```

// Every file of stories takes the verbs it needs.
#![allow(dead_code, unreachable_pub, unused_imports)]

mod apps;
mod balancers;
mod group;
mod process;
mod talk;
mod trials;

pub use apps::{App, Lack, brought, example};
pub use balancers::Balancer;
pub use group::{on_a_socket_each, on_one_socket, some_on_one_socket};
pub use process::Process;
pub use talk::Talk;
pub use trials::Trials;
