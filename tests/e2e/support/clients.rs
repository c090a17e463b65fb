//! Clients of `socketio_p2p_client`.

use serde_json::{Value, json};
use socketio_p2p_client::{
    Code, EndReason, Event, Events, Incoming, P2pBuilder, P2pBuilderExt, P2pClient, P2pClientExt,
    PathPolicy, RegisterError,
};

use super::{server::TestServer, soon, wire::Wire};

/// A client that answers `echo` with what came.
pub(crate) fn client(server: &TestServer, id: &str) -> P2pBuilder {
    client_at(&server.url, id)
}

/// The same, of a server that is reached at another address.
pub(crate) fn client_at(url: &str, id: &str) -> P2pBuilder {
    answering(url.p2p(id))
}

/// One that answers `echo`, made in another way. All goes by the relay: a story about the direct path
/// says so.
pub(crate) fn answering(builder: P2pBuilder) -> P2pBuilder {
    builder
        .path_policy(PathPolicy::RelayOnly)
        .on2("echo", async |incoming: Incoming| Ok(json!(incoming.values())))
}

pub(crate) async fn connect(server: &TestServer, id: &str) -> P2pClient {
    soon(client(server, id).connect()).await.unwrap()
}

/// Two clients that are paired, on both sides.
pub(crate) async fn pair(server: &TestServer, a: P2pBuilder, b: P2pBuilder) -> [P2pClient; 2] {
    let (a, b) = (soon(a.connect()).await.unwrap(), soon(b.connect()).await.unwrap());
    pair_up(&a, &b).await;
    assert!(server.p2p.pairing_of(a.id()).is_some());
    [a, b]
}

/// Pairs two clients, and waits until the target knows it too.
pub(crate) async fn pair_up(source: &P2pClient, target: &P2pClient) {
    let pairing = soon(source.register_target(target.id())).await.unwrap();
    // Its answer comes after its own news of the pairing.
    assert_echoes(source).await;
    assert_eq!(target.pairing().map(|info| info.id), Some(pairing.id));
}

/// The partner answers, and rightly.
pub(crate) async fn assert_echoes(client: &P2pClient) {
    let reply: Value = soon(client.emit2("echo", ("hi", 1))).await.unwrap();
    assert_eq!(reply, json!(["hi", 1]));
}

/// Returns the reason for which a registration was refused.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, RegisterError>) -> Code {
    match result {
        Err(RegisterError::Refused { refusal, .. }) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

/// Waits for the first event of which `choose` makes something.
pub(crate) async fn event<T>(events: &mut Events, choose: impl Fn(Event) -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(chosen) = choose(events.recv().await.unwrap()) {
                return chosen;
            }
        }
    })
    .await
}

/// The reason of the next end of a pairing.
pub(crate) async fn unpaired(events: &mut Events) -> EndReason {
    soon(async {
        loop {
            if let Event::Unpaired { reason, .. } = events.recv().await.unwrap() {
                return reason;
            }
        }
    })
    .await
}

/// All reasons for which pairings ended, until the client is closed.
pub(crate) async fn all_unpaired(mut events: Events) -> Vec<EndReason> {
    let mut reasons = Vec::new();
    soon(async {
        while let Ok(event) = events.recv().await {
            if let Event::Unpaired { reason, .. } = event {
                reasons.push(reason);
            }
        }
    })
    .await;
    reasons
}

/// B, a client of ours, answers its v1 partner, and rightly.
pub(crate) async fn assert_echoes_v1(wire: &mut Wire) {
    let emit = json!({ "targetClientId": "B", "event": "echo", "args": ["still here"] });
    wire.send(&format!(r#"429["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
    assert_eq!(wire.text().await, r#"439[["still here"]]"#);
}
