//! Bytes in arguments and in acknowledgements, between stock clients.

use serde_json::{Value, json};
use socketio_p2p_harness::Server;
use socketio_p2p_protocol::limits::RELAYED_FRAME_BYTES;

use crate::interop::Story;
use crate::interop::stock::{PAIRS, Stock, paired, paired_as};

/// Bytes in the lines of `v1-peer.mjs`: all of them in base64 here, so that a failure can be read.
fn bytes(base64: &str) -> Value {
    json!({"$bin": base64})
}

/// Bytes alone, none, nested, several, beside nulls; every value a byte can have; the separator of polling.
fn arguments() -> Vec<Value> {
    // 0x00 to 0xff, 3 bytes in 4 letters.
    let every_byte = concat!(
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNE",
        "RUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJ",
        "iouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsfIycrLzM3O",
        "z9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w=="
    );
    vec![
        json!([bytes("AQ==")]),
        json!([bytes(""), 1]),
        json!([bytes("Hh4="), "text", bytes(every_byte)]),
        json!([null, {"z": [bytes("AAEC"), null], "a": {"deep": [[bytes("/////w==")]]}}, 3]),
    ]
}

/// Every pair in both directions.
fn directions() -> impl Iterator<Item = (Stock, Stock)> {
    PAIRS.into_iter().flat_map(|(a, b)| [(a, b), (b, a)])
}

#[tokio::test]
async fn bytes_in_arguments_and_acknowledgements_arrive() -> Story {
    for (from, to) in directions().filter(|(_, to)| !to.is_engine_io_3_over_polling()) {
        bytes_arrive(from, to).await?;
    }
    Ok(())
}

#[tokio::test]
async fn as_many_bytes_as_the_limit_says_arrive_and_one_more_is_refused() -> Story {
    // What an emit has beside its bytes.
    let text = r#"["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":"B","event":"chat","args":[{"_placeholder":true,"num":0}]}]"#;
    let most = RELAYED_FRAME_BYTES - text.len();
    for (from, to) in directions().filter(|(_, to)| !to.is_engine_io_3_over_polling()) {
        let server = Server::start().await?;
        let to = to.peer(&server, "B").args(["--reply", "[7]"]);
        let (mut from, mut to) = paired_as(from.peer(&server, "A"), to).await?;

        let refused = from.emit2("chat", json!([many_bytes(most + 1)])).await?;
        let answer = from.emit2("chat", json!([many_bytes(most)])).await?;

        assert_eq!(refused.event["value"]["error"]["code"], "too-large");
        assert_eq!(answer.value, 7);
        // It is too much for the text of a failure.
        assert!(to.wait_for("incoming").await?["args"] == json!([many_bytes(most)]));
    }
    Ok(())
}

#[tokio::test]
async fn more_attachments_than_a_message_may_have_are_refused_and_the_connection_stays() -> Story {
    for (from, to) in directions().filter(|(from, _)| from.is_websocket()) {
        let server = Server::start().await?;
        let (mut from, mut to) = paired(&server, (from, to)).await?;

        let refused = from.emit2("chat", Value::from(vec![bytes("AQ=="); 257])).await?;
        from.emit2("chat", json!(["text"])).await?;

        let error = &refused.event["value"]["error"];
        assert_eq!(error["code"], "too-large");
        let why = error["message"].as_str().unwrap_or_default();
        assert!(why.contains("257 attachments"), "{error}");
        let told = from.wait_for("error").await?;
        let told = told["message"].as_str().unwrap_or_default();
        assert!(told.starts_with(r#"Error: "chat" to "B": "#), "{told}");
        assert_eq!(to.wait_for("incoming").await?["args"], json!(["text"]));
    }
    Ok(())
}

/// So many bytes: 0x00, 0x10 and 0x83 over and over.
fn many_bytes(count: usize) -> Value {
    bytes(&["ABCD".repeat(count / 3).as_str(), ["", "AA==", "ABA="][count % 3]].concat())
}

/// engineioxide 0.17.9 leaves out their packet type, and the stock client then throws: so the
/// sender is told, and the receiver gets nothing.
#[tokio::test]
async fn bytes_for_an_engine_io_3_client_over_polling_are_refused() -> Story {
    for (from, to) in directions().filter(|(_, to)| to.is_engine_io_3_over_polling()) {
        let server = Server::start().await?;
        let (mut from, mut to) = paired(&server, (from, to)).await?;

        let refused = from.emit2("chat", json!([bytes("AAEC")])).await?;
        from.emit2("chat", json!(["text"])).await?;

        assert_eq!(refused.event["value"]["error"]["code"], "bad-args");
        assert_eq!(to.wait_for("incoming").await?["args"], json!(["text"]));
    }
    Ok(())
}

/// Bytes from one client to another: as arguments with and without acknowledgement, and as the
/// arguments of an acknowledgement. No byte goes the other way.
async fn bytes_arrive(from: Stock, to: Stock) -> Story {
    let answer = Value::from_iter(arguments());
    let server = Server::start().await?;
    let from = from.peer(&server, "A").args(["--reply", &answer.to_string()]);
    let to = to.peer(&server, "B").args(["--reply", "[]"]);
    let (mut from, mut to) = paired_as(from, to).await?;

    for arguments in arguments() {
        from.notify2("note", arguments.clone()).await?;
        assert_eq!(to.wait_for("incoming").await?["args"], arguments);
        from.emit2("chat", arguments.clone()).await?;
        assert_eq!(to.wait_for("incoming").await?["args"], arguments);
    }
    let reply = to.emit2("chat", json!([])).await?;
    assert_eq!(reply.event["values"], answer);
    Ok(())
}

#[tokio::test]
async fn bytes_and_text_keep_their_order() -> Story {
    for (from, to) in directions().filter(|(_, to)| !to.is_engine_io_3_over_polling()) {
        let server = Server::start().await?;
        let (mut from, mut to) = paired(&server, (from, to)).await?;

        for n in 0..40 {
            let arguments = if n % 2 == 0 { json!([n]) } else { json!([n, bytes("AAEC")]) };
            from.notify2("note", arguments).await?;
        }

        for n in 0..40 {
            assert_eq!(to.wait_for("incoming").await?["args"][0], n);
        }
    }
    Ok(())
}
