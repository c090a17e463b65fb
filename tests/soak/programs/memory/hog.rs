//! Two hostile clients that make the server remember as much as they can.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use socketio_p2p_protocol::limits::CONNECTION_MESSAGE_BYTES;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{interval, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async};

/// The time that the server may take to accept a client.
const PATIENCE: Duration = Duration::from_secs(5);

/// The delay after which removed clients return.
const PAUSE: Duration = Duration::from_millis(20);

/// Bytes of one call: less than what is relayed at most.
const CALL_BYTES: usize = 200 * 1024;

/// Bytes a second that a client sends who keeps to the server's rates.
const BYTE_RATE: usize = 7 * 1024 * 1024;

/// The way in which they fill the memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Attack {
    /// They ask what the server answers, as fast as they can, and never read the answers.
    Flood,
    /// They send each other large frames, and never read any.
    NeverRead,
    /// A v1 client emits to a v2 client that never acknowledges a frame.
    NeverAcknowledge,
    /// A v2 client calls a v1 client that never acknowledges an event.
    NeverReply,
    /// A v2 client calls a v1 client, but never makes the first call, which the others wait for.
    Early,
    /// They send messages of 15 MB, in one frame and in many.
    Giant,
    /// They send most of the largest message that is allowed, in fragments, and never the rest.
    HalfSent,
}

/// A pair of hostile clients.
pub(super) struct Hog {
    pub(super) attack: Attack,
    pub(super) number: usize,
    pub(super) server: SocketAddr,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    V1,
    V2,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
pub(super) type Send = SplitSink<Socket, Message>;
pub(super) type Receive = SplitStream<Socket>;

/// One client.
pub(super) struct End {
    pub(super) name: String,
    dialect: Dialect,
    pub(super) send: Send,
    pub(super) receive: Receive,
}

impl Hog {
    /// Goes on until it is aborted: thrown out, they come back under other names.
    pub(super) async fn run(self) {
        for life in 0.. {
            // They go on until something ends them.
            let Err(_) = self.live(life).await;
            sleep(PAUSE).await;
        }
    }

    async fn live(&self, life: u64) -> Result<Infallible> {
        let dialects = match self.attack {
            Attack::Flood | Attack::NeverAcknowledge => [Dialect::V1, Dialect::V2],
            Attack::NeverReply | Attack::Early => [Dialect::V2, Dialect::V1],
            _ => [Dialect::V2; 2],
        };
        let name = |end| format!("hog-{}-{life}-{end}", self.number);
        let connecting = async {
            let a = End::connect(self.server, name("a"), dialects[0]).await?;
            let b = End::connect(self.server, name("b"), dialects[1]).await?;
            anyhow::Ok((a, b))
        };
        let (mut a, mut b) = timeout(PATIENCE, connecting).await??;
        match self.attack {
            Attack::Flood => tokio::try_join!(a.flood(), b.flood()).map(|(never, _)| never),
            Attack::Giant => tokio::try_join!(a.giant(), b.giant()).map(|(never, _)| never),
            Attack::HalfSent => {
                tokio::try_join!(a.half_sent(), b.half_sent()).map(|(never, _)| never)
            }
            Attack::NeverRead => {
                let (pairing, _) = timeout(PATIENCE, pair(&mut a, &mut b)).await??;
                tokio::try_join!(a.frames(&pairing), b.frames(&pairing)).map(|(never, _)| never)
            }
            Attack::NeverAcknowledge => {
                timeout(PATIENCE, pair(&mut a, &mut b)).await??;
                let (target, mut hears) = (b.name.clone(), b.receive);
                let b = b.send;
                let never = tokio::try_join!(a.emits(&target), read(&mut hears));
                drop(b);
                never.map(|(never, _)| never)
            }
            Attack::NeverReply | Attack::Early => {
                let first = if self.attack == Attack::Early { 2 } else { 1 };
                let (pairing, _) = timeout(PATIENCE, pair(&mut a, &mut b)).await??;
                tokio::try_join!(a.calls(&pairing, first), read(&mut b.receive))
                    .map(|(never, _)| never)
            }
        }
    }
}

/// Both ask for each other, and are a pair: its id, where one is told of it.
async fn pair(a: &mut End, b: &mut End) -> Result<(String, String)> {
    a.register(&b.name).await?;
    b.register(&a.name).await?;
    tokio::try_join!(a.paired(), b.paired())
}

/// Reads, and forgets it.
async fn read(receive: &mut Receive) -> Result<Infallible> {
    loop {
        receive.next().await.context("closed")??;
    }
}

impl End {
    pub(super) async fn connect(
        server: SocketAddr,
        name: String,
        dialect: Dialect,
    ) -> Result<Self> {
        Self::connect_by(TcpSocket::new_v4()?, server, name, dialect).await
    }

    /// The same, with a receive buffer of so many bytes.
    pub(super) async fn connect_narrow(
        server: SocketAddr,
        name: String,
        dialect: Dialect,
        bytes: u32,
    ) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(bytes)?;
        Self::connect_by(socket, server, name, dialect).await
    }

