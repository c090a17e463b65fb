//! Signals of a direct path: forwarded as they came, to the partner only, and only if both ends
//! allow a direct path.

use std::time::Duration;

use socketio_p2p_server::{Rate, ServerLimits};

use crate::support::{
    bystanders::Bystanders,
    server::TestServer,
    wire::{Packet, Wire, errors},
};

/// With spaces, an unknown field and an escape: nobody parses it and writes it down again.
const SIGNAL: &str = r#"{ "type":"offer", "sdp":"v=0\r\n\u00e9", "x":[1.0] }"#;

async fn pair(source: &mut Wire, target: &mut Wire) -> String {
    source.ask_for("B").await;
    target.accept().await;
    let pairing = source.is_paired().await;
    target.is_paired().await;
    pairing
}

async fn direct_pair(server: &TestServer) -> (Wire, Wire, String) {
    let (mut a, mut b) = (Wire::v2_direct(server, "A").await, Wire::v2_direct(server, "B").await);
    let pairing = pair(&mut a, &mut b).await;
    (a, b, pairing)
}

fn packet(pairing: &str, signal: &str) -> String {
    format!(r#"42["P2P_SIGNAL","{pairing}",{signal}]"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_forwarded_as_it_came() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut a, mut b, pairing) = direct_pair(&server).await;
    let signal = packet(&pairing, SIGNAL);

    assert_eq!(a.answers(&signal).await, []);
    assert_eq!(b.text().await, signal);
    assert_eq!(b.answers(&signal).await, []);
    assert_eq!(a.text().await, signal);

    drop((a, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn surplus_arguments_of_a_signal_are_ignored() {
    let server = TestServer::start().await;
    let (mut a, mut b, pairing) = direct_pair(&server).await;

    assert_eq!(a.answers(&packet(&pairing, &format!("{SIGNAL},{{}}"))).await, []);

    assert_eq!(b.text().await, packet(&pairing, SIGNAL));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_are_told_whether_a_direct_path_may_be_tried() {
    let server = TestServer::start().await;
    let (mut a, mut b) = (Wire::v2_direct(&server, "A").await, Wire::v2_direct(&server, "B").await);

    a.ask_for("B").await;
    b.accept().await;

    for end in [&mut a, &mut b] {
        let (_, args) = end.event().await;
        assert_eq!(args[0]["pairing"]["direct"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_client_that_forbids_it_is_not_forwarded() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut a, mut b) = (Wire::v2_direct(&server, "A").await, Wire::v2(&server, "B").await);
    let pairing = pair(&mut a, &mut b).await;

    for end in [&mut a, &mut b] {
        let answers = end.answers(&packet(&pairing, SIGNAL)).await;
        assert_eq!(errors(&answers), ["P2P_ERROR forbidden"]);
        let Packet::Text(text) = &answers[0] else { panic!() };
        assert!(text.contains(&format!(r#""pairing":"{pairing}""#)), "{text}");
    }

    drop((a, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v1_partner_gets_no_signal() {
    let server = TestServer::start().await;
    let (mut a, mut b) = (Wire::v2_direct(&server, "A").await, Wire::v1(&server, "B").await);
    a.ask_for("B").await;
    b.accept().await;
    let pairing = a.is_paired().await;

    let answers = a.answers(&packet(&pairing, SIGNAL)).await;

    assert_eq!(errors(&answers), ["P2P_ERROR forbidden"]);
    assert_eq!(b.rest().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_forwarded_before_the_pairing_is_committed_or_after_its_end() {
    let server = TestServer::start().await;
    let (mut a, mut b) = (Wire::v2_direct(&server, "A").await, Wire::v2_direct(&server, "B").await);
    a.ask_for("B").await;

    let early = a.answers(&packet("1-1", SIGNAL)).await;
    assert_eq!(errors(&early), ["P2P_ERROR not-paired"]);
    b.accept().await;
    let pairing = a.is_paired().await;
    b.is_paired().await;
    assert_eq!(a.answers(r#"42["P2P_UNREGISTER",{"req":2}]"#).await.len(), 1);

    let late = a.answers(&packet(&pairing, SIGNAL)).await;
    assert_eq!(errors(&late), ["P2P_ERROR not-paired"]);
    assert_eq!(b.rest().await.len(), 1, "the end of the pairing");
    let next = pair(&mut a, &mut b).await;
    assert_ne!(next, pairing);
    let stale = a.answers(&packet(&pairing, SIGNAL)).await;
    assert_eq!(errors(&stale), ["P2P_ERROR stale-pairing"]);
    assert_eq!(b.rest().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_is_none_is_refused() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut a, mut b, pairing) = direct_pair(&server).await;

    for (text, code) in [
        (packet(&pairing, &format!("\"{}\"", "x".repeat(64 * 1024))), "too-large"),
        (packet(&pairing, &format!("{}{}", "[".repeat(70), "]".repeat(70))), "too-large"),
        (packet(&pairing, r#""\ud800""#), "bad-args"),
        (format!(r#"42["P2P_SIGNAL","{pairing}"]"#), "bad-args"),
        (format!(r#"42["P2P_SIGNAL","{}",{{}}]"#, pairing.to_uppercase() + "x"), "stale-pairing"),
    ] {
        let answers = a.answers(&text).await;
        assert_eq!(errors(&answers), [format!("P2P_ERROR {code}")]);
    }
    a.send(&format!(r#"451-["P2P_SIGNAL","{pairing}",{{"_placeholder":true,"num":0}}]"#)).await;
    a.send_binary(b"blob").await;
    assert_eq!(errors(&a.rest().await), ["P2P_ERROR bad-args"]);

    assert_eq!(b.rest().await, []);
    drop((a, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_are_counted() {
    let few = Rate::new(3, Duration::from_secs(3600));
    let server = TestServer::limited(ServerLimits::default().signals(few)).await;
    let (mut a, mut b, pairing) = direct_pair(&server).await;

    let mut refused = Vec::new();
    for _ in 0..5 {
        refused.extend(a.answers(&packet(&pairing, SIGNAL)).await);
    }

    assert_eq!(errors(&refused), ["P2P_ERROR rate-limited"; 2]);
    assert_eq!(b.rest().await.len(), 3);
    assert_eq!(b.answers(&packet(&pairing, SIGNAL)).await, [], "each end has its own");
}
