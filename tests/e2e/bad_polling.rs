//! Over HTTP polling, by hand: both ages of Engine.IO, and bodies that are none.

use crate::support::{bystanders::Bystanders, poll::Poll, server::TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_polling_client_is_told_what_is_wrong() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;

    let mut poll = Poll::open(&server, "EIO=4&clientId=A").await;
    poll.post("40").await;
    let connected = poll.poll().await;
    assert!(connected.starts_with("40{"), "{connected}");
    for (packet, expected) in PACKETS {
        assert_eq!(poll.post(packet).await, "ok", "{packet}");
        let answer = poll.poll().await;
        assert!(answer.contains(expected), "{packet}: {answer}");
    }

    // Several in one body, separated as Engine.IO 4 has it.
    poll.post("421[\"P2P_UNREGISTER\"]\u{1e}422[\"P2P_NONSENSE\"]\u{1e}423[\"P2P_UNREGISTER\"]")
        .await;
    let mut answers = String::new();
    while !answers.contains("433[]") {
        answers += &poll.poll().await;
    }
    assert!(answers.starts_with("431[]\u{1e}42[\"SERVER_ERROR\""), "{answers}");

    poll.post("41").await;
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polling_client_of_engine_io_3_is_told_too() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;

    let mut poll = Poll::open(&server, "EIO=3&clientId=A").await;
    for (packet, expected) in PACKETS {
        assert_eq!(poll.post(&format!("{}:{packet}", packet.chars().count())).await, "ok");
        let mut answer = poll.poll().await;
        while answer == "2:40" {
            answer = poll.poll().await;
        }
        assert!(answer.contains(expected), "{packet}: {answer}");
    }

    poll.post("2:41").await;
    bystanders.noticed_nothing(&server).await;
}

const PACKETS: [(&str, &str); 5] = [
    (r#"427["P2P_REGISTER"]"#, "(bad-args)"),
    (r#"42["P2P_REGISTER","nobody"]"#, "(offline)"),
    (r#"427["P2P_EMIT",{"targetClientId":"bystander-a","event":"e","args":[]}]"#, "(not-paired)"),
    (r#"42["P2P_EMIT",7]"#, "(bad-args)"),
    (r#"42["P2P_NONSENSE"]"#, "(bad-event)"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_body_harms_nobody() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let large = format!("42[\"P2P_NONSENSE\",\"{}\"]", "x".repeat(2 * 1024 * 1024));

    for (eio, connect) in [(4, "40"), (3, "")] {
        for body in [
            "",
            "\u{1e}",
            "\u{1e}\u{1e}\u{1e}",
            "99999999999999999999:42",
            "-1:42",
            "5:42",
            "0:",
            "b",
            "bAAAA=",
            "b!!!!",
            "42[",
            "2:42",
            &large,
        ] {
            let mut poll = Poll::open(&server, &format!("EIO={eio}&clientId=A")).await;
            if !connect.is_empty() {
                poll.post(connect).await;
            }
            poll.poll().await;
            // Any status; and whether the session still stands or not, it can be ended.
            poll.post(body).await;
            poll.post(if eio == 4 { "1" } else { "1:1" }).await;
            server.becomes(2, 0, 1).await;
        }
    }

    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_answered_with_413() {
    let server = TestServer::start().await;
    for (eio, connect) in [(4, "40"), (3, "")] {
        let mut poll = Poll::open(&server, &format!("EIO={eio}&clientId=A{eio}")).await;
        if !connect.is_empty() {
            poll.post(connect).await;
        }
        poll.poll().await;
        let large = "x".repeat(600 * 1024);
        let body = match eio {
            4 => format!("42[\"P2P_EMIT\",\"{large}\"]"),
            _ => format!("{}:42[\"P2P_EMIT\",\"{large}\"]", large.len() + 16),
        };

        let (status, _) = poll.request("POST", &body).await;

        assert_eq!(status, 413, "Engine.IO {eio}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_there_is_refused() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;

    for query in ["EIO=4&sid=nobodys", "EIO=4&sid=", "EIO=5", "EIO=", "", "EIO=4&transport=carrier"]
    {
        let mut poll = Poll { address: server.address, query: query.to_owned() };
        let answer = poll.request("GET", "").await;
        assert!(answer.0 >= 400, "{query}: {answer:?}");
    }

    bystanders.noticed_nothing(&server).await;
}
