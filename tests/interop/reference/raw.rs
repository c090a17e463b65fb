//! Requests written by hand.

use socketio_p2p_harness::Server;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::interop::Failed;

/// The headers of a request for a websocket.
pub(super) const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/// A connection on which requests are written by hand.
pub(super) struct Raw(BufReader<TcpStream>);

/// A response: its head, and its body if it has a length.
pub(super) struct Response {
    head: String,
    pub(super) body: String,
}

impl Raw {
    pub(super) async fn connect(server: &Server) -> Result<Self, Failed> {
        let stream = TcpStream::connect(server.url().trim_start_matches("http://")).await?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(super) async fn write(&mut self, text: &str) -> Result<(), Failed> {
        // The server may refuse before it has read everything.
        self.0.write_all(text.as_bytes()).await.ok();
        Ok(())
    }

    /// Waits until the server ends the connection, and returns what came until then.
    pub(super) async fn end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        while let Ok(1..) = self.0.read_buf(&mut rest).await {}
        rest
    }

    /// Makes a request. `None` if the connection ends without a response.
    pub(super) async fn request(
        &mut self,
        line: &str,
        headers: &str,
        body: &str,
    ) -> Result<Option<Response>, Failed> {
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        let request = format!("{line} HTTP/1.1\r\nhost: here\r\n{headers}{length}\r\n{body}");
        self.write(&request).await?;
        let mut response = Response { head: String::new(), body: String::new() };
        while !response.head.ends_with("\r\n\r\n") {
            if !matches!(self.0.read_line(&mut response.head).await, Ok(1..)) {
                return Ok(None);
            }
        }
        let length = response.header("content-length").map_or(Ok(0), str::parse)?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        response.body = String::from_utf8(body)?;
        Ok(Some(response))
    }

    /// Writes a short text in a masked frame.
    pub(super) async fn frame(&mut self, text: &str) -> Result<(), Failed> {
        self.frames(&[text]).await
    }

    /// Writes short texts at once, each in a masked frame.
    pub(super) async fn frames(&mut self, texts: &[&str]) -> Result<(), Failed> {
        let mut frames = Vec::new();
        for text in texts {
            let length = u8::try_from(text.len()).ok().filter(|length| *length < 126);
            frames.extend([0x81, 0x80 | length.ok_or("too long")?, 0, 0, 0, 0]);
            frames.extend_from_slice(text.as_bytes());
        }
        self.0.write_all(&frames).await?;
        Ok(())
    }

    /// Reads a short frame, and returns its first byte and its contents. `None` at the end.
    pub(super) async fn read_frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, Failed> {
        let Ok(first) = self.0.read_u8().await else { return Ok(None) };
        let length = match self.0.read_u8().await? {
            126 => usize::from(self.0.read_u16().await?),
            length => usize::from(length),
        };
        let mut contents = vec![0; length];
        self.0.read_exact(&mut contents).await?;
        Ok(Some((first, contents)))
    }
}

impl Response {
    /// Returns the number of its status.
    pub(super) fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(named, _)| named.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
