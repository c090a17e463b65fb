use serde_json::{Value, json};
use socketio_p2p_client::direct::{DirectConnection, DirectEnd, DirectEvent, Signal, SignalError};
use tokio_util::task::TaskTracker;

use crate::Outcome;
use crate::bare::bare_with;
use crate::pair::{apart, config, connect};

/// Returns an offer that webrtc would take, to be spoilt.
async fn offer() -> Value {
    let (_connection, mut events) = DirectConnection::offer(config(), &TaskTracker::new());
    match events.recv().await {
        Some(DirectEvent::Signal(offer)) => offer.to_value(),
        event => panic!("{event:?}"),
    }
}

/// Hands a signal to a connection as a partner's program does. A signal that the connection itself refuses is no
/// failure: the connection continues.
fn signal(connection: &DirectConnection, signal: &Value) -> Result<(), SignalError> {
    connection.signal(Signal::from_value(signal)?).ok();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn media_alone_is_refused_and_the_connection_still_comes_about() -> Outcome {
    let (mut a, mut b) = apart(&config(), &TaskTracker::new());
    let mut with_audio = offer().await;
    let sdp = with_audio["sdp"].as_str().unwrap();
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel";
    with_audio["sdp"] = json!(sdp.replace(data, "m=audio 9 UDP/TLS/RTP/SAVPF 111"));

    let refusal = signal(&b.connection, &with_audio);

    assert_eq!(refusal, Err(SignalError::Media));
    connect(&mut a, &mut b).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoilt_description_ends_the_connection_at_most() {
    let offer = offer().await;
    let sdp = offer["sdp"].as_str().unwrap();
    let lines: Vec<&str> = sdp.lines().collect();

    for spoilt in 0..lines.len() {
        for replacement in
            ["", "a=\u{fffd}", "a=fingerprint:sha-256 zz", "a=setup:x", "t=-1 99999999999999999999"]
        {
            let mut lines = lines.clone();
            lines[spoilt] = replacement;
            let (connection, mut events) = DirectConnection::answer(config(), &TaskTracker::new());

            // Either it is refused, or ends as such, or goes on to its answer.
            if signal(&connection, &json!({ "type": "offer", "sdp": lines.join("\r\n") })).is_err()
            {
                continue;
            }
            match events.recv().await {
                Some(DirectEvent::Signal(_) | DirectEvent::Closed(DirectEnd::Refused)) => {}
                event => panic!("line {spoilt} as {replacement:?}: {event:?}"),
            }
            connection.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_signals_harms_its_own_connection_at_most() {
    let (a, b) = apart(&config(), &TaskTracker::new());
    let offer = offer().await;

    for number in 0..1000_u32 {
        let address = format!("10.0.{}.{}", number / 250, number % 250);
        for address in [address, format!("{number}.local"), "\u{0} ☃".to_owned()] {
            let line = format!("candidate:{number} 1 udp 5 {address} 9 typ host");
            let candidate = json!({ "type": "candidate", "candidate": { "candidate": line } });
            // Too many at once are refused.
            signal(&a.connection, &candidate).ok();
            signal(&b.connection, &candidate).ok();
        }
        signal(&a.connection, &offer).ok();
        signal(&b.connection, &offer).ok();
        tokio::task::yield_now().await;
    }

    for mut end in [a, b] {
        end.connection.close().await;
        let event = end.event().await;
        assert!(matches!(event, DirectEvent::Closed(_)), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_opens_a_thousand_channels_at_once_is_left() {
    let end = match bare_with(1000).await {
        Err(end) => end,
        Ok((_partner, _channels, mut here)) => loop {
            match here.event().await {
                DirectEvent::Channel(_) => {}
                DirectEvent::Closed(end) => break end,
                event => panic!("{event:?}"),
            }
        },
    };

    assert_eq!(end, DirectEnd::Overrun);
}
