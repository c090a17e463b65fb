//! Further channels, each way, with every option.

use std::time::Duration;

use serde_json::{Value, json};
use socketio_p2p_client::direct::{ChannelMessage, ChannelOptions, DirectChannel, DirectSendError};
use tokio::time::timeout;

use super::Of;
use crate::interop::Story;
use crate::interop::bare::{Bare, Stack};
use crate::interop::direct::PATIENCE;

const CHANNELS: usize = 20;
/// The time after which a message that may be lost is sent again.
const LOST: Duration = Duration::from_secs(2);
/// The number that stands for "not set" in some stacks.
const NOT_SET: u64 = u16::MAX as u64;

pub(super) async fn twenty_open_each_way(stack: &mut Stack, of: Of, role: &str) -> Story {
    let mut bare = stack.connect(role).await?;
    ours(&mut bare, of).await?;
    if of.takes_our_numbers() {
        bare.connection.close().await;
        bare = stack.connect(role).await?;
    }
    theirs(&mut bare, of).await?;
    negotiated_ones_are_not_seen(&mut bare).await?;
    bare.connection.close().await;
    if role == "offer" {
        one_of_four_is_the_main_one(stack, of).await?;
    }
    Ok(())
}

/// Has the partner open four channels at once: the main one is the one of the label that is configured, or the first
/// that the partner made and that keeps the order.
async fn one_of_four_is_the_main_one(stack: &mut Stack, of: Of) -> Story {
    let usual = stack.config.clone();
    stack.config = usual.clone().main_label("c");
    has_main(stack, true, "c").await?;
    stack.config = usual;
    if of.numbers_in_order() {
        has_main(stack, true, "main").await?;
        has_main(stack, false, "b").await?;
    }
    Ok(())
}

async fn has_main(stack: &mut Stack, is_first_ordered: bool, main: &str) -> Story {
    let order = json!({
        "connect": "offer",
        "first": { "ordered": is_first_ordered },
        "channels": ["b", "c", "d"],
    });
    let mut bare = stack.connect_with(order).await?;
    let mut raw = Vec::new();
    for _ in 0..3 {
        raw.push(bare.channel().await?.label().to_owned());
    }
    raw.sort();
    let mut others = vec!["b", "c", "d", "main"];
    others.retain(|label| *label != main);
    assert_eq!(raw, others, "the first is ordered: {is_first_ordered}");
    bare.hear_until(|bare| bare.opened.len() == 3).await?;
    bare.tell(json!({ "send": "on the main one", "on": main })).await?;
    assert_eq!(bare.message().await?, ChannelMessage::from("on the main one"));
    bare.connection.close().await;
    Ok(())
}

/// Opens channels, on which the partner sends back what it receives.
async fn ours(bare: &mut Bare<'_>, of: Of) -> Story {
    let mut channels = Vec::new();
    for number in 0..CHANNELS {
        let (options, as_seen) = options(number);
        let label = format!("ours {number}");
        let channel = timeout(PATIENCE, bare.connection.open(&*label, options)).await??;
        channels.push((channel, label, as_seen));
    }
    for (channel, label, _) in &channels {
        echo(channel, label).await?;
    }
    bare.hear_until(|bare| bare.opened.len() >= CHANNELS).await?;
    for (_, label, as_seen) in &channels {
        let mut seen = bare.opened[label].clone();
        let mut expected = as_seen.clone();
        for option in of.keeps_to_itself() {
            expected[option] = Value::Null;
            seen[option] = Value::Null;
        }
        for option in ["maxRetransmits", "maxPacketLifeTime"] {
            if seen[option] == json!(NOT_SET) {
                seen[option] = Value::Null;
            }
        }
        assert_eq!(seen, expected, "{label}");
    }
    Ok(())
}

/// Has the partner open channels, and sends and receives on them.
async fn theirs(bare: &mut Bare<'_>, of: Of) -> Story {
    let mut channels = Vec::new();
    for number in 0..CHANNELS {
        let (_, options) = options(number);
        let protocol = options["protocol"].clone();
        let has_limit =
            ["maxRetransmits", "maxPacketLifeTime"].iter().any(|it| !options[it].is_null());
        let is_ordered = options["ordered"] == true || has_limit && !of.announces_order();
        // A limit that is not set is left out, as in a program.
        let options: Value = options
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let label = format!("theirs {number}");
        bare.tell(json!({ "open": label, "options": options })).await?;
        let channel = bare.channel().await?;
        assert_eq!(channel.label(), label);
        // webrtc 0.21 does not tell the limits.
        assert_eq!(channel.is_ordered(), is_ordered, "{label}");
        assert_eq!(json!(channel.protocol()), protocol, "{label}");
        channels.push(channel);
    }
    for channel in &channels {
        let label = channel.label();
        bare.hear_until(|bare| bare.opened.contains_key(label)).await?;
        loop {
            bare.tell(json!({ "send": label, "on": label })).await?;
            if let Ok(message) = timeout(LOST, channel.recv()).await {
                assert_eq!(message, Some(ChannelMessage::from(label)));
                break;
            }
        }
        echo(channel, label).await?;
    }
    Ok(())
}

/// A channel that both applications are to know from elsewhere is none here, and does no harm.
async fn negotiated_ones_are_not_seen(bare: &mut Bare<'_>) -> Story {
    let label = "negotiated";
    bare.tell(json!({ "open": label, "options": { "negotiated": true, "id": 101 } })).await?;
    bare.hear_until(|bare| bare.opened.contains_key(label)).await?;
    bare.tell(json!({ "send": "not seen", "on": label })).await?;
    bare.tell(json!({ "send": "seen" })).await?;
    assert_eq!(bare.message().await?, ChannelMessage::from("seen"));
    Ok(())
}

/// Sends a message until it comes back: the channel may lose it.
async fn echo(channel: &DirectChannel, text: &str) -> Story {
    let echoing = async {
        loop {
            match channel.send(text).await {
                Ok(()) => {}
                Err(DirectSendError::Late) => continue,
                Err(error) => return Err(error),
            }
            if let Ok(message) = timeout(LOST, channel.recv()).await {
                assert_eq!(message, Some(ChannelMessage::from(text)), "{}", channel.label());
                return Ok(());
            }
        }
    };
    Ok(timeout(PATIENCE, echoing).await??)
}

/// Returns options of ours, and as a stack sees them.
fn options(number: usize) -> (ChannelOptions, Value) {
    let default = ChannelOptions::default();
    let (options, ordered, retransmits, life_time) = match number % 6 {
        0 => (default, true, None, None),
        1 => (default.ordered(false), false, None, None),
        2 => (default.max_retransmits(0), true, Some(0), None),
        3 => (default.ordered(false).max_retransmits(3), false, Some(3), None),
        4 => {
            let life_time = Duration::from_millis(500);
            (default.ordered(false).max_packet_life_time(life_time), false, None, Some(500))
        }
        _ => (default.max_packet_life_time(Duration::from_secs(2)), true, None, Some(2000)),
    };
    let protocol = if number.is_multiple_of(2) { "" } else { "a protocol" };
    let as_seen = json!({
        "ordered": ordered,
        "maxRetransmits": retransmits,
        "maxPacketLifeTime": life_time,
        "protocol": protocol,
    });
    (options.protocol(protocol), as_seen)
}
