//! One hostile client: it connects, sends what is hostile, is thrown out, and comes back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::gang::Deeds;
use super::input::{self, Knowledge};
use super::raw;

/// The time that the server may take to accept something. It need not accept it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Inputs on one connection, at most: a new connection is hostile as well.
const INPUTS: u32 = 2_000;

pub(super) struct Villain {
    pub(super) number: usize,
    pub(super) server: SocketAddr,
    pub(super) random: Rng,
    pub(super) known: Arc<Knowledge>,
    pub(super) deeds: Arc<Deeds>,
    /// It is quiet while this is false.
    pub(super) attacks: watch::Receiver<bool>,
    /// The pace of its inputs.
    pub(super) pace: Interval,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Villain {
    /// Goes on until it is aborted.
    pub(super) async fn run(mut self) {
        let mut life = 0;
        loop {
            life += 1;
            if self.random.u32(..8) == 0 {
                for _ in 0..20 {
                    self.due().await;
                    raw::one(self.server, &mut self.random).await;
                    self.count();
                }
                continue;
            }
            self.due().await;
            let opened = timeout(PATIENCE, self.open(life)).await;
            self.count();
            self.deeds.connections.fetch_add(1, Ordering::Relaxed);
            if let Ok(Some(socket)) = opened
                && self.talk(socket).await.is_none()
            {
                self.deeds.ended.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits for the next input's time.
    async fn due(&mut self) {
        self.pace.tick().await;
        // The sender outlives it.
        self.attacks.wait_for(|attacks| *attacks).await.ok();
    }

    fn count(&self) {
        self.deeds.inputs.fetch_add(1, Ordering::Relaxed);
    }

    async fn open(&mut self, life: u32) -> Option<Socket> {
        let name = format!("villain-{}-{life}", self.number);
        let address = self.server;
        let kind = self.random.u32(..4);
        let query = match kind {
            0 => format!("EIO=4&clientId={name}"),
            1 => format!("EIO=3&clientId={name}"),
            _ => "EIO=4".to_owned(),
        };
        let url = format!("ws://{address}/socket.io/?transport=websocket&{query}");
        let (mut socket, _) = connect_async(url).await.ok()?;
        let hello = match kind {
            0 => "40".to_owned(),
            1 => return Some(socket),
            2 => format!("40{}", json!({ "clientId": name, "p2p": 2, "binary": true })),
            _ => input::connect(&mut self.random, &self.known),
        };
        socket.send(Message::text(hello)).await.ok()?;
        // Two of them that ask each other are partners.
        let other = format!("villain-{}-{life}", self.number ^ 1);
        let wish = format!(r#"42["P2P_REGISTER","{other}",{{"req":1}}]"#);
        socket.send(Message::text(wish)).await.ok()?;
        Some(socket)
    }

    /// Sends inputs; none if the server ended the connection.
    async fn talk(&mut self, mut socket: Socket) -> Option<()> {
        // Some never read, some do not care whether they stay.
        let (reads, careful) = (self.random.u32(..4) > 0, self.random.u32(..4) > 0);
        let mut own_pairing = None;
        for _ in 0..self.random.u32(1..INPUTS) {
            loop {
                tokio::select! {
                    biased;
                    () = self.due() => break,
                    heard = socket.next(), if reads => match heard? {
                        Ok(Message::Text(ping)) if ping == "2" => {
                            timeout(PATIENCE, socket.send(Message::text("3"))).await.ok()?.ok()?;
                        }
                        Ok(Message::Text(text)) => own_pairing = pairing(&text).or(own_pairing),
                        Ok(Message::Close(_)) | Err(_) => return None,
                        Ok(_) => {}
                    },
                }
            }
            let own = own_pairing.as_deref();
            let inputs = input::next(&mut self.random, &self.known, own, careful);
            self.count();
            for input in inputs {
                timeout(PATIENCE, socket.feed(input)).await.ok()?.ok()?;
            }
            timeout(PATIENCE, socket.flush()).await.ok()?.ok()?;
        }
        Some(())
    }
}

/// The pairing that the server tells of, if this is the news of one.
fn pairing(packet: &str) -> Option<String> {
    let (_, news) = packet.split_once(r#"["P2P_REGISTER_SUCCESS""#)?;
    let (_, id) = news.split_once(r#""id":""#)?;
    Some(id.split_once('"')?.0.to_owned())
}
