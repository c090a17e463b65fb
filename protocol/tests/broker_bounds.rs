//! What no setting, no restart and no crowd of clients can do to a broker.

use std::time::Duration;

use socketio_p2p_protocol::{
    BrokerConfig, ClientMessage, ClientState, Code, Dialect, ListPolicy, ReqId, ServerMessage,
    broker::Listing,
};

use crate::scenario::{Scenario, name};

/// Nodes as a server draws them: 64 bits at random.
const NODES: [u64; 2] = [0x5bd1_e995_9d1b_58c7, 0x1b87_3593_cc9e_2d51];

/// Returns a server just started, with clients that speak v2, and the number under which `b` is
/// asked by `a`.
fn started(node: u64) -> (Scenario, ReqId) {
    let mut broker = Scenario::with_config(BrokerConfig::new(node));
    for client in ["a", "b"] {
        broker.connect(client, Dialect::V2);
    }
    broker.register("a", "b");
    let number = broker.asked("b", "a").unwrap();
    (broker, number)
}

#[test]
fn an_answer_to_an_earlier_server_answers_no_request_of_this_one() {
    let (_, number) = started(NODES[0]);
    let (mut broker, _) = started(NODES[1]);

    broker.say("b", ClientMessage::Accept { req: Some(number) });

    assert_eq!(broker.target_of("b"), None);
    let told = broker.told("b");
    let late = ServerMessage::Withdrawn { req: Some(number), code: Code::Timeout };
    assert_eq!(told.last(), Some(&late));
}

#[test]
fn every_client_can_count_on_from_the_numbers_of_requests() {
    /// The largest integer up to which JavaScript counts one by one.
    const SAFE: u64 = (1 << 53) - 1;

    for node in [0, 1, NODES[0], u64::MAX] {
        let mut config = BrokerConfig::new(node);
        assert!(started(node).1 < SAFE, "{node}");
        config.last_request = u64::MAX;
        let mut broker = Scenario::with_config(config);
        for client in ["a", "b"] {
            broker.connect(client, Dialect::V2);
        }
        broker.register("a", "b");
        assert!(broker.asked("b", "a").unwrap() < SAFE, "whatever the host sets");
    }
}

#[test]
fn a_grace_without_end_is_a_grace() {
    let mut config = BrokerConfig::new(1);
    config.grace = Duration::MAX;
    let mut broker = Scenario::with_config(config);
    for client in ["a", "b"] {
        broker.connect(client, Dialect::V2);
    }
    broker.pair("a", "b");

    broker.disconnect("a");
    broker.pass(Duration::from_secs(300 * 24 * 60 * 60));

    assert_eq!(broker.target_of("b"), Some("a"));
    assert_eq!(broker.broker.clients()[0].state, ClientState::Away);
}

#[test]
fn all_lists_of_a_server_together_have_a_rate() {
    const CLIENTS: usize = 1_000;
    let mut broker = Scenario::new(ListPolicy::All);
    for client in 0..CLIENTS {
        broker.connect(&client.to_string(), Dialect::V2);
    }
    let lists = |broker: &mut Scenario| {
        for made in 0..2 * CLIENTS {
            broker.say("7", ClientMessage::List { req: Some(1) });
            match &broker.told("7")[..] {
                [ServerMessage::Clients { clients, .. }] => {
                    assert_eq!(clients.len(), CLIENTS);
                }
                [ServerMessage::Error { refusal, req: Some(1), .. }] => {
                    assert_eq!(refusal.code, Code::Quota);
                    return made;
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("no list is refused");
    };

    let at_once = lists(&mut broker);
    broker.pass(Duration::from_millis(100));
    let later = lists(&mut broker);

    assert_eq!(at_once, 1_001, "a million clients at once, and one list more");
    assert_eq!(later, 100, "and a million a second");
    assert_eq!(broker.broker.clients()[0].id, name("0"));
}

#[test]
fn a_list_shows_the_clients_at_the_moment_of_the_request() {
    let mut broker = Scenario::with_config(BrokerConfig::new(1));
    for client in ["a", "b", "c"] {
        broker.connect(client, Dialect::V2);
    }

    let list = broker.broker.listing();
    broker.pair("a", "b");
    broker.disconnect("a");
    broker.disconnect("c");

    let states = |list: Listing| -> Vec<_> {
        list.entries().into_iter().map(|entry| (entry.id.to_string(), entry.state)).collect()
    };
    let entry = |id: &str, state| (id.to_owned(), state);
    use ClientState::{Away, Free, Paired};
    assert_eq!(states(list), [entry("a", Free), entry("b", Free), entry("c", Free)]);
    assert_eq!(states(broker.broker.listing()), [entry("a", Away), entry("b", Paired)]);
}
