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
mod examples;
mod group;
mod process;
mod programs;
mod sockets;
mod talk;
mod trials;

pub use apps::App;
pub use balancers::Balancer;
pub use examples::example;
pub use group::{on_a_socket_each, on_one_socket, some_on_one_socket};
pub use process::Process;
pub use programs::{Lack, brought};
pub use talk::Talk;
pub use trials::Trials;
