//! Tunnels between real TCP connections: WebSocket ends of the real kind, or bytes by hand.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::CancellationToken;

use super::Kind;
use super::pump::Pump;

const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than all buffers on the way hold what they have been given.
const STALLED: Duration = Duration::from_millis(500);

const CLOSE_1001: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];
const MASKED_CLOSE_1000: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
const CLOSE_1000: [u8; 4] = [0x88, 0x02, 0x03, 0xe8];

/// A client and an app with a tunnel between them.
struct Story {
    client: TcpStream,
    app: TcpStream,
    farewell: CancellationToken,
    tunnel: JoinHandle<bool>,
}

async fn a_tunnel(kind: Kind) -> Story {
    let ((client, ours), (app, theirs)) = (connection().await, connection().await);
    let farewell = CancellationToken::new();
    let comes = farewell.clone().cancelled_owned();
    let tunnel = tokio::spawn(async move { Pump::new(ours, theirs, kind).run(comes).await });
    Story { client, app, farewell, tunnel }
}

async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap());
    let (one, other) = tokio::join!(connected, listener.accept());
    (one.unwrap(), other.unwrap().0)
}

type Socket = WebSocketStream<TcpStream>;

async fn websockets(story: Story) -> (Socket, Socket, CancellationToken, JoinHandle<bool>) {
    let Story { client, app, farewell, tunnel } = story;
    let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    let app = WebSocketStream::from_raw_socket(app, Role::Server, None).await;
    (client, app, farewell, tunnel)
}

/// Reads `bytes.len()` bytes, which are these.
#[track_caller]
fn reads<'a>(stream: &'a mut TcpStream, bytes: &'a [u8]) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let mut read = vec![0; bytes.len()];
        let done = timeout(PATIENCE, stream.read_exact(&mut read)).await;
        assert!(matches!(done, Ok(Ok(_))), "{done:?} at {caller}");
        assert!(read == bytes, "other bytes at {caller}");
    }
}

async fn sees_end(stream: &mut TcpStream) {
    let end = timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect("an end");
    assert_eq!(end.expect("no reset"), 0, "more bytes");
}

/// The mask and the code of the Close that the app was told.
async fn reads_masked_1001(app: &mut TcpStream) {
    let mut frame = [0; 8];
    timeout(PATIENCE, app.read_exact(&mut frame)).await.unwrap().unwrap();
    let [first, second, mask @ .., high, low] = frame;
    assert_eq!([first, second], [0x88, 0x82]);
    assert_eq!([high ^ mask[0], low ^ mask[1]], 1001_u16.to_be_bytes());
}

async fn ends(tunnel: JoinHandle<bool>) -> bool {
    timeout(PATIENCE, tunnel).await.expect("the tunnel's end").unwrap()
}

async fn is_told_1001(socket: &mut Socket) {
    match timeout(PATIENCE, socket.next()).await.expect("a message") {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(frame.code, CloseCode::Away),
        other => panic!("not a Close: {other:?}"),
    }
    let end = timeout(PATIENCE, socket.next()).await.expect("an end");
    assert!(end.is_none(), "after the Close: {end:?}");
}

#[tokio::test]
async fn a_websocket_is_closed_by_1001_and_nothing_else() {
    let (mut client, mut app, farewell, tunnel) = websockets(a_tunnel(Kind::WebSocket).await).await;
    for text in ["hello".to_owned(), "x".repeat(70_000)] {
        client.send(Message::text(&text)).await.unwrap();
        assert_eq!(app.next().await.unwrap().unwrap(), Message::text(&text));
        app.send(Message::text(&text)).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text(&text));
    }
    farewell.cancel();
    tokio::join!(is_told_1001(&mut client), is_told_1001(&mut app));
    assert!(ends(tunnel).await);
}

#[tokio::test]
async fn a_close_of_their_own_is_not_ours_to_change() {
    let (mut client, mut app, _farewell, tunnel) =
        websockets(a_tunnel(Kind::WebSocket).await).await;
    let (_, heard) = tokio::join!(client.close(None), app.next());
    assert_eq!(heard.unwrap().unwrap(), Message::Close(None));
    tokio::join!(async { while client.next().await.is_some() {} }, async {
        while app.next().await.is_some() {}
        // As a server does: it closes first.
        app.get_mut().shutdown().await.unwrap();
    });
    drop((client, app));
    assert!(!ends(tunnel).await);
}

