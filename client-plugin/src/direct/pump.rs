//! What carries the messages of a raw channel into its inbox.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::{Instant, sleep_until};
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::error::ChannelEnd;
use super::inbox::Inbox;
use super::message::into_message;

/// After how many messages a pump lets others go on.
const BURST: u32 = 64;

/// Carries what comes over a channel into its inbox, until it is closed; also when nobody reads any more,
/// for webrtc 0.21 keeps what comes for a channel that was dropped.
pub(crate) async fn pump(channel: Arc<dyn DataChannel>, inbox: Arc<Inbox>) {
    let link = &inbox.link;
    let mut came_at = None;
    let mut burst = 0;
    let end = loop {
        let duties = inbox.duties(came_at);
        // If one fails, the channel is about to end.
        for _ in 0..duties.grants {
            channel.send(BytesMut::new()).await.ok();
        }
        if duties.leaves {
            channel.send_text("").await.ok();
            inbox.left(false);
            continue;
        }
        tokio::select! {
            biased;
            event = channel.poll() => match event {
                Some(DataChannelEvent::OnMessage(message)) => {
                    came_at = Some(Instant::now());
                    inbox.put(into_message(message));
                    burst += 1;
                    if burst % BURST == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                Some(DataChannelEvent::OnOpen) => inbox.confirmed(),
                Some(DataChannelEvent::OnClose) => {
                    break if link.is_living().await {
                        ChannelEnd::Partner
                    } else {
                        ChannelEnd::Connection
                    };
                }
                Some(_) => {}
                None => break ChannelEnd::Connection,
            },
            () = inbox.stirred.notified() => {}
            () = until_due(duties.closes_at) => {
                link.has_ended(); // Before its number is free.
                channel.close().await.ok();
                inbox.left(true);
            }
            () = link.gone() => break ChannelEnd::Connection,
        }
    };
    link.has_ended();
    inbox.ended(end);
}

async fn until_due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
