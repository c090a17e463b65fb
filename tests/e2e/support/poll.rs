//! A client of no library that polls.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{server::TestServer, soon};

/// A client that polls, by hand.
pub(crate) struct Poll {
    pub(crate) address: SocketAddr,
    pub(crate) query: String,
}

impl Poll {
    pub(crate) async fn open(server: &TestServer, query: &str) -> Self {
        let query = format!("transport=polling&{query}");
        let mut poll = Self { address: server.address, query };
        let (_, open) = poll.request("GET", "").await;
        // `0{…}`, or `97:0{…}` of Engine.IO 3, which may bring the connect along.
        let open = &open[open.find('{').unwrap()..];
        let fields = serde_json::Deserializer::from_str(open).into_iter::<serde_json::Value>();
        let fields = fields.map(Result::unwrap).next().unwrap();
        poll.query += &format!("&sid={}", fields["sid"].as_str().unwrap());
        poll
    }

    /// Polls for the server's packets; Engine.IO 4 also sends pings at any time.
    pub(crate) async fn poll(&mut self) -> String {
        loop {
            let (_, body) = self.request("GET", "").await;
            let packets: Vec<_> = body.split('\u{1e}').filter(|packet| *packet != "2").collect();
            if !packets.is_empty() {
                return packets.join("\u{1e}");
            }
        }
    }

    pub(crate) async fn post(&mut self, body: &str) -> String {
        self.request("POST", body).await.1
    }

    pub(crate) async fn request(&mut self, method: &str, body: &str) -> (u16, String) {
        let Self { address, query } = self;
        let head = format!(
            "{method} /socket.io/?{query} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: text/plain;charset=UTF-8\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = async {
            let mut stream = TcpStream::connect(*address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            // It may answer before it has read everything.
            stream.write_all(body.as_bytes()).await.ok();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok();
            String::from_utf8_lossy(&answer).into_owned()
        };
        let answer = soon(answer).await;
        let status = answer.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }
}
