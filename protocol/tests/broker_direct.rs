//! The permission of a pairing to try a direct path.

use std::time::Duration;

use socketio_p2p_protocol::{BrokerConfig, Dialect, PairingInfo, ServerMessage, broker::Input};

use crate::scenario::{NODE, Scenario};

/// Connected, each with whether it allows a direct path.
fn clients(ends: [(&str, Dialect, bool); 2]) -> Scenario {
    let mut config = BrokerConfig::new(NODE);
    config.grace = Duration::from_secs(15);
    let mut broker = Scenario::with_config(config);
    for (name, dialect, direct) in ends {
        broker.direct = direct;
        broker.connect(name, dialect);
    }
    broker
}

fn info(mail: Vec<ServerMessage>) -> PairingInfo {
    let infos = mail.into_iter().filter_map(|message| match message {
        ServerMessage::Registered { pairing, .. } => Some(pairing),
        ServerMessage::Welcome(welcome) => welcome.pairing,
        _ => None,
    });
    infos.last().expect("it was told of a pairing")
}

#[test]
fn it_may_if_both_ends_speak_v2_and_allow_it() {
    for (a, b) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut broker = clients([("a", Dialect::V2, a), ("b", Dialect::V2, b)]);

        broker.register("a", "b");
        broker.accept("b", "a");

        assert_eq!(info(broker.told("a")).direct, a && b);
        assert_eq!(info(broker.told("b")).direct, a && b);
        let direct: Vec<_> = broker.routes.values().map(|partner| partner.direct).collect();
        assert_eq!(direct, [a && b; 2]);
    }
}

#[test]
fn it_may_not_with_a_v1_end_whatever_that_says() {
    let mut broker = clients([("a", Dialect::V2, true), ("b", Dialect::V1, true)]);

    broker.register("a", "b");
    broker.accept("b", "a");

    assert!(!info(broker.told("a")).direct);
}

#[test]
fn an_end_may_come_back_with_another_mind() {
    let mut broker = clients([("a", Dialect::V2, true), ("b", Dialect::V2, true)]);
    broker.register("a", "b");
    broker.accept("b", "a");
    let (old, token) = (broker.conn("a"), broker.token_of("a"));
    broker.handle(Input::Disconnected(old));

    broker.direct = false;
    let conn = broker.admit_with("a", Dialect::V2, Some(token)).unwrap();
    broker.handle(Input::Connected(conn));

    assert!(!info(broker.told("a")).direct);
    assert!(!broker.routes[&conn].direct);
    assert!(!broker.routes[&broker.conn("b")].direct, "nor in the other direction");
}