    async fn connect_by(
        socket: TcpSocket,
        server: SocketAddr,
        name: String,
        dialect: Dialect,
    ) -> Result<Self> {
        let query = match dialect {
            Dialect::V1 => format!("&clientId={name}"),
            Dialect::V2 => String::new(),
        };
        let url = format!("ws://{server}/socket.io/?EIO=4&transport=websocket{query}");
        let stream = MaybeTlsStream::Plain(socket.connect(server).await?);
        let (socket, _) = client_async(url, stream).await?;
        let (send, receive) = socket.split();
        let mut end = Self { name, dialect, send, receive };
        let hello = match dialect {
            Dialect::V1 => "40".to_owned(),
            Dialect::V2 => format!("40{}", json!({ "clientId": end.name, "p2p": 2 })),
        };
        end.say(hello).await?;
        end.hear("40{").await?;
        if dialect == Dialect::V2 {
            end.hear(r#"42["P2P_WELCOME""#).await?;
        }
        Ok(end)
    }

    pub(super) async fn say(&mut self, packet: String) -> Result<()> {
        Ok(self.send.send(Message::text(packet)).await?)
    }

    /// The next packet that begins like this.
    pub(super) async fn hear(&mut self, beginning: &str) -> Result<String> {
        loop {
            if let Message::Text(text) = self.receive.next().await.context("closed")??
                && text.starts_with(beginning)
            {
                return Ok(text.to_string());
            }
        }
    }

    pub(super) async fn register(&mut self, target: &str) -> Result<()> {
        let packet = match self.dialect {
            Dialect::V1 => format!(r#"421["P2P_REGISTER","{target}"]"#),
            Dialect::V2 => format!(r#"42["P2P_REGISTER","{target}",{{"req":1}}]"#),
        };
        self.say(packet).await
    }

    /// Waits until it is paired: the id of the pairing, which a v1 client is not told.
    pub(super) async fn paired(&mut self) -> Result<String> {
        if self.dialect == Dialect::V1 {
            self.hear("431[true]").await?;
            return Ok(String::new());
        }
        let news = self.hear(r#"42["P2P_REGISTER_SUCCESS""#).await?;
        let Some((_, id)) = news.split_once(r#""id":""#) else { bail!("no id: {news}") };
        Ok(id.split('"').next().unwrap_or_default().to_owned())
    }

    async fn flood(&mut self) -> Result<Infallible> {
        let packets = match self.dialect {
            Dialect::V1 => [r#"427["LIST_CLIENTS"]"#, r#"428["P2P_UNREGISTER"]"#],
            Dialect::V2 => [r#"42["P2P_PING",{"req":1}]"#, r#"42["P2P_FRAME","1-1",{}]"#],
        };
        for packet in packets.into_iter().cycle() {
            self.send.feed(Message::text(packet)).await?;
        }
        bail!("a cycle has no end")
    }

    /// Large frames, whether they are taken or not.
    async fn frames(&mut self, pairing: &str) -> Result<Infallible> {
        let padding = "x".repeat(200 * 1024);
        let frame = json!({ "s": 1, "k": 0, "t": "emit", "e": "x", "a": [padding] });
        let packet = Bytes::from(format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#));
        loop {
            self.send.send(Message::Text(packet.clone().try_into()?)).await?;
        }
    }

    /// Large emits of a v1 client, that want to be acknowledged.
    async fn emits(&mut self, target: &str) -> Result<Infallible> {
        let padding = "x".repeat(60 * 1024);
        let emit = json!({ "targetClientId": target, "event": "x", "args": [padding] });
        for number in 10_u64.. {
            self.say(format!(r#"42{number}["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await?;
        }
        bail!("the numbers are used up")
    }

    /// Calls of a v2 client, as its session may make them.
    async fn calls(&mut self, pairing: &str, first: u64) -> Result<Infallible> {
        let padding = "x".repeat(CALL_BYTES);
        // Within the rates that the server states, so that it takes them.
        let mut pace = interval(Duration::from_secs_f64(CALL_BYTES as f64 / BYTE_RATE as f64));
        for number in first.. {
            pace.tick().await;
            let frame =
                json!({ "s": number, "k": 0, "t": "emit", "e": "x", "r": true, "a": [padding] });
            self.say(format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await?;
        }
        bail!("the numbers are used up")
    }

    async fn giant(&mut self) -> Result<Infallible> {
        const GIANT: usize = 15_000_000;
        const FRAGMENT: usize = 100_000;
        self.fragments(FRAGMENT, GIANT / FRAGMENT).await?;
        self.say("x".repeat(GIANT)).await?;
        read(&mut self.receive).await
    }

    async fn half_sent(&mut self) -> Result<Infallible> {
        const FRAGMENT: usize = 16 * 1024;
        self.fragments(FRAGMENT, CONNECTION_MESSAGE_BYTES / FRAGMENT - 1).await?;
        // They count for nothing, and must not cost anything.
        for _ in 0..10_000 {
            let frame = Frame::message(Bytes::new(), OpCode::Data(Data::Continue), false);
            self.send.send(Message::Frame(frame)).await?;
        }
        read(&mut self.receive).await
    }

    /// So many fragments of one message, without the last.
    async fn fragments(&mut self, length: usize, count: usize) -> Result<()> {
        let fragment = Bytes::from(vec![b'x'; length]);
        for index in 0..count {
            let kind = if index == 0 { Data::Text } else { Data::Continue };
            let frame = Frame::message(fragment.clone(), OpCode::Data(kind), false);
            self.send.send(Message::Frame(frame)).await?;
        }
        Ok(())
    }
}
