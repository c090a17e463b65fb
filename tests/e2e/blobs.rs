//! Bytes among the arguments, both ways.

use bytes::Bytes;
use serde_json::{Value, json};
use socketio_p2p_client::{HandlerError, Incoming, P2pClientExt};

use crate::support::{
    clients::{client, pair},
    server::TestServer,
    soon,
    wire::{Packet, Wire},
};

/// Bytes that separate packets in polling, and those at which rust_socketio splits: they must not
/// matter.
const AWKWARD: [&[u8]; 4] = [b"", b"\x1e", b"a\x1eb451-[\"P2P_DISCONNECT\"]\x1e", &[0, 255, 128]];

#[tokio::test(flavor = "multi_thread")]
async fn blobs_travel_in_arguments_and_in_replies() {
    let server = TestServer::start().await;
    let b = client(&server, "B").on2("reverse", reverse);
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    for blob in AWKWARD.map(Bytes::from_static) {
        let reply = soon(a.emit2("reverse", ("name", blob.clone(), 7)).with_reply()).await.unwrap();

        let (number, back, name): (u8, Bytes, String) = reply.args().unwrap();
        assert_eq!((number, back, name.as_str()), (7, blob.clone(), "name"));
        assert_eq!(reply.blobs(), [blob]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_travel_as_a_blob_whatever_their_type_at_either_end() {
    let server = TestServer::start().await;
    let b = client(&server, "B")
        .on2("vec", async |incoming: Incoming| {
            let bytes: Option<Vec<u8>> = incoming.args()?;
            Ok((incoming.blobs().len(), bytes))
        })
        .on2("bytes", async |incoming: Incoming| {
            let bytes: Option<Bytes> = incoming.args()?;
            Ok((incoming.blobs().len(), bytes))
        });
    let [a, _b] = pair(&server, client(&server, "A"), b).await;
    let (vec, bytes) = (vec![7_u8; 600_000], Bytes::from(vec![7_u8; 600_000]));

    for event in ["vec", "bytes"] {
        let emits = [a.emit2(event, &vec), a.emit2(event, &vec[..]), a.emit2(event, Some(&bytes))];
        for emit in emits {
            let reply = soon(emit.with_reply()).await.unwrap();
            assert_eq!(reply.args::<(u8, Vec<u8>)>().unwrap(), (1, vec.clone()), "{event}");
            assert_eq!(reply.args::<(u8, Bytes)>().unwrap(), (1, bytes.clone()), "{event}");
            assert_eq!(reply.blobs(), std::slice::from_ref(&bytes));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_blobs_keep_their_places() {
    let server = TestServer::start().await;
    let b = client(&server, "B").on2("back", async |incoming: Incoming| Ok(incoming.into_raw()));
    let [a, _b] = pair(&server, client(&server, "A"), b).await;
    let blobs = AWKWARD.map(Bytes::from_static);

    let reply = soon(a.emit2("back", blobs.to_vec()).with_reply()).await.unwrap();

    assert_eq!(reply.args::<Vec<Bytes>>().unwrap(), blobs);
    assert_eq!(reply.blobs(), blobs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_blob_goes_through_and_one_too_large_does_not() {
    let server = TestServer::start().await;
    let b = client(&server, "B").on2("length", async |incoming: Incoming| {
        let blob: Bytes = incoming.args()?;
        Ok(blob.len())
    });
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    let most = Bytes::from(vec![0x1e; 750_000]); // As base64 just below 1 MiB.
    assert_eq!(soon(a.emit2("length", most)).await.unwrap(), json!(750_000));
    let error = soon(a.emit2("length", Bytes::from(vec![0; 800_000]))).await.unwrap_err();
    assert_eq!((error.code(), error.executed()), ("too-large", Some(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_of_a_v1_client_reach_a_rust_client_and_come_back() {
    let server = TestServer::start().await;
    let b = client(&server, "B").on2("reverse", reverse);
    let _b = soon(b.connect()).await.unwrap();
    let mut wire = Wire::v1(&server, "A").await;
    wire.register("B").await;

    for blob in AWKWARD {
        let emit = json!({
            "targetClientId": "B",
            "event": "reverse",
            "args": ["name", { "_placeholder": true, "num": 0 }, 7],
        });
        wire.send(&format!(r#"451-5["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
        wire.send_binary(blob).await;

        let placeholder = r#"461-5[7,{"_placeholder":true,"num":0},"name"]"#;
        assert_eq!(wire.text().await, placeholder);
        assert_eq!(wire.packet().await, Some(Packet::Binary(blob.to_vec())));
    }
}

async fn reverse(incoming: Incoming) -> Result<(Value, Bytes, Value), HandlerError> {
    let (name, blob, number) = incoming.args()?;
    Ok((number, blob, name))
}
