//! simple-peer 9.11.1 on @roamhq/wrtc, unchanged, against our data channel: both roles, text and
//! bytes both ways, the end seen on both sides.

use crate::interop::Story;
use crate::interop::direct::Both;

const SCRIPT: &str = "simple-peer.mjs";

#[tokio::test(flavor = "multi_thread")]
async fn simple_peer_answers_talks_and_sees_our_end() -> Story {
    let mut both = Both::start(SCRIPT, "answer", &[]).await?;
    both.open_and_exchange_all().await?;
    both.closed_by_us().await
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_peer_offers_talks_and_ends() -> Story {
    let mut both = Both::start(SCRIPT, "offer", &[]).await?;
    both.open_and_exchange_all().await?;
    both.closed_by_it().await
}

#[tokio::test(flavor = "multi_thread")]
async fn media_of_simple_peer_are_rejected_and_its_channel_opens() -> Story {
    let mut both = Both::start(SCRIPT, "offer", &["--media"]).await?;
    both.open_and_exchange_all().await?;
    both.closed_by_us().await
}

/// On another stack: that of node-datachannel, with descriptions that simple-peer can change.
#[tokio::test(flavor = "multi_thread")]
async fn simple_peer_on_another_stack_answers_and_sees_our_end() -> Story {
    let mut both = Both::start(SCRIPT, "answer", &["--polyfill"]).await?;
    both.open_and_exchange_all().await?;
    both.closed_by_us().await
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_peer_on_another_stack_offers_and_ends() -> Story {
    let mut both = Both::start(SCRIPT, "offer", &["--polyfill"]).await?;
    both.open_and_exchange_all().await?;
    both.closed_by_it().await
}
