use std::time::Duration;

use socketio_p2p_client::direct::{ChannelMessage, DirectConnection, DirectSendError};
use tokio_util::task::TaskTracker;

use crate::pair::{apart, config, connect};
use crate::{Outcome, open};

#[tokio::test(flavor = "multi_thread")]
async fn texts_and_bytes_travel_both_ways() -> Outcome {
    let (mut a, mut b) = open().await;

    a.connection.send("grüße").await?;
    a.connection.send(vec![0, 0x1e, 0xff]).await?;
    b.connection.send("back").await?;

    assert_eq!(b.message().await, ChannelMessage::from("grüße"));
    assert_eq!(b.message().await, ChannelMessage::from(vec![0, 0x1e, 0xff]));
    assert_eq!(a.message().await, ChannelMessage::from("back"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_in_chunks_arrives_whole_and_in_order() -> Outcome {
    let (a, mut b) = open().await;

    for chunk in 0..64 {
        a.connection.send(vec![chunk; 16 << 10]).await?;
    }

    for chunk in 0..64 {
        assert_eq!(b.message().await, ChannelMessage::from(vec![chunk; 16 << 10]));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_does_not_read_makes_the_sender_wait_and_nothing_is_lost() -> Outcome {
    let mut small = config();
    small.send_buffer_bytes = 64 << 10;
    let (mut a, mut b) = apart(&small, &TaskTracker::new());
    connect(&mut a, &mut b).await;

    let mut sent = 0_u32;
    let full = loop {
        let mut message = vec![0; 16 << 10];
        message[..4].copy_from_slice(&sent.to_be_bytes());
        let sending = a.connection.send(message);
        match tokio::time::timeout(Duration::from_secs(3), sending).await {
            Ok(result) => result?,
            Err(_) => break a.connection.try_send(vec![0; 64 << 10]),
        }
        sent += 1;
        assert!(sent < 2000, "no backpressure");
    };

    assert_eq!(full, Err(DirectSendError::Full));
    for number in 0..sent {
        let bytes = b.message().await.into_bytes();
        assert_eq!(bytes[..4], number.to_be_bytes());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_refused_at_once() -> Outcome {
    let (early, _events) = DirectConnection::offer(config(), &TaskTracker::new());
    assert_eq!(early.try_send("x"), Err(DirectSendError::NotOpen));

    let (a, _b) = open().await;
    assert_eq!(a.connection.try_send(""), Err(DirectSendError::Empty));
    let long = vec![0; (256 << 10) + 1];
    let refusal = DirectSendError::TooLong { len: long.len(), limit: 256 << 10 };
    assert_eq!(a.connection.try_send(long), Err(refusal));
    a.connection.close().await;
    assert_eq!(a.connection.try_send("x"), Err(DirectSendError::Closed));
    Ok(())
}
