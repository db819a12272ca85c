//! Clients that have one connection for all their life, and check every byte of every answer: an
//! end of the connection, a `Connection: close` or a wrong byte is a failure.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How such a client goes about its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Sends each in two halves, with this time between them.
    Halves(Duration),
    /// Sends so many at once, then reads the answers.
    Pipeline(usize),
    /// Sends one, and the next when it is told to stop.
    Idle,
    /// The same, but with half a head of the next one sent already.
    HalfHead,
}

/// A crowd of them that is still to be started.
#[derive(Clone, Debug)]
pub struct Loyal {
    target: SocketAddr,
    crews: Vec<(usize, Manner)>,
}

/// What became of them.
#[derive(Clone, Debug, Default)]
pub struct LoyalReport {
    /// Requests that were answered as they should be.
    pub answered: u64,
    /// Answers that were another's, or had a wrong byte; each is a failure, too.
    pub wrong: u64,
    /// Each failure ended its client.
    pub failures: Vec<String>,
}

impl Loyal {
    /// A crowd without clients yet, for a server that echoes at `/echo`.
    pub fn to(target: SocketAddr) -> Self {
        Self { target, crews: Vec::new() }
    }

    /// Adds so many clients.
    pub fn clients(mut self, count: usize, manner: Manner) -> Self {
        self.crews.push((count, manner));
        self
    }

    /// Starts them in a thread of their own; returns when each has got an answer.
    ///
    /// # Errors
    ///
    /// No thread or no runtime for them.
    pub fn start(self) -> io::Result<LoyalRunning> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let counts = Arc::new(Counts::default());
        let all = self.crews.iter().map(|crew| crew.0).sum();
        let (stop, stopped) = watch::channel(false);
        let (send, failures) = oneshot::channel();
        let own = counts.clone();
        std::thread::Builder::new().name("loyal".to_owned()).spawn(move || {
            // Nobody waits any more when the handle was dropped.
            let _ = send.send(runtime.block_on(self.run(&own, stopped)));
        })?;
        while counts.begun.load(Relaxed) < all {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(LoyalRunning { counts, stop, failures })
    }

    async fn run(self, counts: &Arc<Counts>, stopped: watch::Receiver<bool>) -> Vec<String> {
        let mut clients = JoinSet::new();
        let manners = self.crews.iter().flat_map(|(count, it)| std::iter::repeat_n(*it, *count));
        for (id, manner) in manners.enumerate() {
            let (counts, stopped, target) = (counts.clone(), stopped.clone(), self.target);
            clients.spawn(async move {
                let lived = live(target, id, manner, &counts, stopped).await;
                lived.map_err(|failure| format!("{manner:?} {id}: {failure}"))
            });
            if id % 64 == 63 {
                // Not more at once than a listener's queue takes.
                tokio::task::yield_now().await;
            }
        }
        clients.join_all().await.into_iter().filter_map(Result::err).collect()
    }
}

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicUsize,
    answered: AtomicU64,
    wrong: AtomicU64,
}

/// A crowd at work; dropping it ends the connections.
#[derive(Debug)]
pub struct LoyalRunning {
    counts: Arc<Counts>,
    stop: watch::Sender<bool>,
    failures: oneshot::Receiver<Vec<String>>,
}

impl LoyalRunning {
    /// Requests answered so far.
    pub fn answered(&self) -> u64 {
        self.counts.answered.load(Relaxed)
    }

    /// Lets each finish what it has begun, and idle ones ask once more.
    pub fn stop_and_wait(self) -> LoyalReport {
        self.stop.send_replace(true);
        match self.failures.blocking_recv() {
            Ok(failures) => LoyalReport {
                answered: self.counts.answered.load(Relaxed),
                wrong: self.counts.wrong.load(Relaxed),
                failures,
            },
            Err(_) => panic!("the thread of the loyal clients has panicked"),
        }
    }
}

struct Client<'a> {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    counts: &'a Counts,
}

