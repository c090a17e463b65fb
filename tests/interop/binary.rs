//! Bytes in arguments and in acknowledgements, between stock clients.

use serde_json::{Value, json};
use socketio_p2p_harness::Server;

use crate::Story;
use crate::stock::{PAIRS, paired, paired_as};

/// Bytes in the lines of `v1-peer.mjs`: all of them in base64 here, so that a failure can be read.
fn bytes(base64: &str) -> Value {
    json!({"$bin": base64})
}

/// Bytes alone, nested, several, beside nulls; every value a byte can have; the separator of polling.
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
        json!([bytes("Hh4="), "text", bytes(every_byte)]),
        json!([null, {"z": [bytes("AAEC"), null], "a": {"deep": [[bytes("/////w==")]]}}, 3]),
    ]
}

#[tokio::test]
async fn bytes_in_arguments_arrive_with_and_without_acknowledgement() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        for arguments in arguments() {
            a.notify2("note", arguments.clone()).await?;
            assert_eq!(b.wait_for("incoming").await?["args"], arguments);

            let reply = b.emit2("chat", arguments.clone()).await?;
            assert_eq!(a.wait_for("incoming").await?["args"], arguments);
            assert_eq!(reply.value, json!({"echo": arguments}));
        }
    }
    Ok(())
}

#[tokio::test]
async fn bytes_in_acknowledgements_arrive_argument_for_argument() -> Story {
    for (a, b) in PAIRS {
        let server = Server::start().await?;
        let b = b.peer(&server, "B").args(["--reply", "several"]);
        let (mut a, _b) = paired_as(a.peer(&server, "A"), b).await?;

        for arguments in arguments() {
            let reply = a.emit2("chat", arguments.clone()).await?;

            assert_eq!(reply.event["values"], arguments);
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_empty_attachment_arrives_empty() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        let reply = a.emit2("chat", json!([bytes(""), 1])).await?;

        assert_eq!(b.wait_for("incoming").await?["args"], json!([bytes(""), 1]));
        assert_eq!(reply.value, json!({"echo": [bytes(""), 1]}));
    }
    Ok(())
}

#[tokio::test]
async fn bytes_and_text_keep_their_order() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        for n in 0..40 {
            let arguments = if n % 2 == 0 {
                json!([n])
            } else {
                json!([n, bytes("AAEC")])
            };
            a.notify2("note", arguments).await?;
        }

        for n in 0..40 {
            assert_eq!(b.wait_for("incoming").await?["args"][0], n);
        }
    }
    Ok(())
}
