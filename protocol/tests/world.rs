//! Two clients and a server in a testbed: all messages pass as JSON, and no path is direct.

use std::time::Duration;

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    ClientConfig, ClientEvent, EndReason, Outcome, PathPolicy, ServerMessage,
    client::Answer,
    session::CallId,
    sim::{ClientNo, Delivered, Handling, Testbed},
    wire,
};

pub(crate) const A: ClientNo = 0;
pub(crate) const B: ClientNo = 1;

pub(crate) fn config(policy: PathPolicy) -> ClientConfig {
    let mut config = ClientConfig::default();
    config.direct.policy = policy;
    config
}

/// Two clients that are paired.
pub(crate) fn paired(configs: [ClientConfig; 2]) -> Testbed {
    let mut testbed = Testbed::new();
    for config in configs {
        testbed.connect(config);
    }
    testbed.pass(Duration::from_millis(10));
    testbed.register(A, B);
    testbed.pass(Duration::from_millis(15));
    testbed
}

/// Two clients that are paired by the relay.
fn relayed() -> Testbed {
    paired([config(PathPolicy::RelayOnly); 2])
}

/// Returns the reasons for which clients were told that their pairing ended.
pub(crate) fn unpaired(testbed: &Testbed) -> Vec<EndReason> {
    let events = [A, B].into_iter().flat_map(|client| testbed.events(client));
    events
        .filter_map(|event| match event {
            ClientEvent::Unpaired { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect()
}

fn first(delivered: &Delivered) -> Value {
    delivered.args.parse::<Vec<Value>>().unwrap().remove(0)
}

/// Returns the value that a call was replied.
fn value(testbed: &Testbed, client: ClientNo, call: CallId) -> Value {
    let Some(Answer::Outcome(Outcome::Replied(args, _))) = testbed.answer(client, call) else {
        panic!("{call}: {:?}", testbed.answer(client, call));
    };
    args.parse::<Vec<Value>>().unwrap().remove(0)
}

#[test]
fn two_thousand_calls_each_way_are_all_answered_right() {
    const CALLS: u64 = 2000;
    let mut testbed = relayed();
    testbed.handle_with(|at, delivered| {
        Handling::Return(Ok(vec![json!([first(delivered), at])].into()))
    });

    let calls: Vec<_> = (0..CALLS)
        .map(|n| [A, B].map(|client| testbed.call(client, "echo", vec![json!(n)])))
        .collect();
    testbed.pass(Duration::from_secs(1));

    for (n, calls) in calls.into_iter().enumerate() {
        for (client, partner) in [(A, B), (B, A)] {
            assert_eq!(value(&testbed, client, calls[client]), json!([n, partner]));
        }
    }
    for client in [A, B] {
        let order: Vec<_> = testbed.deliveries(client).iter().map(first).collect();
        assert!(order.is_sorted_by_key(|n| n.as_u64()), "as sent");
    }
}

#[test]
fn handlers_may_call_back_ten_deep() {
    let mut testbed = relayed();
    testbed.handle_with(|at, delivered| match first(delivered).as_u64() {
        Some(1..) => Handling::Later,
        _ => Handling::Return(Ok(vec![json!([0, at])].into())),
    });
    let calls: Vec<_> = (0..20).map(|_| testbed.call(A, "dig", vec![json!(10)])).collect();

    let mut seen = [0; 2];
    // Handlers that wait for a call of their own.
    let mut nested: Vec<(ClientNo, Delivered, CallId)> = Vec::new();
    for _ in 0..100 {
        testbed.pass(Duration::from_millis(5));
        for client in [A, B] {
            let new = testbed.deliveries(client)[seen[client]..].to_vec();
            seen[client] += new.len();
            for delivered in new {
                if let Some(levels @ 1..) = first(&delivered).as_u64() {
                    let call = testbed.call(client, "dig", vec![json!(levels - 1)]);
                    nested.push((client, delivered, call));
                }
            }
        }
        nested.retain(|(client, delivered, call)| {
            if testbed.answer(*client, *call).is_some() {
                let inner = value(&testbed, *client, *call);
                testbed.finish(*client, delivered, vec![json!([first(delivered), inner])]);
            }
            testbed.answer(*client, *call).is_none()
        });
    }

    for call in calls {
        let mut value = value(&testbed, A, call);
        for level in (1..=10).rev() {
            assert_eq!(value[0], level);
            value = value[1].take();
        }
        assert_eq!(value, json!([0, B]), "the innermost handler is the partner's");
    }
}

#[test]
fn idle_endpoints_stay_connected_by_their_heartbeats() {
    let mut testbed = relayed();

    testbed.pass(Duration::from_secs(60));

    for client in [A, B] {
        assert!(testbed.pairing(client).is_some());
        assert!(!testbed.events(client).contains(&ClientEvent::Disconnected));
        assert_eq!(testbed.reconnects(client), 0);
    }
}

#[test]
fn an_unregister_frees_both_and_answers_what_was_under_way() {
    let mut testbed = relayed();

    let calls = [testbed.unregister(A), testbed.call(A, "echo", vec![json!("too late or not")])];
    testbed.pass(Duration::from_secs(1));

    for call in calls {
        assert!(testbed.answer(A, call).is_some());
    }
    assert_eq!(unpaired(&testbed), [EndReason::Unregistered; 2]);
    for client in [A, B] {
        assert_eq!(testbed.pairing(client), None);
    }
}

#[test]
fn a_server_message_survives_the_wire() {
    let pong = ServerMessage::Pong { req: 3 };
    let (event, args) = pong.to_event().unwrap();

    assert_eq!(wire::server_message(event, args), Ok(pong));
}