#[tokio::test]
async fn in_the_middle_of_a_large_frame_the_close_waits_for_its_end() {
    let Story { mut client, mut app, farewell, tunnel } = a_tunnel(Kind::WebSocket).await;
    let mut frame = vec![0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 0];
    // Full of what looks like the beginnings of frames.
    frame.resize(10 + (1 << 20), 0x88);
    let (begun, rest) = frame.split_at(300_000);
    tokio::join!(async { app.write_all(begun).await.unwrap() }, reads(&mut client, begun));
    farewell.cancel();
    // The other direction stands between two frames.
    reads_masked_1001(&mut app).await;
    let more = [rest, &[0x81, 2, b'n', b'o'], &CLOSE_1000].concat();
    tokio::join!(async { app.write_all(&more).await.unwrap() }, reads(&mut client, rest));
    reads(&mut client, &CLOSE_1001).await;
    client.write_all(&MASKED_CLOSE_1000).await.unwrap();
    sees_end(&mut client).await;
    sees_end(&mut app).await;
    drop((client, app));
    assert!(ends(tunnel).await);
}

#[tokio::test]
async fn a_close_may_come_between_the_fragments_of_a_message() {
    let Story { mut client, mut app, farewell, tunnel } = a_tunnel(Kind::WebSocket).await;
    let fragment = [0x01, 2, b'h', b'e'];
    app.write_all(&fragment).await.unwrap();
    reads(&mut client, &fragment).await;
    farewell.cancel();
    reads(&mut client, &CLOSE_1001).await;
    reads_masked_1001(&mut app).await;
    drop((client, app));
    assert!(ends(tunnel).await);
}

#[tokio::test]
async fn a_client_that_never_answers_holds_nobody_up_for_long() {
    let Story { mut client, mut app, farewell, tunnel } = a_tunnel(Kind::WebSocket).await;
    farewell.cancel();
    let told = Instant::now();
    reads(&mut client, &CLOSE_1001).await;
    reads_masked_1001(&mut app).await;
    app.write_all(&CLOSE_1000).await.unwrap();
    sees_end(&mut client).await;
    assert!(ends(tunnel).await);
    assert!((2..4).contains(&told.elapsed().as_secs()), "took {:?}", told.elapsed());
}

#[tokio::test]
async fn the_time_to_answer_begins_when_the_long_frame_is_through() {
    let Story { mut client, mut app, farewell, tunnel } = a_tunnel(Kind::WebSocket).await;
    let begun = [0x82, 0x85, 0, 0, 0, 0, b'h'];
    client.write_all(&begun).await.unwrap();
    reads(&mut app, &begun).await;
    farewell.cancel();
    reads(&mut client, &CLOSE_1001).await;
    // Longer than an answer may take.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    client.write_all(b"ello").await.unwrap();
    client.write_all(&MASKED_CLOSE_1000).await.unwrap();
    reads(&mut app, b"ello").await;
    reads_masked_1001(&mut app).await;
    drop((client, app));
    assert!(ends(tunnel).await);
}

#[tokio::test]
async fn who_is_closing_already_is_told_nothing_more() {
    let Story { mut client, mut app, farewell, tunnel } = a_tunnel(Kind::WebSocket).await;
    client.write_all(&MASKED_CLOSE_1000).await.unwrap();
    reads(&mut app, &MASKED_CLOSE_1000).await;
    farewell.cancel();
    app.write_all(&CLOSE_1000).await.unwrap();
    app.shutdown().await.unwrap();
    reads(&mut client, &CLOSE_1000).await;
    sees_end(&mut client).await;
    drop(client);
    sees_end(&mut app).await;
    assert!(!ends(tunnel).await);
}

#[tokio::test]
async fn each_side_is_closed_on_its_own() {
    let Story { mut client, mut app, farewell: _farewell, tunnel } = a_tunnel(Kind::Other).await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    reads(&mut app, b"question").await;
    sees_end(&mut app).await;
    app.write_all(b"answer").await.unwrap();
    reads(&mut client, b"answer").await;
    app.shutdown().await.unwrap();
    sees_end(&mut client).await;
    ends(tunnel).await;
}

