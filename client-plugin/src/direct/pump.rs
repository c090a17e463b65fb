//! The pump of a raw channel: it carries messages into the inbox, and carries out the duties of the channel.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use socketio_p2p_protocol::peer::channel::{ChannelEnd, Input, Output};
use tokio::time::sleep_until;
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::inbox::Inbox;
use super::message::into_message;
use super::remainder::Remainder;

/// Number of messages after which a pump lets others run.
const BURST: u32 = 64;

/// Carries the messages of a channel into its inbox, until the channel is closed. It runs also when the
/// channel is not read any more, for webrtc 0.21 keeps the messages of a channel that was dropped.
pub(crate) async fn pump(channel: Arc<dyn DataChannel>, inbox: Arc<Inbox>) {
    let channels = &inbox.channels;
    let mut burst = 0;
    let end = loop {
        let times_out_at = match inbox.duty() {
            // If a duty fails, the channel is about to end.
            Ok(Output::Grant) => {
                channel.send(BytesMut::new()).await.ok();
                continue;
            }
            Ok(Output::Leave) => {
                channel.send_text("").await.ok();
                inbox.report(Input::SentLeave);
                continue;
            }
            Ok(Output::Close) => {
                channels.has_ended(); // Before its number is free.
                channel.close().await.ok();
                inbox.report(Input::Closed);
                continue;
            }
            Err(at) => at,
        };
        tokio::select! {
            biased;
            event = channel.poll() => match event {
                Some(DataChannelEvent::OnMessage(message)) => {
                    inbox.put(into_message(message));
                    burst += 1;
                    if burst % BURST == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                Some(DataChannelEvent::OnClose) => {
                    let remainder = Remainder::new(&channels.ticks);
                    let is_living = channels.is_living().await;
                    while let Some(message) = remainder.next(&*channel).await {
                        inbox.put(into_message(message));
                    }
                    break if is_living { ChannelEnd::Partner } else { ChannelEnd::Connection };
                }
                Some(_) => {}
                None => break ChannelEnd::Connection,
            },
            () = inbox.stirred.notified() => {}
            () = until_due(times_out_at) => inbox.time_out(),
            () = channels.gone() => break ChannelEnd::Connection,
        }
    };
    channels.has_ended();
    inbox.report(Input::Ended(end));
}

async fn until_due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
