use std::time::{Duration, Instant};

use socketio_p2p_client::direct::{ChannelMessage, DirectConfig, DirectEnd, DirectEvent};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::pair::{PATIENCE, apart, config, connect, watchful_config};
use crate::{Outcome, open};

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_sees_a_close_at_once_and_what_was_sent_before() -> Outcome {
    let (mut a, mut b) = open().await;
    for _ in 0..100 {
        a.connection.send(vec![7; 16 << 10]).await?;
    }

    let reading = async {
        for _ in 0..100 {
            assert_eq!(b.message().await.len(), 16 << 10);
        }
        b.event().await
    };
    let (event, ()) = tokio::join!(reading, a.connection.close());

    assert!(matches!(event, DirectEvent::Closed(DirectEnd::Partner)), "{event:?}");
    let event = a.event().await;
    assert!(matches!(event, DirectEvent::Closed(DirectEnd::Here)), "{event:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_reads_late_gets_all_that_was_sent_before_the_close() -> Outcome {
    const MESSAGES: usize = 1_000; // more than webrtc's own queue holds
    let (mut a, mut b) = apart(&lingering_config(), &TaskTracker::new());
    connect(&mut a, &mut b).await;
    for number in 0..MESSAGES {
        a.connection.send(number.to_string()).await?;
    }

    let reading = async {
        // Everything that can arrive unread has arrived.
        tokio::time::sleep(Duration::from_millis(200)).await;
        for number in 0..MESSAGES {
            assert_eq!(b.message().await, ChannelMessage::from(number.to_string()));
        }
        let read = Instant::now();
        (b.event().await, read)
    };
    let closing = async {
        timeout(PATIENCE, a.connection.close()).await.expect("it lingers after all was read");
        Instant::now()
    };
    let ((event, read), closed) = tokio::join!(reading, closing);

    assert!(matches!(event, DirectEvent::Closed(DirectEnd::Partner)), "{event:?}");
    assert!(closed > read, "it has left before all was read");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_close_at_once_do_not_wait_for_each_other() -> Outcome {
    let (mut a, mut b) = apart(&lingering_config(), &TaskTracker::new());
    connect(&mut a, &mut b).await;
    drop((a.events, b.events)); // Nobody would read that the other leaves.

    let closing = async { tokio::join!(a.connection.close(), b.connection.close()) };
    timeout(PATIENCE, closing).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_all_handles_closes_after_what_was_sent() -> Outcome {
    let (a, mut b) = open().await;
    a.connection.send("last").await?;

    drop(a);

    assert_eq!(b.message().await, ChannelMessage::from("last"));
    let event = b.event().await;
    assert!(matches!(event, DirectEvent::Closed(DirectEnd::Partner)), "{event:?}");
    Ok(())
}

/// Settings with which an end that lingers when it closes does so for longer than any test.
fn lingering_config() -> DirectConfig {
    let mut config = config();
    config.linger = 10 * PATIENCE;
    config
}

#[test]
fn a_killed_partner_is_noticed_when_it_has_been_silent_for_long_enough_and_given_up_later() {
    let here = tokio::runtime::Runtime::new().unwrap();
    let there = tokio::runtime::Runtime::new().unwrap();
    let tasks = TaskTracker::new();
    let mut a = here.block_on(async { apart(&watchful_config(), &tasks).0 });
    let mut b = there.block_on(async { apart(&watchful_config(), &tasks).1 });
    here.block_on(connect(&mut a, &mut b));

    there.shutdown_background(); // No farewell: its sockets are just gone.

    here.block_on(async {
        let event = a.event().await;
        assert!(matches!(event, DirectEvent::Silent), "{event:?}");
        let event = a.event().await;
        assert!(matches!(event, DirectEvent::Closed(DirectEnd::Silent)), "{event:?}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_partner_it_is_given_up_in_time() {
    let mut config = config();
    config.open_timeout = Duration::from_millis(200);
    let (mut a, _b) = apart(&config, &TaskTracker::new());

    let event = a.event().await;

    let end = DirectEnd::Timeout(config.open_timeout);
    assert!(matches!(&event, DirectEvent::Closed(closed) if *closed == end), "{event:?}");
    assert!(a.events.recv().await.is_none());
}
