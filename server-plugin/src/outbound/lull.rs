//! A websocket that is not read for a while: its Engine.IO hears the heartbeats that wait unread.
//!
//! What a client answers to a ping stands behind all that it has sent before. Its connection must not
//! end because the server does not read that far. So a reader of the stream finds a pong now and
//! then. A machine that is gone is noticed by the kernel, and by the first reading afterwards.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::ReadBuf,
    time::{Instant, Sleep, sleep_until},
};

/// The pause between two pongs: shorter than any timeout of a heartbeat, which is given in seconds.
const INTERVAL: Duration = Duration::from_secs(1);

/// A pong of Engine.IO in a masked frame, as a client sends it. A client of Engine.IO 3 sends pings; the
/// server takes either for a sign of life.
const PONG: &[u8] = &[0x81, 0x81, 0, 0, 0, 0, b'3'];

/// The pongs of one websocket.
#[derive(Debug, Default)]
pub(super) struct Lull {
    /// The time of the last pong, plus [`INTERVAL`].
    timer: Option<Pin<Box<Sleep>>>,
}

impl Lull {
    /// Waits until a pong is due, and hands it over. Call it in a gap between two messages.
    pub(super) fn poll_pong(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<()> {
        let is_due = self.timer.as_mut().is_none_or(|timer| timer.as_mut().poll(cx).is_ready());
        // Whoever reads frames has room for a header, which is longer.
        if !is_due || buf.remaining() < PONG.len() {
            return Poll::Pending;
        }
        buf.put_slice(PONG);
        let next = Instant::now() + INTERVAL;
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(next),
            None => self.timer = Some(Box::pin(sleep_until(next))),
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, io, sync::Arc};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::outbound::{
        gate::{Attached, Gate, Intake},
        meter::MeteredStream,
        oversize::Longest,
        polling_session::Session,
    };

    /// A masked frame with a text of five bytes.
    const FRAME: &[u8] = b"\x81\x850000later";

    /// A websocket of which one frame was read, and the gate at which it waits.
    async fn websocket(
        key: &str,
    ) -> (DuplexStream, MeteredStream<DuplexStream>, Arc<Gate>, Attached) {
        let (mut client, server) = duplex(1024);
        let mut server = MeteredStream::new(server);
        let request =
            format!("GET /?transport=websocket HTTP/1.1\r\nsec-websocket-key: {key}\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        client.write_all(FRAME).await.unwrap();
        server.read_exact(&mut vec![0; request.len() + FRAME.len()]).await.unwrap();
        let gate = Gate::new();
        let attached = gate.attach(server.handle.intake(|| Arc::new(Intake::new())));
        (client, server, gate, attached)
    }

    /// Returns what can be read at once.
    async fn at_once(server: &mut MeteredStream<DuplexStream>) -> Option<Vec<u8>> {
        let mut bytes = [0; 64];
        let mut reading = std::pin::pin!(server.read(&mut bytes));
        let read = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await;
        match read {
            Poll::Ready(read) => {
                let read = read.unwrap();
                Some(bytes[..read].to_vec())
            }
            Poll::Pending => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_but_a_pong_a_second_is_read_while_a_gate_is_closed() {
        let (mut client, mut server, gate, _attached) = websocket("paused").await;
        gate.set_closed(true);
        client.write_all(FRAME).await.unwrap();

        for _ in 0..3 {
            assert_eq!(at_once(&mut server).await.unwrap(), PONG);
            assert_eq!(at_once(&mut server).await, None);
            let mut pong = [0; 7];
            server.read_exact(&mut pong).await.unwrap();
            assert_eq!(pong, PONG);
            tokio::time::advance(Duration::from_secs(2)).await;
        }
        gate.set_closed(false);

        assert_eq!(at_once(&mut server).await.unwrap(), FRAME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_read_to_its_end_before_its_websocket_waits() {
        let (mut client, mut server, gate, _attached) = websocket("whole").await;
        client.write_all(&FRAME[..8]).await.unwrap();
        assert_eq!(at_once(&mut server).await.unwrap(), &FRAME[..8]);

        gate.set_closed(true);
        client.write_all(&FRAME[8..]).await.unwrap();
        client.write_all(FRAME).await.unwrap();

        assert_eq!(at_once(&mut server).await.unwrap(), &FRAME[8..]);
        assert_eq!(at_once(&mut server).await.unwrap(), PONG);
        assert_eq!(at_once(&mut server).await, None);
    }

    /// Engine.IO ends a session that says anything else before its upgrade.
    #[tokio::test(start_paused = true)]
    async fn a_session_that_polls_becomes_a_websocket_before_it_waits() {
        // Its messages are looked at, as those of every client of the plugin.
        let session = Session::with_id("waits");
        session.leave_out_messages(Longest { bytes: 1000, namespace: "/".into() });
        let (mut client, server) = duplex(1024);
        let mut server = MeteredStream::new(server);
        let request =
            "GET /?transport=websocket&sid=waits HTTP/1.1\r\nsec-websocket-key: x\r\n\r\n";
        client.write_all(request.as_bytes()).await.unwrap();
        server.read_exact(&mut vec![0; request.len()]).await.unwrap();
        let gate = Gate::new();
        let _attached = gate.attach(server.handle.intake(|| Arc::new(Intake::new())));
        gate.set_closed(true);

        let (probe, upgrade) = (b"\x81\x8600002probe", b"\x81\x8100005");
        client.write_all(probe).await.unwrap();
        assert_eq!(at_once(&mut server).await.unwrap(), probe);
        assert_eq!(at_once(&mut server).await, None);
        client.write_all(upgrade).await.unwrap();
        client.write_all(FRAME).await.unwrap();

        let read = at_once(&mut server).await.unwrap();
        assert!(read.starts_with(upgrade), "it is not read in parts: {read:?}");
        assert_eq!(at_once(&mut server).await.unwrap(), PONG);
        assert_eq!(at_once(&mut server).await, None);
    }

    /// Pongs would keep it for ever.
    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_peer_is_gone_ends_though_it_waits_at_a_gate() {
        let (client, mut server, gate, _attached) = websocket("gone").await;
        gate.set_closed(true);
        assert_eq!(at_once(&mut server).await.unwrap(), PONG);
        drop(client);

        server.write_all(b"ping").await.unwrap_err();

        let read = server.read(&mut [0; 8]).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_stream_that_waits_at_a_gate_can_be_cut_and_written() {
        let (mut client, mut server, gate, _attached) = websocket("cut").await;
        let handle = server.handle.clone();
        gate.set_closed(true);
        assert_eq!(at_once(&mut server).await.unwrap(), PONG);

        server.write_all(b"out").await.unwrap();
        client.read_exact(&mut [0; 3]).await.unwrap();
        let reading = async { server.read(&mut [0; 8]).await };
        let (read, ()) = tokio::join!(reading, async { handle.cut() });

        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }
}
