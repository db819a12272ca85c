//! Clients that never come to the point: each sends the head of a request a byte at a time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

/// The beginning of a head; behind it the value of its last field goes on for ever.
const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ";

/// A crowd of them that is still to be started.
#[derive(Clone, Debug)]
pub struct Slow {
    target: SocketAddr,
    count: usize,
    pace: Duration,
}

/// How one of them fared.
#[derive(Clone, Debug)]
pub struct SlowEnd {
    /// What the server had said by the end of the connection, if it was it who ended it.
    pub said: Option<String>,
    /// How long it lasted from the first byte of the head.
    pub lasted: Duration,
}

impl Slow {
    /// So many clients that send a byte a second; they begin spread over a second.
    pub fn to(target: SocketAddr, count: usize) -> Self {
        Self { target, count, pace: Duration::from_secs(1) }
    }

    /// Starts them in a thread of their own.
    pub fn start(self) -> io::Result<SlowRunning> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let open = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = watch::channel(false);
        let (send, ends) = oneshot::channel();
        let own = open.clone();
        std::thread::Builder::new().name("slow".to_owned()).spawn(move || {
            // Nobody waits any more when the handle was dropped.
            let _ = send.send(runtime.block_on(self.run(own, stopped)));
        })?;
        Ok(SlowRunning { open, stop, ends })
    }

    async fn run(self, open: Arc<AtomicUsize>, stopped: watch::Receiver<bool>) -> Vec<SlowEnd> {
        let mut clients = JoinSet::new();
        let begun = tokio::time::Instant::now();
        for number in 0..self.count {
            let at = begun + self.pace.mul_f64(number as f64 / self.count as f64);
            let (open, mut stopped) = (open.clone(), stopped.clone());
            clients.spawn(async move {
                let stream = TcpStream::connect(self.target).await?;
                stream.set_nodelay(true)?;
                tokio::time::sleep_until(at).await;
                open.fetch_add(1, Relaxed);
                let (begun, mut said) = (Instant::now(), vec![]);
                let is_over = tokio::select! {
                    over = dribble(stream, self.pace, &mut said) => over.is_ok(),
                    // Also when the handle is gone.
                    _ = stopped.wait_for(|stop| *stop) => false,
                };
                open.fetch_sub(1, Relaxed);
                let said = is_over.then(|| String::from_utf8_lossy(&said).into_owned());
                io::Result::Ok(SlowEnd { said, lasted: begun.elapsed() })
            });
        }
        let ends = clients.join_all().await;
        ends.into_iter().filter_map(Result::ok).collect()
    }
}

/// Sends a byte at each tick until the server ends the connection.
async fn dribble(mut stream: TcpStream, pace: Duration, said: &mut Vec<u8>) -> io::Result<()> {
    let (mut read, mut write) = stream.split();
    let send = async {
        let mut ticks = interval_at(tokio::time::Instant::now(), pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for byte in HEAD.iter().chain(std::iter::repeat(&b'a')) {
            ticks.tick().await;
            // A server that has closed says so where it is listened to.
            let _ = write.write_all(&[*byte]).await;
        }
    };
    tokio::select! {
        () = send => Ok(()),
        end = read.read_to_end(said) => end.map(drop),
    }
}

/// A crowd at work; dropping it ends the connections.
pub struct SlowRunning {
    open: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    ends: oneshot::Receiver<Vec<SlowEnd>>,
}

impl SlowRunning {
    /// How many have sent a byte and were not cut yet.
    pub fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Waits until the server has ended every connection that it let in.
    pub fn wait(self) -> Vec<SlowEnd> {
        match self.ends.blocking_recv() {
            Ok(ends) => ends,
            Err(_) => panic!("the thread of the slow clients has panicked"),
        }
    }

    /// Ends the connections; returns once they are gone.
    pub fn stop_and_wait(self) -> Vec<SlowEnd> {
        self.stop.send_replace(true);
        self.wait()
    }
}
