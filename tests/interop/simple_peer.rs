//! simple-peer 9.11.1 on @roamhq/wrtc, unchanged, against our data channel: both roles, text and
//! bytes both ways, the end seen on both sides. Signals travel over the child's stdin and stdout.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use socketio_p2p_client::direct::{
    ChannelMessage, DirectConfig, DirectConnection, DirectEnd, DirectEvent, DirectEvents,
    SignalError,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::Story;

/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// libwebrtc as answerer may reorder what is sent right after its channel opened.
const SETTLING: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn simple_peer_answers_and_echoes_text_and_bytes() -> Story {
    let mut both = Both::start("answer", &[])?;
    both.open().await?;
    both.echo().await?;
    both.closed_by_us().await
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_peer_offers_and_echoes_text_and_bytes() -> Story {
    let mut both = Both::start("offer", &[])?;
    both.open().await?;
    both.echo().await?;
    both.closed_by_it().await
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_peer_with_media_is_refused_politely() -> Story {
    let mut both = Both::start("offer", &["--media"])?;

    let refusal = loop {
        let signal = both.peer.line().await?["signal"].take();
        if let Err(refusal) = both.connection.signal(&signal) {
            break refusal;
        }
    };

    assert_eq!(refusal, SignalError::Unsupported);
    both.connection.close().await;
    Ok(())
}

/// simple-peer in its process.
struct SimplePeer {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// Our end and simple-peer's.
struct Both {
    connection: DirectConnection,
    events: DirectEvents,
    peer: SimplePeer,
    tasks: TaskTracker,
}

impl SimplePeer {
    async fn say(&mut self, line: Value) -> std::io::Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes()).await
    }

    async fn line(&mut self) -> Result<Value, Box<dyn std::error::Error>> {
        let line = timeout(PATIENCE, self.output.next_line()).await??;
        Ok(serde_json::from_str(&line.ok_or("simple-peer ended")?)?)
    }

    /// Reads on to an event of that name.
    async fn event(&mut self, name: &str) -> Story {
        while self.line().await?["event"] != name {}
        Ok(())
    }
}

impl Both {
    fn start(role: &str, options: &[&str]) -> Result<Self, Box<dyn std::error::Error>> {
        let mut child = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/interop/simple-peer.mjs"))
            .arg(role)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().ok_or("no stdin")?;
        let output = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let tasks = TaskTracker::new();
        let config = DirectConfig::default();
        let (connection, events) = if role == "answer" {
            DirectConnection::offer(config, &tasks)
        } else {
            DirectConnection::answer(config, &tasks)
        };
        Ok(Self { connection, events, peer: SimplePeer { _child: child, input, output }, tasks })
    }

    /// Carries signals until both ends are open.
    async fn open(&mut self) -> Story {
        let (mut is_open, mut its_is_open) = (false, false);
        while !is_open || !its_is_open {
            tokio::select! {
                event = self.events.recv() => match event.ok_or("no more events")? {
                    DirectEvent::Signal(signal) => {
                        self.peer.say(json!({ "signal": signal })).await?;
                    }
                    DirectEvent::Open => is_open = true,
                    event => return Err(format!("{event:?}").into()),
                },
                line = self.peer.line() => {
                    let mut line = line?;
                    match line["event"].as_str() {
                        Some("connect") => its_is_open = true,
                        Some(_) => return Err(line.to_string().into()),
                        None => self.connection.signal(&line["signal"].take())?,
                    }
                }
            }
        }
        sleep(SETTLING).await;
        Ok(())
    }

    /// Sends what it sends back: text, bytes, a mebibyte.
    async fn echo(&mut self) -> Story {
        let mut messages = vec![
            ChannelMessage::from("grüße \u{1e} 🦀"),
            ChannelMessage::from(vec![0, 0x1e, 0x80, 0xff]),
        ];
        messages.extend((0..64).map(|chunk| ChannelMessage::from(vec![chunk; 16 << 10])));

        for message in &messages {
            self.connection.send(message.clone()).await?;
        }

        for message in &messages {
            assert_eq!(self.message().await?, *message);
        }
        self.peer.say(json!({ "send": "unasked" })).await?;
        assert_eq!(self.message().await?, ChannelMessage::from("unasked"));
        Ok(())
    }

    async fn closed_by_us(&mut self) -> Story {
        self.connection.close().await;
        self.peer.event("close").await?;
        self.ended(DirectEnd::Here).await
    }

    async fn closed_by_it(&mut self) -> Story {
        self.peer.say(json!({ "close": true })).await?;
        self.ended(DirectEnd::Partner).await
    }

    async fn ended(&mut self, end: DirectEnd) -> Story {
        let event = self.event().await?;
        assert!(matches!(&event, DirectEvent::Closed(closed) if *closed == end), "{event:?}");
        self.tasks.close();
        timeout(PATIENCE, self.tasks.wait()).await?;
        Ok(())
    }

    async fn message(&mut self) -> Result<ChannelMessage, Box<dyn std::error::Error>> {
        match self.event().await? {
            DirectEvent::Message(message) => Ok(message),
            event => Err(format!("{event:?}").into()),
        }
    }

    /// The next event that is not a signal.
    async fn event(&mut self) -> Result<DirectEvent, Box<dyn std::error::Error>> {
        loop {
            match timeout(PATIENCE, self.events.recv()).await?.ok_or("no more events")? {
                DirectEvent::Signal(_) => {}
                event => return Ok(event),
            }
        }
    }
}
