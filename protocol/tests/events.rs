//! Events and ids as an application writes and compares them.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_protocol::{
    BrokerEvent, ClientEvent, ClientId, Code, ConnectFailure, EndReason, PairingId, PairingInfo,
    Path, Presence, Refusal,
};

fn id(text: &str) -> ClientId {
    ClientId::try_from(text).unwrap()
}

#[test]
fn an_event_of_a_client_is_serialised_as_its_name_and_its_data() {
    let pairing = PairingInfo {
        id: PairingId::new(16, 1),
        partner: id("B"),
        initiator: true,
        partner_protocol: 2,
        direct: false,
    };
    let info = json!({
        "id": "10-1", "partner": "B", "initiator": true, "partnerProtocol": 2, "direct": false
    });
    let refusal = Refusal::new(Code::Forbidden, "closed on Sundays");
    let rtt = Some(Duration::from_micros(1_500));

    for (event, json) in [
        (ClientEvent::Away, json!({ "event": "away" })),
        (ClientEvent::Paired(pairing.clone()), json!({ "event": "paired", "data": info })),
        (
            ClientEvent::Unpaired { pairing, reason: EndReason::TimedOut },
            json!({ "event": "unpaired", "data": { "pairing": info, "reason": "timed-out" } }),
        ),
        (
            ClientEvent::Path { path: Some(Path::Direct), rtt },
            json!({ "event": "path", "data": { "path": "direct", "rttMs": 1.5 } }),
        ),
        (ClientEvent::Partner(Presence::Away), json!({ "event": "partner", "data": "away" })),
        (
            ClientEvent::Refused(refusal.clone()),
            json!({
                "event": "refused", "data": { "code": "forbidden", "message": "closed on Sundays" }
            }),
        ),
        (
            ClientEvent::ConnectError(ConnectFailure::Refused(refusal)),
            json!({ "event": "connectError", "data": {
                "code": "forbidden",
                "message": "the server refused the connection: closed on Sundays (forbidden)",
                "isRetryable": false,
            } }),
        ),
    ] {
        assert_eq!(serde_json::to_value(event).unwrap(), json);
    }
}

#[test]
fn an_event_of_a_server_is_serialised_as_its_name_and_its_data() {
    let refused = BrokerEvent::Refused { source: id("A"), target: id("B"), code: Code::Offline };

    assert_eq!(
        serde_json::to_value(refused).unwrap(),
        json!({ "event": "refused", "data": { "source": "A", "target": "B", "code": "offline" } })
    );
    assert_eq!(
        serde_json::to_value(BrokerEvent::Away(id("A"))).unwrap(),
        json!({ "event": "away", "data": "A" })
    );
}

#[test]
fn ids_compare_with_texts_and_have_one_spelling() {
    assert!(id("B") == "B" && id("B") == *"B" && id("B") != "A");
    assert!(ClientId::try_from(String::new()).is_err());
    let pairing = PairingId::new(0x1f, 2);
    assert_eq!(format!("{pairing:?} {pairing}"), "1f-2 1f-2");
}
