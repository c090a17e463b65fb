//! Requests of HTTP, and the first messages of a connection.

use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;
use socketio_p2p_harness::Server;
use socketio_p2p_server::{P2pServer, QuickAckListener};

use super::raw::{Raw, UPGRADE};
use super::{Seen, Side, Step};
use crate::interop::Failed;
use crate::interop::stock::{UPGRADING, V2_POLLING, V4_POLLING, script};

const PATH: &str = "/socket.io/?EIO=4&clientId=A";

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "connect, disconnect, connect with the same id",
        reference: "no refusal",
        ours: "no refusal",
        why: "",
        observe: |side| same_id(side).boxed_local(),
    },
    Step {
        name: "17,000 bytes of cookies",
        reference: "431",
        ours: "200",
        why: "no harm in it: the whole head is still limited",
        observe: |side| head(side, format!("cookie: {}\r\n", "c".repeat(17_000))).boxed_local(),
    },
    Step {
        name: "200 headers",
        reference: "200",
        ours: "431",
        why: "hyper takes 100",
        observe: |side| head(side, "a: b\r\n".repeat(200)).boxed_local(),
    },
    Step {
        name: "a head of 600,000 bytes",
        reference: "431",
        ours: "431",
        why: "",
        observe: |side| head(side, format!("cookie: {}\r\n", "c".repeat(600_000))).boxed_local(),
    },
    Step {
        name: "a page of another origin",
        reference: "200, not allowed",
        ours: "200, not allowed",
        why: "",
        observe: |side| origin(side).boxed_local(),
    },
    Step {
        name: "the preflight of a page of another origin",
        reference: "400, not allowed",
        ours: "400, not allowed",
        why: "",
        observe: |side| preflight(side).boxed_local(),
    },
    Step {
        name: "a websocket with a subprotocol",
        reference: "the first is confirmed",
        ours: "none is confirmed",
        why: "engineioxide 0.17.9 confirms none",
        observe: |side| subprotocol(side).boxed_local(),
    },
    Step {
        name: "two clients with the same websocket key, each with its id in the query",
        reference: "101, 101",
        ours: "101, 101",
        why: "",
        observe: |side| same_key(side, "B").boxed_local(),
    },
    Step {
        name: "the same client twice with the same websocket key",
        reference: "101, 101",
        ours: "101, 101",
        why: "",
        observe: |side| same_key(side, "A").boxed_local(),
    },
    Step {
        name: "a websocket breaks after its 101, before the session is upgraded",
        reference: "polling goes on",
        ours: "polling ends: 400",
        why: "engineioxide 0.17.9 ends the session",
        observe: |side| broken_upgrade(side).boxed_local(),
    },
    Step {
        name: "a session is upgraded without a probe",
        reference: "connected",
        ours: "closed",
        why: "engineioxide 0.17.9 waits for the probe",
        observe: |side| no_probe(side).boxed_local(),
    },
    Step {
        name: "2.5 opens a namespace with the id in the query of the namespace",
        reference: "connected",
        ours: "the client waits for ever",
        why: "socketioxide 0.18.9 takes the query for a part of the name",
        observe: |side| namespace(side).boxed_local(),
    },
];

async fn same_id(side: Side) -> Seen {
    let server = side.start().await?;
    let mut refusals = Vec::new();
    for kind in [V2_POLLING, V4_POLLING].into_iter().chain(UPGRADING) {
        let refused = kind.comes_and_goes(&server, 8).await?;
        refusals.extend(refused.as_object().into_iter().flatten().map(|(text, _)| text.clone()));
    }
    Ok(if refusals.is_empty() { "no refusal".into() } else { refusals.join(", ") })
}

/// Begins a session, and returns the status.
async fn head(side: Side, headers: String) -> Seen {
    let server = side.start().await?;
    let mut raw = Raw::connect(&server).await?;
    let response = raw.request(&format!("GET {PATH}&transport=polling"), &headers, "").await?;
    Ok(response.map_or("closed".into(), |response| response.status().to_owned()))
}

async fn origin(side: Side) -> Seen {
    let server = side.start().await?;
    let line = format!("GET {PATH}&transport=polling");
    allowed(&server, &line, "origin: http://elsewhere\r\n").await
}

async fn preflight(side: Side) -> Seen {
    let server = side.start().await?;
    let headers = "origin: http://elsewhere\r\naccess-control-request-method: POST\r\n";
    allowed(&server, &format!("OPTIONS {PATH}&transport=polling"), headers).await
}

/// Returns the status, and whether a page of another origin may read the response.
async fn allowed(server: &Server, line: &str, headers: &str) -> Seen {
    let mut raw = Raw::connect(server).await?;
    let response = raw.request(line, headers, "").await?.ok_or("closed")?;
    let allowed = response.header("access-control-allow-origin");
    Ok(format!("{}, {}", response.status(), allowed.map_or("not allowed", |_| "allowed")))
}

