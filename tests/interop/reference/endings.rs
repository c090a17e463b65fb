//! The end of a connection, as the client sees it.

use std::time::Duration;

use futures_util::{FutureExt as _, future::try_join_all};
use socketio_p2p_harness::Server;
use tokio::time::sleep;

use super::raw::{Raw, UPGRADE};
use super::{Seen, Side, Step};
use crate::interop::Failed;
use crate::interop::restart::restarted;
use crate::interop::stock::{Stock, V2, V4, V4_POLLING, paired};

const KINDS: [Stock; 3] = [V2, V4, V4_POLLING];

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "a planned restart under 2.5, and 4.8.4 over websocket and polling",
        reference: "back by themselves",
        ours: "back by themselves",
        why: "",
        observe: |side| restart(side).boxed_local(),
    },
    Step {
        name: "the reasons that the same clients hear after SIGKILL",
        reference: "transport close, transport close, transport error",
        ours: "transport close, transport close, transport error",
        why: "",
        observe: |side| crash(side).boxed_local(),
    },
    Step {
        name: "a packet that is none of Engine.IO",
        reference: "websocket closed",
        ours: "websocket closed",
        why: "",
        observe: |side| after(side, &["x"]).boxed_local(),
    },
    Step {
        name: "a packet that is none of Socket.IO",
        reference: "websocket closed",
        ours: "CLOSE of Engine.IO, websocket closed",
        why: "engineioxide 0.17.9 says it first; `transport close` for socket.io-client in either case",
        observe: |side| after(side, &["49"]).boxed_local(),
    },
    Step {
        name: "an event whose arguments are no JSON",
        reference: "websocket closed",
        ours: "CLOSE of Engine.IO, websocket closed",
        why: "the same",
        observe: |side| after(side, &["42["]).boxed_local(),
    },
    Step {
        name: "DISCONNECT, and CONNECT a second later, of Socket.IO on one websocket",
        reference: "connected again",
        ours: "connected again",
        why: "",
        observe: |side| after(side, &["41", "40"]).boxed_local(),
    },
    Step {
        name: "DISCONNECT and CONNECT at once of Socket.IO on one websocket, a second after the last",
        reference: "websocket closed",
        ours: "connected again each time",
        why: "socket.io takes the CONNECT first, for one too many; socket.io-client comes back",
        observe: |side| leaves_and_joins(side).boxed_local(),
    },
    Step {
        name: "CLOSE of Engine.IO from the client",
        reference: "goes on",
        ours: "websocket closed",
        why: "the client asked for it",
        observe: |side| after(side, &["1"]).boxed_local(),
    },
];

async fn restart(side: Side) -> Seen {
    try_join_all(KINDS.map(|kind| restarted(kind, || side.builder()))).await?;
    Ok("back by themselves".into())
}

async fn crash(side: Side) -> Seen {
    let reasons = KINDS.map(async |kind| -> Seen {
        let server = side.start().await?;
        let (mut a, _b) = paired(&server, (kind, kind)).await?;
        server.kill().await;
        let event = a.wait_for("disconnected").await?;
        Ok(event["reason"].as_str().unwrap_or_default().to_owned())
    });
    Ok(try_join_all(reasons).await?.join(", "))
}

/// Has a client leave the namespace and join it again in one write, and ask something each time. socketioxide (0.18.9)
/// answers a CONNECT a moment before it takes the next one.
async fn leaves_and_joins(side: Side) -> Seen {
    let server = side.start().await?;
    let mut raw = joined(&server).await?;
    for round in 0..3 {
        sleep(Duration::from_secs(1)).await;
        raw.frames(&["41", "40"]).await?;
        if !wait_for(&mut raw, "40").await? {
            return Ok("websocket closed".into());
        }
        raw.frame(&format!("42{round}[\"LIST_CLIENTS\"]")).await?;
        assert!(wait_for(&mut raw, &format!("43{round}[")).await?, "closed");
    }
    Ok("connected again each time".into())
}

/// Returns a websocket with a client.
async fn joined(server: &Server) -> Result<Raw, Failed> {
    let mut raw = Raw::connect(server).await?;
    let line = "GET /socket.io/?EIO=4&transport=websocket&clientId=A";
    raw.request(line, UPGRADE, "").await?.ok_or("closed")?;
    raw.frame("40").await?;
    assert!(wait_for(&mut raw, "40").await?, "closed");
    Ok(raw)
}

/// Waits for a packet that begins like this, and answers pings. Returns `false` if the end comes first.
async fn wait_for(raw: &mut Raw, start: &str) -> Result<bool, Failed> {
    while let Some((kind, contents)) = raw.read_frame().await?
        && kind != 0x88
    {
        if contents.starts_with(start.as_bytes()) {
            return Ok(true);
        }
        if *contents == *b"2" {
            raw.frame("3").await?;
        }
    }
    Ok(false)
}

/// Says what a connected client hears after these packets, up to the end of its websocket, or to an answer.
async fn after(side: Side, packets: &[&str]) -> Seen {
    let server = side.start().await?;
    let mut raw = joined(&server).await?;

    for (index, packet) in packets.iter().enumerate() {
        if index > 0 {
            // Either server may still be busy with the end of the namespace.
            sleep(Duration::from_secs(1)).await;
        }
        raw.frame(packet).await?;
    }
    if packets.last() != Some(&"40") {
        // The end may come first.
        raw.frame("421[\"LIST_CLIENTS\"]").await.ok();
    }
    let mut seen = Vec::new();
    while let Some((kind, contents)) = raw.read_frame().await? {
        match (kind, &*contents) {
            (0x88, _) => {
                seen.push("websocket closed".to_owned());
                break;
            }
            (_, [b'4', b'0', ..]) => {
                seen.push("connected again".to_owned());
                break;
            }
            (_, [b'4', b'3', ..]) if seen.is_empty() => {
                seen.push("goes on".to_owned());
                break;
            }
            (_, b"1") => seen.push("CLOSE of Engine.IO".to_owned()),
            // A ping, the word to a client that may believe in a former pairing, or an answer after the end.
            (_, b"2" | [b'4', b'2' | b'3', ..]) => {}
            (_, other) => seen.push(String::from_utf8_lossy(other).into_owned()),
        }
    }
    Ok(seen.join(", "))
}
