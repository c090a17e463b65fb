use socketio_p2p_client::direct::{
    ChannelEnd, ChannelError, ChannelMessage, ChannelOptions, DirectSendError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pair::PATIENCE;
use crate::{Outcome, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_channel_carries_messages_unframed_both_ways() -> Outcome {
    let (a, mut b) = open().await;

    let here = a.connection.open("side", ChannelOptions::default()).await?;
    let there = b.channel().await;
    here.send("ping").await?;
    there.send(vec![1, 2]).await?;

    assert_eq!((here.label(), there.label()), ("side", "side"));
    assert_eq!(there.recv().await, Some(ChannelMessage::from("ping")));
    assert_eq!(here.recv().await, Some(ChannelMessage::from(vec![1, 2])));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answerer_may_open_one_as_well_and_an_unreliable_one() -> Outcome {
    let (mut a, b) = open().await;

    let there = b.connection.open("loose", ChannelOptions::unreliable(0)).await?;
    let here = a.channel().await;
    // A busy machine may take longer than such a message waits.
    while there.send("ping").await == Err(DirectSendError::Late) {}

    assert_eq!(here.recv().await, Some(ChannelMessage::from("ping")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_carries_four_megabytes_and_its_end() -> Outcome {
    let (a, mut b) = open().await;
    let file: Vec<u8> =
        (0..4 << 20).map(|index: u32| (index.wrapping_mul(31) >> 3) as u8).collect();

    let mut writer = a.connection.open("file", ChannelOptions::default()).await?.into_stream();
    let mut reader = b.channel().await.into_stream();
    let write = async {
        writer.write_all(&file).await?;
        writer.shutdown().await
    };
    let mut read = Vec::new();
    let (written, length) = tokio::join!(write, reader.read_to_end(&mut read));

    written?;
    assert_eq!(length?, file.len());
    assert!(read == file);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_and_dropping_a_channel_is_seen_by_the_partner_and_leaves_the_others() -> Outcome {
    let (a, mut b) = open().await;
    let closed = a.connection.open("closed", ChannelOptions::default()).await?;
    let dropped = a.connection.open("dropped", ChannelOptions::default()).await?;
    let (first, second) = (b.channel().await, b.channel().await);

    closed.send("last").await?;
    closed.close().await;
    drop(dropped);

    assert_eq!(first.recv().await, Some(ChannelMessage::from("last")));
    assert_eq!(first.recv().await, None);
    assert_eq!(second.recv().await, None);
    a.connection.send("still here").await?;
    assert_eq!(b.message().await, ChannelMessage::from("still here"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_that_are_closed_at_once_are_handed_over_with_what_they_brought() -> Outcome {
    const COUNT: usize = 40;
    for offerer_opens in [true, false] {
        let (mut a, mut b) = open().await;
        let (from, to) = if offerer_opens { (&mut a, &mut b) } else { (&mut b, &mut a) };
        let short = async |number: usize| {
            let channel = from.connection.open(number.to_string(), ChannelOptions::default());
            let channel = channel.await.unwrap();
            channel.send(number.to_string()).await.unwrap();
            channel.close().await;
        };
        let opening = futures_util::future::join_all((0..COUNT).map(short));
        let reading = async {
            for _ in 0..COUNT {
                let channel = to.channel().await;
                let message = tokio::time::timeout(PATIENCE, channel.recv()).await.unwrap();
                assert_eq!(message, Some(ChannelMessage::from(channel.label())));
                assert_eq!(channel.recv().await, None);
            }
        };
        tokio::join!(opening, reading);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_a_limited_number_of_channels() -> Outcome {
    let (a, mut b) = open().await;
    let mut kept = Vec::new();

    let refusal = loop {
        match a.connection.open("more", ChannelOptions::default()).await {
            Ok(channel) => kept.push((channel, b.channel().await)),
            Err(refusal) => break refusal,
        }
        assert!(kept.len() < 100);
    };
    assert_eq!(refusal, ChannelError::TooMany(64));

    kept.truncate(1);
    let again = async {
        while a.connection.open("again", ChannelOptions::default()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_any_kind_and_length_pass_over_a_channel_that_sends_none_again() -> Outcome {
    for ordered in [true, false] {
        let (a, mut b) = open().await;
        let options = ChannelOptions::default().ordered(ordered).max_retransmits(0);
        let here = a.connection.open("loose", options).await?;
        let there = b.channel().await;
        let messages: [ChannelMessage; 4] =
            ["text".into(), vec![7; 1].into(), "x".repeat(20_000).into(), vec![8; 60_000].into()];

        for message in messages {
            for (from, to) in [(&here, &there), (&there, &here)] {
                // A busy machine may take longer than such a message waits.
                while from.send(message.clone()).await == Err(DirectSendError::Late) {}
                loop {
                    let received = tokio::time::timeout(PATIENCE, to.recv()).await?;
                    if received.as_ref() == Some(&message) {
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn trying_to_send_is_refused_where_sending_would_wait() -> Outcome {
    let (a, mut b) = open().await;
    let reliable = a.connection.open("kept", ChannelOptions::default()).await?;
    let _unread = b.channel().await;

    let refusal = loop {
        match reliable.try_send(vec![1; 100_000]) {
            Ok(()) => tokio::task::yield_now().await,
            Err(refusal) => break refusal,
        }
    };

    assert_eq!(refusal, DirectSendError::Full);
    assert_eq!(reliable.try_send(""), Err(DirectSendError::Empty));
    a.connection.close().await;
    assert_eq!(reliable.try_send("x"), Err(DirectSendError::Closed));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_contradict_each_other_are_refused() {
    let (a, _b) = open().await;
    let mut options = ChannelOptions::unreliable(1);
    options.max_packet_life_time = Some(10);

    let refusal = a.connection.open("both", options).await.unwrap_err();

    assert_eq!(refusal, ChannelError::Options);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_connection_or_own_end_is_closed_does_not_end_as_if_that_were_all() -> Outcome
{
    for is_own in [false, true] {
        let (a, mut b) = open().await;
        let _here = a.connection.open("file", ChannelOptions::default()).await?;
        let mut reader = b.channel().await.into_stream();

        if is_own {
            reader.shutdown().await?;
        } else {
            a.connection.close().await;
            b.connection.close().await;
        }

        let error = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let end = if is_own { ChannelEnd::Here } else { ChannelEnd::Connection };
        assert_eq!(reader.channel().end(), Some(end));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_over_a_channel_that_was_dropped_arrives_before_the_connection_closes()
-> Outcome {
    let (a, mut b) = open().await;
    let here = a.connection.open("dropped", ChannelOptions::default()).await?;
    let there = b.channel().await;
    for _ in 0..32 {
        here.send(vec![7; 16 << 10]).await?;
    }

    drop(here);
    let received = async {
        let mut received = 0;
        while there.recv().await.is_some() {
            received += 1;
        }
        (received, there.end(), b.event().await)
    };
    let ((received, end, _closed), ()) = tokio::join!(received, a.connection.close());

    assert_eq!((received, end), (32, Some(ChannelEnd::Partner)));
    Ok(())
}
