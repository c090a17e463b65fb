//! Ends of channels and of connections, by either end and by neither.

use serde_json::json;
use socketio_p2p_client::direct::{
    ChannelEnd, ChannelOptions, DirectChannel, DirectConfig, DirectEnd, DirectEvent,
};
use tokio::time::timeout;

use super::Of;
use super::messages::echo;
use crate::interop::bare::{Bare, Stack};
use crate::interop::direct::PATIENCE;
use crate::interop::{Failed, Story};

pub(super) async fn either_end_closes(stack: &mut Stack, of: Of, role: &str) -> Story {
    let mut bare = stack.connect(role).await?;
    channels(&mut bare, of).await?;
    by_us(bare).await?;

    let usual = stack.config.clone();
    if of.leaves_silently() {
        stack.config = DirectConfig::default();
    }
    let mut bare = stack.connect(role).await?;
    echo(&mut bare, "first".into()).await?;
    bare.tell(json!({ "close": true })).await?;
    let end = end_of(&mut bare).await?;
    let expected = if of.leaves_silently() { DirectEnd::Silent } else { DirectEnd::Partner };
    assert_eq!(end, expected, "{role}");
    stack.config = usual;
    Ok(())
}

/// Each end closes a channel of each, and the connection stays. All are open before the first is closed:
/// libdatachannel takes the number of a closed channel for the next one at once, and webrtc 0.21 closes that.
async fn channels(bare: &mut Bare<'_>, of: Of) -> Story {
    let mut channels = Vec::new();
    for label in ["a", "b"] {
        let opening = bare.connection.open(label, ChannelOptions::default());
        channels.push((label, timeout(PATIENCE, opening).await??));
    }
    let theirs: &[_] = if of.takes_our_numbers() { &[] } else { &["c", "d"] };
    for &label in theirs {
        bare.tell(json!({ "open": label })).await?;
        channels.push((label, bare.channel().await?));
    }
    bare.hear_until(|bare| bare.opened.len() == 2 + theirs.len()).await?;
    for (index, (label, channel)) in channels.iter().enumerate() {
        closes(bare, label, channel, index.is_multiple_of(2)).await?;
    }
    echo(bare, "after the channels".into()).await
}

async fn closes(bare: &mut Bare<'_>, label: &str, channel: &DirectChannel, by_us: bool) -> Story {
    if by_us {
        timeout(PATIENCE, channel.close()).await?;
    } else {
        bare.tell(json!({ "closeChannel": label })).await?;
    }
    let closed = bare.hear_until(|bare| bare.closed.iter().any(|closed| closed == label)).await;
    closed.map_err(|error| format!("channel {label}: {error}"))?;
    assert_eq!(timeout(PATIENCE, channel.recv()).await?, None, "{label}");
    let end = if by_us { ChannelEnd::Here } else { ChannelEnd::Partner };
    assert_eq!(channel.end(), Some(end), "{label}");
    Ok(())
}

/// The partner's application sees our end by our taking leave, while its connection is still "connected": by itself,
/// @roamhq/wrtc calls it so for 18 s after its partner has gone, and werift for 29 s.
async fn by_us(mut bare: Bare<'_>) -> Story {
    timeout(PATIENCE, bare.connection.close()).await?;
    bare.hear_until(|bare| bare.is_closed).await?;

    assert_eq!(bare.states.last().map(String::as_str), Some("connected"), "{:?}", bare.states);
    Ok(())
}

/// With the settings that users have.
pub(super) async fn a_partner_that_is_killed_is_noticed(
    mut stack: Stack,
    of: Of,
    role: &str,
) -> Story {
    stack.config = DirectConfig::default();
    let mut bare = stack.connect(role).await?;
    echo(&mut bare, "first".into()).await?;

    bare.kill();

    // A browser that notices the end of its driver may still close the connection.
    let end = end_of(&mut bare).await?;
    let may_close = matches!(of, Of::Chromium | Of::Firefox);
    assert!(end == DirectEnd::Silent || may_close && end == DirectEnd::Partner, "{end:?}");
    Ok(())
}

/// Returns the reason of the end. The partner may be silent before.
async fn end_of(bare: &mut Bare<'_>) -> Result<DirectEnd, Failed> {
    loop {
        match bare.last_event().await? {
            DirectEvent::Silent | DirectEvent::Heard => {}
            DirectEvent::Closed(end) => return Ok(end),
            event => return Err(format!("{event:?}").into()),
        }
    }
}
