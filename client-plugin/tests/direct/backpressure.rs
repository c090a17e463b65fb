//! Raw channels that are not read: their sender waits, and no other channel does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socketio_p2p_client::direct::{
    ChannelEnd, ChannelMessage, ChannelOptions, DirectChannel, DirectConnection, DirectSendError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::bare::bare;
use crate::pair::{End, PATIENCE};
use crate::{Outcome, open};

/// The bytes that a partner of ours may have sent unread, and one message more.
const WINDOW: usize = (1 << 20) + CHUNK;
const CHUNK: usize = 16 << 10;

/// The main channel carries a message, whatever waits on other channels.
async fn talk(here: &DirectConnection, there: &mut End) {
    timeout(PATIENCE, here.send("ping")).await.expect("the main channel waits").unwrap();
    assert_eq!(there.message().await, ChannelMessage::from("ping"));
}

/// A pause after which nothing more is expected, where everything else was waited for.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends until no more is accepted, half a window at least. Returns the number of bytes.
async fn fill(channel: &DirectChannel) -> usize {
    let mut sent = 0;
    loop {
        let patience = if sent < WINDOW / 2 { PATIENCE } else { PAUSE };
        let Ok(result) = timeout(patience, channel.send(vec![0; CHUNK])).await else { break };
        result.unwrap();
        sent += CHUNK;
        assert!(sent < 64 << 20, "no backpressure");
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_nobody_reads_makes_its_sender_wait_and_nobody_else() -> Outcome {
    let (mut a, mut b) = open().await;
    let unread = a.connection.open("unread", ChannelOptions::default()).await?;
    let there = b.channel().await;
    let other = a.connection.open("other", ChannelOptions::default()).await?;
    let other_there = b.channel().await;

    let sent = fill(&unread).await;
    assert!((WINDOW / 2..=WINDOW).contains(&sent), "{sent}");
    talk(&a.connection, &mut b).await;
    talk(&b.connection, &mut a).await;
    other.send("past it").await?;
    assert_eq!(other_there.recv().await, Some(ChannelMessage::from("past it")));

    for _ in 0..sent / CHUNK {
        assert_eq!(there.recv().await.map(|message| message.len()), Some(CHUNK));
    }
    timeout(PATIENCE, unread.send("on it goes")).await??;
    assert_eq!(there.recv().await, Some(ChannelMessage::from("on it goes")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_pauses_gets_all_of_64_megabytes() -> Outcome {
    const ALL: usize = 64 << 20;
    let (mut a, mut b) = open().await;
    let channel = a.connection.open("bulk", ChannelOptions::default()).await?;
    let there = b.channel().await;
    let sent = Arc::new(AtomicUsize::new(0));

    let counter = Arc::clone(&sent);
    let sending = TaskTracker::new().spawn(async move {
        for number in 0..ALL / CHUNK {
            let mut chunk = vec![0; CHUNK];
            chunk[..8].copy_from_slice(&number.to_be_bytes());
            channel.send(chunk).await.unwrap();
            counter.fetch_add(CHUNK, Ordering::Relaxed);
        }
        channel.close().await;
    });
    for number in 0..ALL / CHUNK {
        if number % 1024 == 512 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let unread = sent.load(Ordering::Relaxed) - number * CHUNK;
            assert!(unread <= WINDOW, "{unread}");
            talk(&a.connection, &mut b).await;
            talk(&b.connection, &mut a).await;
        }
        let bytes = there.recv().await.expect("the end too early").into_bytes();
        assert_eq!(bytes[..8], number.to_be_bytes());
    }
    assert_eq!(there.recv().await, None);
    assert_eq!(there.end(), Some(ChannelEnd::Partner));
    sending.await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_may_send_much_at_once_on_channels_of_either_order() -> Outcome {
    const CHUNKS: usize = 1024;
    let (a, mut b) = open().await;
    for ordered in [true, false] {
        let mut options = ChannelOptions::default();
        options.ordered = ordered;
        let here = a.connection.open("both", options).await?;
        let there = b.channel().await;

        let send = async |channel: &DirectChannel| {
            for _ in 0..CHUNKS {
                channel.send(vec![0; CHUNK]).await.unwrap();
            }
        };
        let read = async |channel: &DirectChannel| {
            for _ in 0..CHUNKS {
                channel.recv().await.expect("the end too early");
            }
        };
        tokio::join!(send(&here), read(&here), send(&there), read(&there));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_may_lose_messages_loses_what_nobody_reads_and_goes_on() -> Outcome {
    const CHUNKS: usize = 512;
    let (mut a, mut b) = open().await;
    let here = a.connection.open("lossy", ChannelOptions::unreliable(3)).await?;
    let there = b.channel().await;

    for channel in [&here, &there] {
        for _ in 0..CHUNKS {
            // On a busy machine some wait for too long, and are lost.
            let sent = timeout(PATIENCE, channel.send(vec![0; CHUNK])).await?;
            assert!(matches!(sent, Ok(()) | Err(DirectSendError::Late)), "{sent:?}");
        }
    }
    for channel in [&here, &there] {
        channel.delivered().await?;
    }
    talk(&a.connection, &mut b).await;
    talk(&b.connection, &mut a).await;

    for channel in [&there, &here] {
        let mut read = 0;
        loop {
            let patience = if read < 32 { PATIENCE } else { PAUSE };
            let Ok(Some(_)) = timeout(patience, channel.recv()).await else { break };
            read += 1;
        }
        assert!((32..CHUNKS).contains(&read), "{read}");
    }
    while here.send("and on").await == Err(DirectSendError::Late) {}
    assert_eq!(there.recv().await, Some(ChannelMessage::from("and on")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_dropped_while_the_partner_sends_ends_there_and_holds_up_nobody() -> Outcome {
    let (mut a, mut b) = open().await;
    for _ in 0..20 {
        let here = a.connection.open("dropped", ChannelOptions::default()).await?;
        let there = b.channel().await;
        let sending = TaskTracker::new().spawn(async move {
            loop {
                if let Err(error) = here.send(vec![0; CHUNK]).await {
                    return (error, here.end());
                }
            }
        });
        there.recv().await;
        drop(there);

        let (error, end) = timeout(PATIENCE, sending).await??;
        assert_eq!(error, DirectSendError::Closed);
        assert_eq!(end, Some(ChannelEnd::Partner));
    }
    // Nothing of it is left in the receive buffer, which all channels share.
    talk(&a.connection, &mut b).await;
    talk(&b.connection, &mut a).await;
    let last = a.connection.open("last", ChannelOptions::default()).await?;
    let there = b.channel().await;
    assert!(fill(&last).await > WINDOW / 2);
    drop(there);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_does_not_count_has_its_channel_closed_and_only_that() -> Outcome {
    let (mut partner, mut here) = bare().await?;
    let channel = here.channel().await;
    let raw = Arc::clone(&partner.raw);

    let mut flood = TaskTracker::new().spawn(async move {
        for _ in 0..2048 {
            let chunk = vec![0; CHUNK];
            if raw.send(bytes::BytesMut::from(&chunk[..])).await.is_err() {
                return;
            }
        }
    });
    let end = async {
        while channel.end().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, end).await?;
    assert_eq!(channel.end(), Some(ChannelEnd::Unread));
    assert_eq!(channel.recv().await, None, "what was unread is gone");
    assert_eq!(channel.send("x").await, Err(DirectSendError::Closed));

    // While it floods on, and after that. What its small UDP buffers lose, SCTP sends again after 1 s.
    for is_over in [false, true] {
        if is_over {
            timeout(PATIENCE, &mut flood).await??;
        }
        here.connection.send("there").await?;
        assert_eq!(timeout(PATIENCE, partner.message()).await?, b"there");
        partner.main.send_text("back").await?;
        assert_eq!(here.message().await, ChannelMessage::from("back"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_does_not_count_gets_no_messages_that_do() -> Outcome {
    let (mut partner, mut here) = bare().await?;
    let channel = here.channel().await;
    let chunk = vec![1; CHUNK];
    for _ in 0..256 {
        partner.raw.send(bytes::BytesMut::from(&chunk[..])).await?;
        channel.recv().await;
    }
    partner.raw.send(bytes::BytesMut::new()).await?;
    assert_eq!(channel.recv().await, Some(ChannelMessage::from(Vec::new())), "an empty one is one");

    channel.send("the only one").await?;
    assert_eq!(partner.message().await, b"the only one");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_read_still_tells_its_writer_that_what_was_written_is_lost() -> Outcome {
    let (a, mut b) = open().await;
    let mut stream = a.connection.open("file", ChannelOptions::default()).await?.into_stream();
    let _unread = b.channel().await;
    let full = timeout(PAUSE, stream.write_all(&vec![0; 2 * WINDOW])).await;
    assert!(full.is_err(), "the last chunk waits for the partner");

    b.connection.close().await;
    let read = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    let written = stream.shutdown().await.unwrap_err();

    assert_eq!(read.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(written.kind(), std::io::ErrorKind::BrokenPipe);
    Ok(())
}
