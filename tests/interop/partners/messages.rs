//! Messages of every kind and length.

use serde_json::json;
use socketio_p2p_client::direct::{ChannelMessage, DirectSendError};

use super::Of;
use crate::interop::Story;
use crate::interop::bare::{Bare, Stack};
use crate::interop::direct::noise;

/// The partner sends back what it receives.
pub(super) async fn of_every_kind_and_length_arrive(
    stack: &mut Stack,
    of: Of,
    role: &str,
) -> Story {
    let mut bare = stack.connect(role).await?;
    text_and_bytes(&mut bare).await?;
    if of.sends_empty_messages() {
        empty_ones(&mut bare).await?;
    }
    the_longest(&mut bare, of.limit()).await?;
    bare.connection.close().await;
    if role == "offer" && of.has_media() {
        beside_media(stack).await?;
    }
    if of.knows_no_limit_of_its_own() {
        one_that_is_too_long_is_lost(stack, role).await?;
    }
    Ok(())
}

/// Our description says 256 KiB. webrtc 0.21 drops what is longer without a word.
async fn one_that_is_too_long_is_lost(stack: &mut Stack, role: &str) -> Story {
    stack.stated_limit = Some(1 << 20);
    let mut bare = stack.connect(role).await?;
    echo(&mut bare, "first".into()).await?;
    bare.tell(json!({ "send": "x".repeat((256 << 10) + 1) })).await?;
    bare.tell(json!({ "send": "after" })).await?;
    assert_eq!(bare.message().await?, ChannelMessage::from("after"));
    echo(&mut bare, "the connection stays".into()).await?;
    bare.connection.close().await;
    stack.stated_limit = None;
    Ok(())
}

/// An offer of audio and data is answered with the audio rejected.
async fn beside_media(stack: &mut Stack) -> Story {
    // Firefox gives the section of the data the port 0 in the second.
    for bundle in ["balanced", "max-bundle"] {
        let order = json!({ "connect": "offer", "media": true, "bundle": bundle });
        let mut bare = stack.connect_with(order).await?;
        text_and_bytes(&mut bare).await.map_err(|error| format!("{bundle}: {error}"))?;
        bare.connection.close().await;
    }
    Ok(())
}

async fn text_and_bytes(bare: &mut Bare<'_>) -> Story {
    let text = ChannelMessage::from("grüße \u{1e} 🦀");
    let bytes = ChannelMessage::from(vec![0, 0x1e, 0x80, 0xff]);

    // On its own: libwebrtc as answerer may reorder what is sent right after it opened.
    echo(bare, "first".into()).await?;
    echo(bare, text.clone()).await?;
    echo(bare, bytes.clone()).await?;
    bare.tell(json!({ "send": "grüße \u{1e} 🦀" })).await?;
    bare.tell(json!({ "send": { "$bin": "AB6A/w==" } })).await?;

    assert_eq!(bare.message().await?, text);
    assert_eq!(bare.message().await?, bytes);
    Ok(())
}

/// What is empty is delivered; our end sends none.
async fn empty_ones(bare: &mut Bare<'_>) -> Story {
    bare.tell(json!({ "send": "" })).await?;
    bare.tell(json!({ "send": { "$bin": "" } })).await?;

    assert_eq!(bare.message().await?, ChannelMessage::from(""));
    assert_eq!(bare.message().await?, ChannelMessage::from(Vec::new()));
    assert_eq!(bare.connection.send("").await, Err(DirectSendError::Empty));
    assert_eq!(bare.connection.send(Vec::new()).await, Err(DirectSendError::Empty));
    Ok(())
}

/// One byte too many is an error here, and nothing else.
async fn the_longest(bare: &mut Bare<'_>, limit: usize) -> Story {
    echo(bare, noise(limit as u64, limit)).await?;

    let refused = bare.connection.send(vec![0; limit + 1]).await;
    assert_eq!(refused, Err(DirectSendError::TooLong { len: limit + 1, limit }));
    let refused = bare.connection.send("x".repeat(limit + 1)).await;
    assert_eq!(refused, Err(DirectSendError::TooLong { len: limit + 1, limit }));
    echo(bare, "after".into()).await
}

pub(super) async fn echo(bare: &mut Bare<'_>, message: ChannelMessage) -> Story {
    bare.connection.send(message.clone()).await?;
    // Not `assert_eq`, which would print what may be long.
    assert!(bare.message().await? == message, "a message of {} came back changed", message.len());
    Ok(())
}
