//! A WebSocket client of the real kind.

use std::net::TcpStream;

use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

/// One WebSocket.
pub struct WebSocketClient {
    socket: WebSocket<TcpStream>,
}

impl WebSocketClient {
    #[track_caller]
    pub fn new(stream: TcpStream, path: &str) -> Self {
        let (socket, _) = client(format!("ws://test{path}"), stream).unwrap();
        Self { socket }
    }

    /// Sends `text` and waits for it to come back.
    #[track_caller]
    pub fn echoes(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
        assert_eq!(self.socket.read().unwrap(), Message::text(text));
    }

    /// Sends to an echo until nothing more goes, for nobody reads what comes back.
    pub fn sends_without_reading(&mut self) {
        let message = Message::binary(vec![0; 1 << 20]);
        let stall = std::time::Duration::from_millis(500);
        self.socket.get_ref().set_write_timeout(Some(stall)).unwrap();
        while self.socket.send(message.clone()).is_ok() {}
    }

    /// Ends it as the protocol says: a Close each way, then the server closes.
    #[track_caller]
    pub fn says_goodbye(&mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.socket.close(Some(frame)).unwrap();
        assert_eq!(self.sees_close().map(|frame| frame.code), Some(CloseCode::Normal));
    }

    /// Reads Close 1001 and nothing else, answers it, and sees the connection end well.
    #[track_caller]
    pub fn is_told_1001(&mut self) {
        assert_eq!(self.sees_close().map(|frame| frame.code), Some(CloseCode::Away));
    }

    #[track_caller]
    fn sees_close(&mut self) -> Option<CloseFrame> {
        let close = match self.socket.read().unwrap() {
            Message::Close(close) => close,
            other => panic!("not a Close: {other:?}"),
        };
        let end = self.socket.read();
        assert!(matches!(end, Err(Error::ConnectionClosed)), "after the Close: {end:?}");
        close
    }

    /// Whether it is reset without a word.
    pub fn is_cut(&mut self) -> bool {
        match self.socket.read() {
            Err(Error::Io(error)) => error.kind() == std::io::ErrorKind::ConnectionReset,
            _ => false,
        }
    }
}
