//! Successful and refused pairings.

use std::{future::IntoFuture as _, time::Duration};

use serde_json::{Value, json};
use socketio_p2p_client::{Code, Consent, P2pClientExt, PairingRequest, RegisterError};
use socketio_p2p_server::P2pServer;

use crate::support::{
    clients::{assert_echoes, client, connect, pair, refused},
    server::TestServer,
    soon,
    wire::{Wire, errors},
};

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_pair_and_talk_both_ways() {
    let server = TestServer::start().await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);

    let at_a = soon(a.register_target("B")).await.unwrap();
    assert_echoes(&a).await;
    assert_echoes(&b).await;

    let at_b = b.pairing().unwrap();
    assert_eq!(a.pairing(), Some(at_a.clone()));
    assert_eq!((at_a.id, at_a.partner.as_str(), at_a.initiator), (at_b.id, "B", true));
    assert_eq!((at_b.partner.as_str(), at_b.initiator), ("A", false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pairing_asked_for_once_more_is_the_same() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;

    let from_a = soon(a.register_target("B")).await.unwrap();
    let from_b = soon(b.register_target("A")).await.unwrap();

    assert_eq!(from_a.id, from_b.id);
    assert_echoes(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_whose_future_is_dropped_is_taken_back() {
    let server = TestServer::start().await;
    let (a, mut b) = (connect(&server, "A").await, Wire::v2(&server, "B").await);
    let registering = a.register_target("B").into_future();
    let asked = tokio::select! {
        registered = registering => panic!("nobody has answered: {registered:?}"),
        (event, args) = b.event() => {
            assert_eq!(event, "P2P_REGISTER");
            args[1]["req"].clone()
        }
    };

    server.becomes(2, 0, 0).await;
    let answers = b.answers(&format!(r#"42["P2P_REGISTER_SUCCESS",{{"req":{asked}}}]"#)).await;

    assert_eq!(errors(&answers), ["P2P_ERROR timeout"]);
    assert_eq!(a.pairing(), None);
    let (paired, ()) = tokio::join!(soon(a.register_target("B")), b.accept());
    assert_eq!(paired.unwrap().partner.as_str(), "B");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_refused_for_its_reason() {
    let server = TestServer::start().await;
    let [a, _b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let c = connect(&server, "C").await;

    for (source, target, code) in [
        (&c, "A", Code::TargetBusy),
        (&c, "B", Code::TargetBusy),
        (&a, "C", Code::SourceBusy),
        (&c, "nobody", Code::Offline),
        (&c, "C", Code::SelfTarget),
    ] {
        let result = soon(source.register_target(target)).await;
        assert_eq!(refused(result), code, "{} to {target}", source.id());
    }

    assert_echoes(&a).await;
    assert_eq!(c.pairing(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_target_is_refused_before_anything_is_sent() {
    let server = TestServer::start().await;
    let a = connect(&server, "A").await;

    for target in ["", "\n", &"x".repeat(129)] {
        let result = soon(a.register_target(target)).await;
        assert!(matches!(result, Err(RegisterError::Target { .. })), "{target:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_declines_and_may_say_why() {
    let server = TestServer::start().await;
    let a = connect(&server, "A").await;
    let b = connect(&server, "B").await;

    b.on_register(async |_| false);
    let result = soon(a.register_target("B")).await;
    assert_eq!(refused(result), Code::Declined);

    b.on_register(async |_| Consent::Decline(Some("not today".to_owned())));
    let Err(RegisterError::Refused { refusal, .. }) = soon(a.register_target("B")).await else {
        panic!("declined");
    };
    assert_eq!((refusal.code, &*refusal.message), (Code::Declined, "not today"));

    b.on_register(async |_| true);
    soon(a.register_target("B")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_panics_is_a_no() {
    let server = TestServer::start().await;
    let a = connect(&server, "A").await;
    let b = connect(&server, "B").await;
    b.on_register(async |request: PairingRequest| -> bool { panic!("{}", request.source) });

    let result = soon(a.register_target("B")).await;

    assert_eq!(refused(result), Code::Declined);
    b.on_register(async |_| true);
    soon(a.register_target("B")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_decides_by_source_and_payload() {
    let server = TestServer::start().await;
    let decide = async |request: PairingRequest| {
        request.source.as_str() == "A" && request.payload == Some(json!({ "word": "sesame" }))
    };
    let b = soon(client(&server, "B").on_register(decide).connect()).await.unwrap();
    let (a, c) = (connect(&server, "A").await, connect(&server, "C").await);

    let sesame = json!({ "word": "sesame" });
    assert_eq!(refused(soon(a.register_target("B")).await), Code::Declined);
    let as_c = soon(c.register_target("B").payload(&sesame)).await;
    assert_eq!(refused(as_c), Code::Declined);
    soon(a.register_target("B").payload(&sesame)).await.unwrap();

    assert_echoes(&a).await;
    assert_echoes(&b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_learns_how_long_it_may_think() {
    let two_minutes = Duration::from_secs(120);
    let server =
        TestServer::with(|io| P2pServer::builder().consent_time(two_minutes).attach(io)).await;
    let (asked, mut requests) = tokio::sync::mpsc::channel(3);
    let decide = move |request: PairingRequest| {
        let asked = asked.clone();
        async move {
            asked.send(request.consent_time).await.unwrap();
            request.consent_time == Duration::from_secs(60)
        }
    };
    let _b = soon(client(&server, "B").on_register(decide).connect()).await.unwrap();
    let a = connect(&server, "A").await;

    assert_eq!(refused(soon(a.register_target("B")).await), Code::Declined);
    let request = a.register_target("B").consent_time(Duration::from_secs(300));
    assert_eq!(refused(soon(request).await), Code::Declined);
    let request = a.register_target("B").consent_time(Duration::from_secs(60));
    soon(request).await.unwrap();

    let told = [requests.recv().await, requests.recv().await, requests.recv().await];
    assert_eq!(told, [120, 120, 60].map(|seconds| Some(Duration::from_secs(seconds))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_time_is_over_is_refused() {
    let server = TestServer::start().await;
    let a = connect(&server, "A").await;
    let b = connect(&server, "B").await;
    b.on_register(async |_| std::future::pending::<bool>().await);

    let request = a.register_target("B").consent_time(Duration::from_millis(50));

    assert_eq!(refused(soon(request).await), Code::Timeout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_too_large_is_refused() {
    let server = TestServer::start().await;
    let a = connect(&server, "A").await;
    let _b = connect(&server, "B").await;

    let payload: Value = "x".repeat(17 * 1024).into();
    let result = soon(a.register_target("B").payload(&payload)).await;

    assert_eq!(refused(result), Code::TooLarge);
    assert_eq!(a.pairing(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lost_patience_can_take_its_registration_back() {
    let server = TestServer::start().await;
    let a = connect(&server, "A").await;
    let b = connect(&server, "B").await;
    b.on_register(async |_| std::future::pending::<bool>().await);

    let result = soon(a.register_target("B").timeout(Duration::from_millis(50))).await;
    assert!(matches!(result, Err(RegisterError::Timeout { .. })), "{result:?}");
    soon(a.unregister_target()).await.unwrap();

    server.becomes(2, 0, 0).await;
    b.on_register(async |_| true);
    soon(a.register_target("B")).await.unwrap();
}
