//! Calls that an application begins and then leaves alone: it neither polls nor drops them.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use futures_util::{FutureExt, StreamExt};
use socketio_p2p_client::direct::{
    ChannelMessage, ChannelOptions, ChannelStream, DirectChannel, DirectEvent,
};
use tokio::io::AsyncWrite;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::pair::PATIENCE;
use crate::{Outcome, open};

/// Channels on which calls are begun.
const CHANNELS: usize = 40;
/// Times that each call is polled before all are left alone. Some of the last polls meet the driver at the lock
/// of webrtc.
const PASSES: usize = 400;
/// Messages that are sent after the calls were left alone.
const MESSAGES: usize = 2_000;
/// Length of a message that keeps the driver busy.
const CHUNK: usize = 1 << 10;

type Call = Pin<Box<dyn Future<Output = ()>>>;

/// Leaves calls on raw channels alone while the driver is busy. The main channel must still carry what is sent.
async fn main_channel_outlives(begin: impl Fn(&DirectChannel) -> Call) -> Outcome {
    let (a, mut b) = open().await;
    let tasks = TaskTracker::new();
    let mut channels = Vec::new();
    for _ in 0..CHANNELS {
        channels.push(a.connection.open("parked", ChannelOptions::default()).await?);
        let there = b.channel().await;
        tasks.spawn(async move { while there.recv().await.is_some() {} });
    }
    let mut events = b.events;
    let reading = tasks.spawn(async move {
        let last = ChannelMessage::from("last");
        while !matches!(events.next().await, Some(DirectEvent::Message(message)) if message == last)
        {
        }
    });
    let is_done = Arc::new(AtomicBool::new(false));
    let sending = tasks.spawn({
        let (connection, is_done) = (a.connection.clone(), Arc::clone(&is_done));
        async move {
            while !is_done.load(Ordering::Relaxed) {
                connection.send(vec![0; CHUNK]).await.unwrap();
            }
            for _ in 0..MESSAGES {
                connection.send(vec![0; CHUNK]).await.unwrap();
            }
            connection.send("last").await.unwrap();
        }
    });

    let mut calls: Vec<Call> = channels.iter().map(&begin).collect();
    for _ in 0..PASSES {
        for (call, channel) in calls.iter_mut().zip(&channels) {
            if call.as_mut().now_or_never().is_some() {
                *call = begin(channel);
            }
        }
        tokio::task::yield_now().await;
    }
    is_done.store(true, Ordering::Relaxed);

    timeout(PATIENCE, reading).await.map_err(|_| "the main channel carries nothing any more")??;
    sending.await?;
    drop(calls);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_is_left_alone_holds_up_no_other_channel() -> Outcome {
    main_channel_outlives(|channel| {
        let channel = channel.clone();
        Box::pin(async move { channel.send(vec![0; CHUNK]).await.unwrap() })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_delivery_that_is_left_alone_holds_up_no_other_channel() -> Outcome {
    main_channel_outlives(|channel| {
        let channel = channel.clone();
        Box::pin(async move { channel.delivered().await.unwrap() })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_left_alone_holds_up_no_other_channel() -> Outcome {
    main_channel_outlives(|channel| {
        let mut stream = channel.clone().into_stream();
        Box::pin(std::future::poll_fn(move |context| {
            while Pin::new(&mut stream).poll_write(context, &[0; CHUNK]).is_ready() {}
            Poll::Pending
        }))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stream_has_accepted_is_sent_without_another_call() -> Outcome {
    let (a, mut b) = open().await;
    let mut stream = a.connection.open("file", ChannelOptions::default()).await?.into_stream();
    let there = b.channel().await;

    let accepted = write_all_that_is_taken(&mut stream)?;
    let mut received = 0;
    while received < accepted {
        let message = timeout(PATIENCE, there.recv()).await.map_err(|_| "accepted and not sent")?;
        received += message.ok_or("the end too early")?.len();
    }

    assert_eq!(received, accepted);
    Ok(())
}

/// Writes until a write has to wait. Returns the number of bytes that were accepted.
fn write_all_that_is_taken(stream: &mut ChannelStream) -> std::io::Result<usize> {
    let mut accepted = 0;
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(written) = pin!(&mut *stream).poll_write(&mut context, &[0; 4096]) {
        accepted += written?;
    }
    Ok(accepted)
}
