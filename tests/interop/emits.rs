//! Emits between two stock clients: what arrives, and what comes back, is what was sent.

use serde_json::{Value, json};
use socketio_p2p_harness::Server;

use crate::interop::Story;
use crate::interop::stock::{PAIRS, paired, paired_as};

/// An object whose keys are not sorted, with nulls and nesting at every level, as JavaScript has it.
const NESTED: &str = concat!(
    r#"{"zebra":null,"apple":[null,[],{},[[null]],{"b":1,"a":{"y":null,"x":[1,null]}}],"#,
    r#""Grüße \"\\\n":"\u0001 😀","number":-1.5e-7,"large":9007199254740991,"no":false,"":""}"#
);

#[tokio::test]
async fn an_acknowledgement_comes_back_argument_for_argument() -> Story {
    let answers = [
        json!([]),
        json!([null]),
        json!(["one"]),
        json!(["one", 2]),
        json!([null, null]),
        json!([1, null, {"three": [3]}]),
    ];
    for (a, b) in PAIRS {
        let server = Server::start().await?;
        let b = b.peer(&server, "B").args(["--reply", "several"]);
        let (mut a, _b) = paired_as(a.peer(&server, "A"), b).await?;

        for arguments in &answers {
            let reply = a.emit2("chat", arguments.clone()).await?;

            assert_eq!(&reply.event["values"], arguments);
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_emit_arrives_argument_for_argument_with_and_without_acknowledgement() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        for arguments in [json!([]), json!([null]), json!([1, "two", null, [3], {"four": 4}])] {
            a.notify2("note", arguments.clone()).await?;
            let noted = b.wait_for("incoming").await?;
            let reply = b.emit2("chat", arguments.clone()).await?;
            let asked = a.wait_for("incoming").await?;

            assert_eq!((noted["name"].as_str(), &noted["args"]), (Some("note"), &arguments));
            assert_eq!((asked["name"].as_str(), &asked["args"]), (Some("chat"), &arguments));
            assert_eq!(reply.value, json!({"echo": arguments}));
        }
    }
    Ok(())
}

#[tokio::test]
async fn nulls_nesting_and_the_order_of_keys_stay_as_they_were() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        let line = r#"{"cmd":"emit2","id":7,"event":"chat","ack":true,"args":["#.to_owned()
            + NESTED
            + "]}";
        a.send_line(&line).await?;

        let incoming = b.wait_for("incoming").await?;
        let reply = a.wait_for("reply").await?;
        assert!(incoming.line().contains(NESTED), "{}", incoming.line());
        assert!(reply.line().contains(NESTED), "{}", reply.line());
    }
    Ok(())
}

#[tokio::test]
async fn calls_in_flight_both_ways_get_their_own_answers() -> Story {
    const CALLS: u64 = 50;
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        for n in 0..CALLS {
            a.start_emit2("chat", json!(["a", n])).await?;
            b.start_emit2("chat", json!(["b", n])).await?;
        }

        for n in 0..CALLS {
            // Calls are counted from 1.
            let (to_a, to_b) = (a.reply(n + 1).await?, b.reply(n + 1).await?);
            assert_eq!(to_a.value, json!({"echo": ["a", n]}));
            assert_eq!(to_b.value, json!({"echo": ["b", n]}));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_packet_without_its_id_is_still_carried_out() -> Story {
    for (a, b) in PAIRS {
        let server = Server::start().await?;
        let mut a = a.peer(&server, "A").start().await?;
        let mut b = b.peer(&server, "B").start().await?;
        let to_b = |event: &str| json!({"targetClientId": "B", "event": event, "args": [1]});

        a.send(raw(json!(["P2P_REGISTER", "B"]))).await?;
        assert_eq!(b.wait_for("paired").await?["partner"], "A");
        // Paired once the server has handled B's consent; the list is answered after that.
        b.list().await?;
        a.send(raw(json!(["P2P_EMIT_ACKNOWLEDGE", to_b("chat")]))).await?;
        a.send(raw(json!(["P2P_EMIT", to_b("note")]))).await?;
        assert_eq!(b.wait_for("incoming").await?["name"], "chat");
        assert_eq!(b.wait_for("incoming").await?["name"], "note");
        a.send(raw(json!(["P2P_UNREGISTER"]))).await?;

        b.wait_for("unpaired").await?;
        assert!(a.list().await?.is_array(), "A is still served");
    }
    Ok(())
}

fn raw(args: Value) -> Value {
    json!({"cmd": "raw", "args": args})
}
