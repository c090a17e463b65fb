//! Invariants of a broker that do not hold, which no input brings about.

use std::time::Duration;

use super::*;
use crate::ResumeToken;

#[test]
fn an_invariant_that_does_not_hold_is_reported_and_does_not_panic() {
    let now = Instant::now();
    let mut broker = Broker::new(BrokerConfig::new(1));
    let token = ResumeToken::new([0; 16]);
    let ids: [ClientId; 2] = ["a", "b"].map(|id| id.parse().unwrap());
    for (conn, id) in (1..).map(ConnId).zip(&ids) {
        broker.admit(conn, Hello::new(id.clone(), Dialect::V2, token), now).unwrap();
        broker.handle(Input::Connected(conn), now);
    }
    let register = ClientMessage::Register {
        req: Some(1),
        target: ids[1].clone(),
        payload: None,
        consent_time: None,
        wait: None,
    };
    broker.handle(Input::Received(ConnId(1), register.clone()), now);
    while broker.poll_output().is_some() {}

    broker.clients.take();
    let messages = [
        register,
        ClientMessage::Accept { req: Some(1) },
        ClientMessage::Unregister { req: Some(2) },
        ClientMessage::List { req: Some(3) },
        ClientMessage::Ping { req: 4 },
        ClientMessage::Leave,
    ];
    for message in messages {
        broker.handle(Input::Received(ConnId(1), message), now);
    }
    broker.handle(Input::Disconnected(ConnId(2)), now);
    broker.handle(Input::Timeout, now + Duration::from_secs(60));

    let outputs: Vec<_> = std::iter::from_fn(|| broker.poll_output()).collect();
    let missing = Output::Complain(Broken::NoClient(ids[0].clone()));
    assert!(outputs.contains(&missing), "{outputs:?}");
}