#[tokio::test]
async fn a_client_that_stays_when_the_app_has_gone_is_left_alone_soon() {
    let Story { mut client, app, farewell: _farewell, tunnel } = a_tunnel(Kind::WebSocket).await;
    drop(app);
    sees_end(&mut client).await;
    assert!(!ends(tunnel).await);
    drop(client);
}

#[tokio::test]
async fn a_broken_side_ends_the_tunnel() {
    let Story { client, mut app, farewell: _farewell, tunnel } = a_tunnel(Kind::WebSocket).await;
    client.set_zero_linger().unwrap();
    drop(client);
    sees_end(&mut app).await;
    ends(tunnel).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_slows_the_app_down() {
    let Story { mut client, mut app, farewell: _farewell, tunnel } = a_tunnel(Kind::Other).await;
    let (piece, mut written) = (vec![b'x'; 1 << 16], 0);
    while let Ok(length) = timeout(STALLED, app.write(&piece)).await {
        written += length.unwrap();
        assert!(written < 1 << 26, "nothing slows it down");
    }
    drop(app);
    let mut read = 0;
    while let length @ 1.. = client.read(&mut vec![0; 1 << 16]).await.unwrap() {
        read += length;
    }
    assert_eq!(read, written);
    drop(client);
    ends(tunnel).await;
}

/// Whatever the frames, the pieces they come in, and the moment: what a client reads are whole
/// frames of the app's, and a Close.
#[tokio::test]
async fn at_any_moment_the_close_comes_between_two_frames() {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let Story { mut client, mut app, farewell, tunnel } = a_tunnel(Kind::WebSocket).await;
        let frames: Vec<Vec<u8>> = (0..20).map(|_| some_frame(&mut random)).collect();
        let sent = frames.concat();
        let moment = random.usize(..sent.len());
        let (before, after) = (sent[..moment].to_vec(), sent[moment..].to_vec());
        let (has_read, mut client_has) = watch::channel(0);
        let app = tokio::spawn(async move {
            writes_in_pieces(&mut app, &before, &mut random).await;
            if random.bool() {
                // Nothing is under way: the tunnel itself stands at this moment.
                client_has.wait_for(|read| *read == moment).await.unwrap();
            }
            farewell.cancel();
            writes_in_pieces(&mut app, &after, &mut random).await;
            reads_masked_1001(&mut app).await;
            app.write_all(&CLOSE_1000).await.unwrap();
            sees_end(&mut app).await;
        });
        let read = reads_to_close(&mut client, &has_read).await;
        client.write_all(&MASKED_CLOSE_1000).await.unwrap();
        sees_end(&mut client).await;
        drop(client);
        app.await.unwrap();
        assert!(ends(tunnel).await);
        let mut boundaries = frames.iter().scan(0, |end, frame| {
            *end += frame.len();
            Some(*end)
        });
        assert!(read == sent[..read.len()], "other bytes, seed {seed}");
        let is_whole = read.is_empty() || boundaries.any(|boundary| boundary == read.len());
        assert!(is_whole, "{} bytes end in a frame, seed {seed}", read.len());
    }
}

async fn writes_in_pieces(app: &mut TcpStream, mut bytes: &[u8], random: &mut fastrand::Rng) {
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(random.usize(1..5000).min(bytes.len()));
        app.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
        bytes = rest;
    }
}

/// What came before the Close.
async fn reads_to_close(client: &mut TcpStream, has_read: &watch::Sender<usize>) -> Vec<u8> {
    let (mut read, mut buffer) = (vec![], [0; 4096]);
    loop {
        let length = timeout(PATIENCE, client.read(&mut buffer)).await.unwrap().unwrap();
        assert!(length > 0, "no Close");
        read.extend(&buffer[..length]);
        has_read.send_replace(read.len());
        if let Some(before) = read.strip_suffix(&CLOSE_1001) {
            return before.to_vec();
        }
    }
}

fn some_frame(random: &mut fastrand::Rng) -> Vec<u8> {
    let length: u16 = if random.bool() { random.u16(..126) } else { random.u16(126..20_000) };
    let mut frame = vec![0x82];
    match length {
        0..126 => frame.push(length as u8),
        _ => {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
    }
    // Never what a Close looks like.
    frame.extend((0..length).map(|_| random.u8(..0x80)));
    frame
}