async fn subprotocol(side: Side) -> Seen {
    let server = side.start().await?;
    let mut raw = Raw::connect(&server).await?;
    let headers = format!("{UPGRADE}sec-websocket-protocol: first, second\r\n");
    let response = raw.request(&format!("GET {PATH}&transport=websocket"), &headers, "").await?;
    Ok(match response.ok_or("closed")?.header("sec-websocket-protocol") {
        Some("first") => "the first is confirmed".into(),
        Some(other) => format!("{other} is confirmed"),
        None => "none is confirmed".into(),
    })
}

async fn same_key(side: Side, second: &str) -> Seen {
    let server = side.start().await?;
    let (mut one, mut other) = (Raw::connect(&server).await?, Raw::connect(&server).await?);
    let mut seen = Vec::new();
    for (raw, id) in [(&mut one, "A"), (&mut other, second)] {
        let line = format!("GET /socket.io/?EIO=4&transport=websocket&clientId={id}");
        let response = raw.request(&line, UPGRADE, "").await?;
        seen.push(response.map_or("closed".into(), |response| response.status().to_owned()));
    }
    Ok(seen.join(", "))
}

/// A session that polls and is connected: its id, and the connection on which it polls.
async fn polling(server: &Server) -> Result<(String, Raw), Failed> {
    let mut raw = Raw::connect(server).await?;
    let response = raw.request(&format!("GET {PATH}&transport=polling"), "", "").await?;
    let response = response.ok_or("closed")?;
    let open: Value = serde_json::from_str(response.body.get(1..).unwrap_or_default())?;
    let id = open["sid"].as_str().ok_or("no session")?.to_owned();
    let session = format!("{PATH}&transport=polling&sid={id}");
    raw.request(&format!("POST {session}"), "", "40").await?.ok_or("closed")?;
    raw.request(&format!("GET {session}"), "", "").await?.ok_or("closed")?;
    Ok((id, raw))
}

async fn broken_upgrade(side: Side) -> Seen {
    let server = side.start().await?;
    let (id, mut raw) = polling(&server).await?;
    let mut websocket = Raw::connect(&server).await?;
    let line = format!("GET {PATH}&transport=websocket&sid={id}");
    let response = websocket.request(&line, UPGRADE, "").await?.ok_or("closed")?;
    assert_eq!(response.status(), "101");
    drop(websocket);

    let session = format!("{PATH}&transport=polling&sid={id}");
    // Until the server has noticed it.
    for _ in 0..100 {
        let response = raw.request(&format!("POST {session}"), "", "420[\"LIST_CLIENTS\"]").await?;
        let response = response.ok_or("closed")?;
        if response.status() != "200" {
            return Ok(format!("polling ends: {}", response.status()));
        }
        let polled = raw.request(&format!("GET {session}"), "", "").await?.ok_or("closed")?;
        if polled.status() != "200" {
            return Ok(format!("polling ends: {}", polled.status()));
        }
    }
    Ok("polling goes on".into())
}

async fn no_probe(side: Side) -> Seen {
    let server = side.start().await?;
    let (id, _raw) = polling(&server).await?;
    let mut websocket = Raw::connect(&server).await?;
    let line = format!("GET {PATH}&transport=websocket&sid={id}");
    websocket.request(&line, UPGRADE, "").await?.ok_or("closed")?;
    websocket.frame("5").await?;
    websocket.frame("420[\"LIST_CLIENTS\"]").await?;
    while let Some((_, contents)) = websocket.read_frame().await? {
        if contents.starts_with(b"430") {
            return Ok("connected".into());
        }
    }
    Ok("closed".into())
}

async fn namespace(side: Side) -> Seen {
    let client = async |url: &str| -> Seen {
        let mut command = tokio::process::Command::new("node");
        command.arg(script("namespace.mjs")).arg(url).kill_on_drop(true);
        match tokio::time::timeout(Duration::from_secs(15), command.output()).await {
            Ok(output) => Ok(String::from_utf8(output?.stdout)?),
            Err(_) => Ok("the client waits for ever".into()),
        }
    };
    let Side::Ours = side else {
        return client(side.start().await?.url()).await;
    };
    let (layer, io) = P2pServer::socket_io().build_layer();
    for namespace in ["/", "/p2p"] {
        io.ns(namespace, async || {});
    }
    let listener = QuickAckListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let serving = axum::serve(listener, axum::Router::new().layer(layer));
    tokio::select! {
        served = serving.into_future() => Err(format!("{served:?}").into()),
        seen = client(&url) => seen,
    }
}
