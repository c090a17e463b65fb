//! simple-peer 9.11.1 in a page of headless Chromium, unchanged, against our data channel: both
//! roles, text and bytes both ways, the end seen on both sides, addresses hidden and not.

use crate::interop::Story;
use crate::interop::direct::Both;

const SCRIPT: &str = "browser-peer.mjs";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_answers_talks_and_sees_our_end() -> Story {
    let mut both = Both::start(SCRIPT, "answer", &[]).await?;
    both.open_and_exchange_all().await?;
    both.closed_by_us().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_offers_talks_and_ends() -> Story {
    let mut both = Both::start(SCRIPT, "offer", &[]).await?;
    both.open_and_exchange_all().await?;
    both.closed_by_it().await
}

/// The configuration of users: each end finds the other by its name or by receiving from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_hides_its_addresses_connects() -> Story {
    let mut both = Both::start(SCRIPT, "offer", &["--hide-addresses"]).await?;
    both.open().await?;

    let addresses = both.addresses();
    assert!(!addresses.is_empty(), "a network interface besides loopback is needed");
    assert!(addresses.iter().all(|address| address.ends_with(".local")), "{addresses:?}");
    both.exchange_text_and_bytes().await?;
    both.closed_by_us().await
}

#[tokio::test(flavor = "multi_thread")]
async fn media_of_a_page_are_rejected_and_its_channel_opens() -> Story {
    let mut both = Both::start(SCRIPT, "offer", &["--media"]).await?;
    both.open_and_exchange_all().await?;
    both.closed_by_it().await
}
