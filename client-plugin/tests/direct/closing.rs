use std::time::{Duration, Instant};

use socketio_p2p_client::direct::{ChannelMessage, DirectEnd, DirectEvent};
use tokio_util::task::TaskTracker;

use crate::pair::{apart, config, connect};
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
        let before = Instant::now();
        (b.event().await, before.elapsed())
    };
    let ((event, waited), ()) = tokio::join!(reading, a.connection.close());

    assert!(matches!(event, DirectEvent::Closed(DirectEnd::Partner)), "{event:?}");
    assert!(waited < Duration::from_millis(500), "{waited:?}");
    let event = a.event().await;
    assert!(matches!(event, DirectEvent::Closed(DirectEnd::Here)), "{event:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_reads_late_gets_all_that_was_sent_before_the_close() -> Outcome {
    const MESSAGES: usize = 1_000; // more than webrtc's own queue holds
    let (a, mut b) = open().await;
    for number in 0..MESSAGES {
        a.connection.send(number.to_string()).await?;
    }

    let reading = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        for number in 0..MESSAGES {
            assert_eq!(b.message().await, ChannelMessage::from(number.to_string()));
        }
        let before = Instant::now();
        (b.event().await, before)
    };
    let closing = async {
        a.connection.close().await;
        Instant::now()
    };
    let ((event, read), closed) = tokio::join!(reading, closing);

    assert!(matches!(event, DirectEvent::Closed(DirectEnd::Partner)), "{event:?}");
    assert!(closed > read, "it has left before all was read");
    assert!(closed - read < Duration::from_millis(250), "{:?}", closed - read);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_close_at_once_do_not_wait_for_each_other() -> Outcome {
    let (a, b) = open().await;
    drop((a.events, b.events)); // Nobody would read that the other leaves.

    let began = Instant::now();
    tokio::join!(a.connection.close(), b.connection.close());

    assert!(began.elapsed() < config().linger / 2, "{:?}", began.elapsed());
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

/// What a busy machine may add to a time limit.
const SLACK: Duration = Duration::from_millis(750);

#[test]
fn a_killed_partner_is_noticed_when_it_has_been_silent_for_long_enough_and_given_up_later() {
    let here = tokio::runtime::Runtime::new().unwrap();
    let there = tokio::runtime::Runtime::new().unwrap();
    let tasks = TaskTracker::new();
    let mut a = here.block_on(async { apart(&config(), &tasks).0 });
    let mut b = there.block_on(async { apart(&config(), &tasks).1 });
    here.block_on(connect(&mut a, &mut b));

    let killed = Instant::now();
    there.shutdown_background(); // No farewell: its sockets are just gone.

    here.block_on(async {
        let event = a.event().await;
        assert!(matches!(event, DirectEvent::Silent), "{event:?}");
        let noticed = config().silent_after + config().keep_alive;
        assert!(killed.elapsed() < noticed + SLACK, "{:?}", killed.elapsed());
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
