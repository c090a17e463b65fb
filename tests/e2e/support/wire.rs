//! A client of no library: packets of Engine.IO and Socket.IO written by hand on a websocket.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::header::SEC_WEBSOCKET_KEY},
};

use super::{server::TestServer, soon};

/// The id of the acknowledgement, or the request, that ends a list of answers.
const BARRIER: u64 = 999;

/// A packet from the server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Packet {
    /// Engine.IO's text: of Socket.IO, or not.
    Text(String),
    /// An attachment.
    Binary(Vec<u8>),
}

/// The dialect, which decides how the barrier looks.
#[derive(Clone, Copy)]
enum Dialect {
    V1,
    V2,
}

pub(crate) struct Wire {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    dialect: Dialect,
}

impl Wire {
    /// A connection that has not said anything, with this query.
    pub(crate) async fn open(server: &TestServer, query: &str) -> Self {
        let address = server.address;
        let url = format!("ws://{address}/socket.io/?transport=websocket&{query}");
        let (socket, _) = soon(connect_async(url)).await.unwrap();
        Self::opened(socket).await
    }

    /// A connection that has not said anything, whose handshake has this key.
    pub(crate) async fn open_with_key(server: &TestServer, query: &str, key: &str) -> Self {
        let url = format!("ws://{}/socket.io/?transport=websocket&{query}", server.address);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, key.parse().unwrap());
        let (socket, _) = soon(connect_async(request)).await.unwrap();
        Self::opened(socket).await
    }

    async fn opened(socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        let mut wire = Self { socket, dialect: Dialect::V1 };
        assert!(wire.text().await.starts_with("0{"), "Engine.IO's open");
        wire
    }

    /// A v1 client, of Engine.IO 4.
    pub(crate) async fn v1(server: &TestServer, id: &str) -> Self {
        let mut wire = Self::open(server, &format!("EIO=4&clientId={id}")).await;
        wire.send("40").await;
        assert!(wire.text().await.starts_with("40{"), "connected");
        wire.known_to(server, id).await
    }

    /// A v1 client of Engine.IO 3.
    pub(crate) async fn v1_eio3(server: &TestServer, id: &str) -> Self {
        let mut wire = Self::open(server, &format!("EIO=3&clientId={id}")).await;
        assert_eq!(wire.text().await, "40", "connected");
        wire.known_to(server, id).await
    }

    /// Waits until others can ask for this v1 client.
    pub(crate) async fn known_to(mut self, server: &TestServer, id: &str) -> Self {
        server.knows(id).await;
        if server.meets(id) {
            assert_eq!(self.text().await, r#"42["P2P_DISCONNECT"]"#);
        }
        self
    }

    /// A v2 client that takes no attachments.
    pub(crate) async fn v2(server: &TestServer, id: &str) -> Self {
        Self::v2_with(server, json!({ "clientId": id, "p2p": 2 })).await
    }

    /// A v2 client that allows a direct path.
    pub(crate) async fn v2_direct(server: &TestServer, id: &str) -> Self {
        Self::v2_with(server, json!({ "clientId": id, "p2p": 2, "direct": true })).await
    }

    /// The same, with hardly any buffer of its own: what it does not read waits in the server.
    pub(crate) async fn v2_narrow(server: &TestServer, id: &str) -> Self {
        let mut wire = Self::open_narrow(server, "EIO=4").await;
        wire.welcomed(json!({ "clientId": id, "p2p": 2 })).await;
        wire
    }

    /// A v1 client with hardly any buffer of its own.
    pub(crate) async fn v1_narrow(server: &TestServer, id: &str) -> Self {
        let mut wire = Self::open_narrow(server, &format!("EIO=4&clientId={id}")).await;
        wire.send("40").await;
        assert!(wire.text().await.starts_with("40{"), "connected");
        wire.known_to(server, id).await
    }

    async fn open_narrow(server: &TestServer, query: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = MaybeTlsStream::Plain(soon(socket.connect(server.address)).await.unwrap());
        let url = format!("ws://{}/socket.io/?transport=websocket&{query}", server.address);
        let (socket, _) = soon(client_async(url, stream)).await.unwrap();
        Self::opened(socket).await
    }

    /// A v2 client that takes attachments.
    pub(crate) async fn v2_binary(server: &TestServer, id: &str) -> Self {
        Self::v2_with(server, json!({ "clientId": id, "p2p": 2, "binary": true })).await
    }

    async fn v2_with(server: &TestServer, auth: Value) -> Self {
        let mut wire = Self::open(server, "EIO=4").await;
        wire.welcomed(auth).await;
        wire
    }

    /// Returns the welcome of a v2 client.
    pub(crate) async fn welcome(server: &TestServer, id: &str) -> Value {
        Self::welcome_with(server, json!({ "clientId": id, "p2p": 2 })).await
    }

    /// Returns the welcome of a client with this auth.
    pub(crate) async fn welcome_with(server: &TestServer, auth: Value) -> Value {
        let mut wire = Self::open(server, "EIO=4").await;
        wire.welcomed(auth).await
    }

    /// Connects to the namespace as a v2 client. What the welcome says.
    async fn welcomed(&mut self, auth: Value) -> Value {
        self.dialect = Dialect::V2;
        self.send(&format!("40{auth}")).await;
        assert!(self.text().await.starts_with("40{"), "connected");
        let (event, mut args) = self.event().await;
        assert_eq!(event, "P2P_WELCOME");
        args.remove(0)
    }

    /// Asks to be paired.
    pub(crate) async fn ask_for(&mut self, target: &str) {
        let packet = match self.dialect {
            Dialect::V1 => format!(r#"421["P2P_REGISTER","{target}"]"#),
            Dialect::V2 => format!(r#"42["P2P_REGISTER","{target}",{{"req":1}}]"#),
        };
        self.send(&packet).await;
    }

    /// Is asked, and says yes.
    pub(crate) async fn accept(&mut self) {
        self.accept_and(&[]).await;
    }

    /// Is asked, and says yes and this in one piece.
    pub(crate) async fn accept_and(&mut self, packets: &[&str]) {
        let question = self.text().await;
        let (event, args) = event(&question);
        assert_eq!(event, "P2P_REGISTER");
        let answer = match self.dialect {
            Dialect::V1 => {
                let id = question.trim_start_matches("42").split('[').next().unwrap();
                format!("43{id}[true]")
            }
            Dialect::V2 => format!(r#"42["P2P_REGISTER_SUCCESS",{}]"#, args[1]),
        };
        self.send_together(&[&[answer.as_str()], packets].concat()).await;
    }

    /// Waits until it is paired. The pairing's id, which a v1 client is not told.
    pub(crate) async fn is_paired(&mut self) -> String {
        match self.dialect {
            Dialect::V1 => {
                assert_eq!(self.text().await, "431[true]");
                String::new()
            }
            Dialect::V2 => {
                let (event, args) = self.event().await;
                assert_eq!(event, "P2P_REGISTER_SUCCESS", "{args:?}");
                args[0]["pairing"]["id"].as_str().unwrap().to_owned()
            }
        }
    }

    /// Is paired with a client that says yes by itself.
    pub(crate) async fn register(&mut self, target: &str) -> String {
        self.ask_for(target).await;
        self.is_paired().await
    }

    pub(crate) async fn send(&mut self, packet: &str) {
        // Whether it came through is told by the answers.
        soon(self.socket.send(Message::text(packet))).await.ok();
    }

    /// Sends packets in one piece.
    pub(crate) async fn send_together(&mut self, packets: &[&str]) {
        for packet in packets {
            soon(self.socket.feed(Message::text(*packet))).await.ok();
        }
        soon(self.socket.flush()).await.ok();
    }

    /// Sends a packet to a server that perhaps reads no more.
    pub(crate) async fn send_or_give_up(&mut self, packet: &str) {
        let sending = self.socket.send(Message::text(packet));
        tokio::time::timeout(Duration::from_secs(1), sending).await.ok();
    }

    pub(crate) async fn send_binary(&mut self, attachment: &[u8]) {
        let attachment = Message::binary(attachment.to_vec());
        soon(self.socket.send(attachment)).await.ok();
    }

    /// The next packet; none if the server closed the connection.
    pub(crate) async fn packet(&mut self) -> Option<Packet> {
        soon(self.next_packet()).await
    }

    async fn next_packet(&mut self) -> Option<Packet> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(ping)) if ping == "2" => self.send("3").await,
                Ok(Message::Text(pong)) if pong == "3" => {}
                Ok(Message::Text(text)) => return Some(Packet::Text(text.to_string())),
                Ok(Message::Binary(blob)) => return Some(Packet::Binary(blob.to_vec())),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next packet, which is text.
    pub(crate) async fn text(&mut self) -> String {
        match self.packet().await {
            Some(Packet::Text(text)) => text,
            other => panic!("no text: {other:?}"),
        }
    }

    /// The next packet, which is an event: its name and arguments.
    pub(crate) async fn event(&mut self) -> (String, Vec<Value>) {
        event(&self.text().await)
    }

    /// Returns the server's answers to this packet, in order.
    pub(crate) async fn answers(&mut self, packet: &str) -> Vec<Packet> {
        self.send(packet).await;
        self.rest().await
    }

    /// Returns all packets that the server has sent so far, in order.
    pub(crate) async fn rest(&mut self) -> Vec<Packet> {
        let (answers, closed) = self.rest_or_end().await;
        assert!(!closed, "closed, after {answers:?}");
        answers
    }

    /// Answers the server's pings until this is done, which is returned.
    ///
    /// # Panics
    ///
    /// If the server sends anything else meanwhile.
    pub(crate) async fn hears_nothing_until<T>(&mut self, done: impl Future<Output = T>) -> T {
        tokio::select! {
            done = done => done,
            packet = self.packet() => panic!("it hears {packet:?}"),
        }
    }

    /// Returns all packets that the server has sent so far, and whether it then closed the
    /// connection.
    pub(crate) async fn rest_or_end(&mut self) -> (Vec<Packet>, bool) {
        // The server answers in order, so what it says to the packets before comes before this.
        let (question, answer) = match self.dialect {
            Dialect::V1 => (format!(r#"42{BARRIER}["LIST_CLIENTS"]"#), format!("43{BARRIER}[")),
            Dialect::V2 => (
                format!(r#"42["P2P_PING",{{"req":{BARRIER}}}]"#),
                format!(r#"42["P2P_PONG",{{"req":{BARRIER}}}"#),
            ),
        };
        self.send(&question).await;
        let mut answers = Vec::new();
        loop {
            match self.packet().await {
                Some(Packet::Text(text)) if text.starts_with(&answer) => return (answers, false),
                Some(packet) => answers.push(packet),
                None => return (answers, true),
            }
        }
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn is_closed(&mut self) {
        while self.packet().await.is_some() {}
    }
}

/// The name and the arguments of an event's packet.
#[track_caller]
pub(crate) fn event(packet: &str) -> (String, Vec<Value>) {
    let array = packet.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    let mut args: Vec<Value> = serde_json::from_str(array).unwrap_or_else(|_| panic!("{packet}"));
    let name = args.remove(0).as_str().unwrap().to_owned();
    (name, args)
}

/// The event of each packet, and its code if it is an error: `P2P_ERROR bad-args`.
pub(crate) fn errors(packets: &[Packet]) -> Vec<String> {
    packets
        .iter()
        .map(|packet| match packet {
            Packet::Text(text) if text.starts_with("42[") => {
                let (name, args) = event(text);
                match (name.as_str(), args.first()) {
                    // `Error: … (code)`
                    ("SERVER_ERROR", Some(Value::String(text))) => {
                        let code = text.rsplit('(').next().unwrap().trim_end_matches(')');
                        format!("SERVER_ERROR {code}")
                    }
                    (name, Some(Value::Object(fields))) if fields.contains_key("code") => {
                        format!("{name} {}", fields["code"].as_str().unwrap())
                    }
                    _ => text.clone(),
                }
            }
            Packet::Text(text) => text.clone(),
            Packet::Binary(_) => "attachment".to_owned(),
        })
        .collect()
}
