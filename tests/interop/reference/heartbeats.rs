//! Clients, networks and servers that take their time, and connections that say nothing.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::raw::Raw;
use super::{Seen, Side, Step, holds};
use crate::interop::busy;

const HANDSHAKE: &str =
    "GET /socket.io/?EIO=4&transport=polling&clientId=A HTTP/1.1\r\nhost: here\r\n\r\n";

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "a page computes for 9 s",
        reference: "its pairing is kept",
        ours: "its pairing is kept",
        why: "",
        observe: |side| busy_page(side).boxed_local(),
    },
    Step {
        name: "the server stands still for 6 s",
        reference: "nobody is lost",
        ours: "nobody is lost",
        why: "",
        observe: |side| paused_server(side).boxed_local(),
    },
    Step {
        name: "250 KiB are echoed over a link of 30 kB/s",
        reference: "answered",
        ours: "answered",
        why: "",
        observe: |side| slow_link(side).boxed_local(),
    },
    Step {
        name: "20 s after connecting nothing was said",
        reference: "open",
        ours: "closed",
        why: "Node waits for 60 s or more; a server for many clients needs its descriptors",
        observe: |side| silent(side, "").boxed_local(),
    },
    Step {
        name: "20 s after connecting half a head was said",
        reference: "open",
        ours: "closed",
        why: "the same",
        observe: |side| silent(side, "GET /socket.io/ HTTP/1.1\r\nhost: here\r\n").boxed_local(),
    },
    Step {
        name: "20 s after the response to a request nothing more was said",
        reference: "closed",
        ours: "open",
        why: "Node waits for 5 s, ours for 75 s: proxies keep idle connections for 60 s, and a request could meet the end of its own",
        observe: |side| silent(side, HANDSHAKE).boxed_local(),
    },
];

async fn busy_page(side: Side) -> Seen {
    let server = side.start().await?;
    holds(busy::busy_pages(&server, Duration::ZERO), "its pairing is kept").await
}

async fn paused_server(side: Side) -> Seen {
    let server = side.start().await?;
    holds(busy::stands_still(&server), "nobody is lost").await
}

async fn slow_link(side: Side) -> Seen {
    let server = side.start().await?;
    holds(busy::slow_link(&server), "answered").await
}

/// Says this, and then nothing more.
async fn silent(side: Side, said: &str) -> Seen {
    let server = side.start().await?;
    let mut raw = Raw::connect(&server).await?;
    raw.write(said).await?;
    let ended = tokio::time::timeout(Duration::from_secs(20), raw.end()).await;
    Ok(if ended.is_ok() { "closed" } else { "open" }.to_owned())
}
