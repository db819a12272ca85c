//! WebSocket clients in Python, a process of their own.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::programs::{Lack, brought};

/// Clients that talk to an echo; dropped, they are killed.
pub struct Talk {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Talk {
    /// Whether there is a Python with a WebSocket client.
    pub fn is_possible() -> Result<(), Lack> {
        brought("python").map(drop)
    }

    /// So many clients; all are connected when this returns.
    pub fn begin(address: &str, clients: usize) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/python/talk.py");
        let mut command = Command::new(brought("python/bin/python").unwrap());
        command.args([script, &format!("ws://{address}/"), &clients.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "connected\n");
        Self { child, stdin, stdout }
    }

    /// The end of the talk; what became of it.
    pub fn end(mut self) -> Value {
        drop(self.stdin.take());
        let mut told = String::new();
        self.stdout.read_to_string(&mut told).unwrap();
        serde_json::from_str(&told).unwrap()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // Already gone if its end was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