async fn live(
    target: SocketAddr,
    id: usize,
    manner: Manner,
    counts: &Counts,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), String> {
    let client = connect(target, counts).await;
    let greeted = match client {
        Ok(mut client) => client.ask(&format!("{id} begins")).await.map(|()| client),
        Err(error) => Err(error.to_string()),
    };
    counts.begun.fetch_add(1, Relaxed);
    let mut client = greeted?;
    let last = request(&format!("{id} ends"));
    let (first, rest) = last.split_at(if manner == Manner::HalfHead { 30 } else { 0 });
    match manner {
        Manner::Idle | Manner::HalfHead => {
            client.send(first).await?;
            // Also when the handle is gone.
            let _ = stopped.wait_for(|stop| *stop).await;
        }
        Manner::Halves(between) => {
            while !*stopped.borrow() {
                client.ask_in_halves(id, between).await?;
            }
        }
        Manner::Pipeline(depth) => {
            while !*stopped.borrow() {
                client.ask_many(id, depth).await?;
            }
        }
    }
    client.send(rest).await?;
    client.hear(&format!("{id} ends")).await
}

async fn connect(target: SocketAddr, counts: &Counts) -> io::Result<Client<'_>> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    Ok(Client { read: BufReader::new(read), write, counts })
}

fn request(content: &str) -> String {
    let length = content.len();
    format!("POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{content}")
}

impl Client<'_> {
    async fn send(&mut self, text: &str) -> Result<(), String> {
        self.write.write_all(text.as_bytes()).await.map_err(|error| format!("not sent: {error}"))
    }

    async fn ask(&mut self, content: &str) -> Result<(), String> {
        self.send(&request(content)).await?;
        self.hear(content).await
    }

    async fn ask_in_halves(&mut self, id: usize, between: Duration) -> Result<(), String> {
        let number = self.counts.answered.load(Relaxed);
        let content = format!("{id} asks for {number}");
        let request = request(&content);
        // Somewhere else each time, in the head or in the content.
        let (first, second) = request.split_at((number as usize * 7 + id) % request.len());
        self.send(first).await?;
        sleep(between).await;
        self.send(second).await?;
        self.hear(&content).await
    }

    async fn ask_many(&mut self, id: usize, depth: usize) -> Result<(), String> {
        let contents: Vec<String> = (0..depth).map(|number| format!("{id} {number}")).collect();
        let all: String = contents.iter().map(|content| request(content)).collect();
        let Self { read, write, counts } = self;
        let send = async { write.write_all(all.as_bytes()).await.map_err(|it| it.to_string()) };
        let hear = async {
            for content in &contents {
                hear(read, content, counts).await?;
            }
            Ok(())
        };
        tokio::try_join!(send, hear).map(drop)
    }

    async fn hear(&mut self, content: &str) -> Result<(), String> {
        hear(&mut self.read, content, self.counts).await
    }
}

/// Reads one answer, which must have this content.
async fn hear(
    read: &mut BufReader<OwnedReadHalf>,
    content: &str,
    counts: &Counts,
) -> Result<(), String> {
    let answer = timeout(PATIENCE, read_answer(read)).await;
    let (head, found) = answer
        .map_err(|_| format!("no answer to {content:?} in {PATIENCE:?}"))?
        .map_err(|error| format!("in place of the answer to {content:?}: {error}"))?;
    if !head.starts_with("HTTP/1.1 200 ") || head.contains("connection: close") {
        return Err(format!("{content:?} was answered {head:?}"));
    }
    if found != content.as_bytes() {
        counts.wrong.fetch_add(1, Relaxed);
        return Err(format!("{content:?} came back as {:?}", String::from_utf8_lossy(&found)));
    }
    counts.answered.fetch_add(1, Relaxed);
    Ok(())
}

async fn read_answer(read: &mut BufReader<OwnedReadHalf>) -> io::Result<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let begun = head.len();
        if read.read_line(&mut head).await? == 0 {
            return Err(io::Error::other(format!("the connection ended after {head:?}")));
        }
        match head[begun..].trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().map_err(io::Error::other)?,
            Some(_) => {}
            None if head[begun..].trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut content = vec![0; length];
    read.read_exact(&mut content).await?;
    Ok((head, content))
}
