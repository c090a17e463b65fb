//! What a partner sends right before it closes a channel or the connection arrives.
//!
//! `LAST_WORDS` is the number of tries, instead of a few for CI.

use serde_json::json;
use socketio_p2p_client::direct::{ChannelEnd, ChannelMessage, DirectEnd, DirectEvent};
use tokio::time::timeout;

use crate::interop::bare::{Bare, Stack};
use crate::interop::direct::PATIENCE;
use crate::interop::{Failed, Story};

const TRIES: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn what_wrtc_sent_before_it_closed_arrives() -> Story {
    nothing_is_lost(Stack::of_npm("wrtc").await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_sent_before_it_closed_arrives() -> Story {
    nothing_is_lost(Stack::page().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_of_firefox_sent_before_it_closed_arrives() -> Story {
    nothing_is_lost(Stack::firefox().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aiortc_sent_before_it_closed_arrives() -> Story {
    nothing_is_lost(Stack::aiortc().await?).await
}

async fn nothing_is_lost(mut stack: Stack) -> Story {
    let tries = std::env::var("LAST_WORDS").ok().and_then(|tries| tries.parse().ok());
    let tries = tries.unwrap_or(TRIES);
    let mut lost = [0; 3];

    for role in ["offer", "answer"] {
        let mut bare = stack.connect(role).await?;
        for number in 0..tries {
            lost[0] += usize::from(!raw_channel(&mut bare, &number.to_string()).await?);
        }
        bare.connection.close().await;
    }
    for (number, order) in
        (0..tries).flat_map(|try_| [(try_, "sendAndClose"), (try_, "sendAndEnd")])
    {
        let role = if number % 2 == 0 { "offer" } else { "answer" };
        let mut bare = stack.connect(role).await?;
        let arrived = main_channel(&mut bare, order).await?;
        lost[if order == "sendAndClose" { 1 } else { 2 }] += usize::from(!arrived);
    }

    assert_eq!(lost, [0; 3], "of {tries}: raw channels, main channels, connections");
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_that_a_page_closes_at_once_are_handed_over_with_what_they_brought() -> Story {
    const AT_ONCE: usize = 20;
    let mut stack = Stack::page().await?;
    let (mut shown, mut lost) = (0, 0);
    for role in ["offer", "answer"] {
        let mut bare = stack.connect(role).await?;
        for number in 0..AT_ONCE {
            bare.tell(json!({ "short": number.to_string() })).await?;
        }
        for _ in 0..AT_ONCE {
            let channel = bare.channel().await?;
            shown += 1;
            let message = timeout(PATIENCE, channel.recv()).await?;
            lost += usize::from(message != Some(ChannelMessage::from(channel.label())));
        }
        bare.connection.close().await;
    }
    assert_eq!((shown, lost), (2 * AT_ONCE, 0));
    stack.end().await
}

/// Returns whether the message of a short-lived channel arrived.
async fn raw_channel(bare: &mut Bare<'_>, label: &str) -> Result<bool, Failed> {
    bare.tell(json!({ "short": label })).await?;
    let channel = bare.channel().await?;
    let message = timeout(PATIENCE, channel.recv()).await?;
    if message.is_some() {
        assert_eq!(message, Some(ChannelMessage::from(label)));
        assert_eq!(timeout(PATIENCE, channel.recv()).await?, None);
    }
    assert_eq!(channel.end(), Some(ChannelEnd::Partner));
    Ok(message.is_some())
}

/// Returns whether the last message on the main channel arrived. A message goes there and back before: until the
/// opening of the channel is confirmed, wrtc sends its last message in one packet with the end of its association,
/// and webrtc 0.21 loses what comes with that.
async fn main_channel(bare: &mut Bare<'_>, order: &str) -> Result<bool, Failed> {
    bare.connection.send("first").await?;
    let echo = bare.event().await?;
    assert!(matches!(&echo, DirectEvent::Message(_)), "{echo:?}");
    bare.tell(json!({ order: "the last" })).await?;
    let event = bare.event().await?;
    if matches!(event, DirectEvent::Closed(_)) {
        return Ok(false);
    }
    let is_message = matches!(
        &event,
        DirectEvent::Message(message)
            if *message == ChannelMessage::from("the last")
    );
    assert!(is_message, "{event:?}");
    assert_eq!(bare.closed().await?, DirectEnd::Partner);
    Ok(true)
}
