//! The direct path: taken, left and taken again under a session that does not notice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::join_all};
use serde_json::{Value, json};
use socketio_p2p_client::{
    Cause, Code, EmitError, Event, Events, Incoming, P2pBuilder, P2pClient, P2pClientExt, Path,
    PathConfig, PathPolicy,
    direct::{ChannelError, ChannelMessage, ChannelOptions, DirectChannel, DirectConfig},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
};

use crate::support::{
    LONG,
    cable::Cable,
    clients::{client, client_at, event, pair},
    server::TestServer,
    soon,
};

/// A client that takes a direct path again at once, and does not leave it because the machine is
/// busy.
pub(crate) fn direct(builder: P2pBuilder) -> P2pBuilder {
    let mut paths = PathConfig::default();
    paths.heartbeat_timeout = Duration::from_secs(30);
    paths.retry_min = Duration::from_millis(50);
    paths.hold = Duration::from_millis(100);
    builder.path_policy(PathPolicy::PreferDirect).paths(paths)
}

/// Waits until this carries what is emitted; its round-trip time.
pub(crate) async fn path(events: &mut Events, wanted: Path) -> Option<Duration> {
    event(events, |event| match event {
        Event::Path { path: Some(path), rtt } if path == wanted => Some(rtt),
        _ => None,
    })
    .await
}

async fn direct_pair(server: &TestServer) -> ([P2pClient; 2], [Events; 2]) {
    let (a, b) = (direct(client(server, "A")), direct(client(server, "B")));
    let [a, b] = pair(server, a, b).await;
    let (mut at_a, mut at_b) = (a.events(), b.events());
    path(&mut at_a, Path::Direct).await;
    path(&mut at_b, Path::Direct).await;
    ([a, b], [at_a, at_b])
}

async fn route_of(client: &P2pClient) -> Path {
    let reply = soon(client.emit2("echo", "hi").with_reply()).await.unwrap();
    assert_eq!(reply.values(), [json!(["hi"])]);
    reply.path()
}

fn not_executed(result: Result<Value, EmitError>) -> Code {
    match result {
        Err(EmitError::NotExecuted { cause: Cause::Code(code), .. }) => code,
        other => panic!("executed: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pairing_talks_by_the_relay_at_once_and_directly_as_soon_as_a_channel_is_open() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, direct(client(&server, "A")), direct(client(&server, "B"))).await;
    let (mut at_a, mut at_b) = (a.events(), b.events());

    let rtt = path(&mut at_a, Path::Direct).await.unwrap();
    path(&mut at_b, Path::Direct).await;

    assert!(rtt > Duration::ZERO, "{rtt:?}");
    assert_eq!(route_of(&a).await, Path::Direct);
    assert_eq!(route_of(&b).await, Path::Direct);
    let blob = Bytes::from(vec![7; 300_000]);
    let back: Value = soon(a.emit2("echo", (blob, "with a blob"))).await.unwrap();
    assert_eq!(back[1], "with a blob");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emit_may_be_forced_onto_a_path_and_fails_typed_where_there_is_none() {
    let server = TestServer::start().await;
    let ([a, _b], _) = direct_pair(&server).await;
    for path in [Path::Direct, Path::Relay] {
        let reply = soon(a.emit2("echo", 1).via(path).with_reply()).await.unwrap();
        assert_eq!(reply.values(), [json!([1])]);
    }

    let [c, _d] = pair(&server, client(&server, "C"), client(&server, "D")).await;
    let refused = soon(c.emit2("echo", 1).via(Path::Direct)).await;
    assert_eq!(not_executed(refused), Code::NoRoute);
    assert_eq!(route_of(&c).await, Path::Relay);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_forbids_the_direct_path_gets_none() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, direct(client(&server, "A")), client(&server, "B")).await;

    assert!(!a.pairing().unwrap().direct);
    assert!(!b.pairing().unwrap().direct);
    let opened = a.channel("files", ChannelOptions::default()).await;
    assert_eq!(opened.unwrap_err(), ChannelError::NotOpen);
    assert_eq!(route_of(&a).await, Path::Relay);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_holds_whatever_else_is_said_of_paths_and_in_the_auth() {
    let server = TestServer::start().await;
    let a = client(&server, "A")
        .path_policy(PathPolicy::RelayOnly)
        .paths(PathConfig::default())
        .auth(json!({ "direct": true }));

    let [a, b] = pair(&server, a, direct(client(&server, "B"))).await;

    assert!(!a.pairing().unwrap().direct);
    assert!(!b.pairing().unwrap().direct);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_room_on_its_channel_whatever_the_send_buffer_is_set_to() {
    let server = TestServer::start().await;
    let [a, b] = ["A", "B"].map(|id| {
        let mut config = DirectConfig::default();
        config.send_buffer_bytes = 1;
        direct(client(&server, id)).direct(config)
    });
    let [a, _b] = pair(&server, a, b).await;
    path(&mut a.events(), Path::Direct).await;

    let blob = Bytes::from(vec![7; 30_000]);
    let replies =
        join_all((0..64).map(async |_| a.emit2("echo", blob.clone()).with_reply().await)).await;

    for reply in replies {
        assert_eq!(reply.unwrap().path(), Path::Direct);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_nothing_but_the_direct_path_waits_for_it() {
    let server = TestServer::start().await;
    let only = |id| direct(client(&server, id)).path_policy(PathPolicy::DirectOnly);
    let a = soon(only("A").connect()).await.unwrap();
    let b = soon(only("B").connect()).await.unwrap();

    soon(a.register_target("B")).await.unwrap();

    assert_eq!(route_of(&a).await, Path::Direct);
    assert_eq!(route_of(&b).await, Path::Direct);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_complete_each_once_and_in_order_while_the_path_comes_and_goes() {
    const CALLS: usize = 3_000;
    let server = TestServer::start().await;
    let place = AtomicUsize::new(0);
    let b = direct(client(&server, "B")).on2("count", move |incoming: Incoming| {
        let place = place.fetch_add(1, Ordering::Relaxed);
        async move { Ok((incoming.args::<usize>()?, place)) }
    });
    let [a, _b] = pair(&server, direct(client(&server, "A")), b).await;
    let mut at_a = a.events();

    let calls = async {
        for first in (0..CALLS).step_by(50) {
            join_all((first..first + 50).map(async |call| {
                let reply = a.emit2("count", call).timeout(LONG).with_reply().await.unwrap();
                assert_eq!(reply.args::<(usize, usize)>().unwrap(), (call, call));
            }))
            .await;
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    let flips = async {
        let mut flips = 0;
        loop {
            path(&mut at_a, Path::Direct).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            a.network_changed();
            path(&mut at_a, Path::Relay).await;
            flips += 1;
            if flips == 4 {
                return;
            }
        }
    };

    soon(futures_util::future::join(calls, flips)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_talk_on_while_the_server_cannot_be_reached_and_their_pairing_stands_afterwards() {
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let quick = |id| {
        direct(client_at(&cable.url, id))
            .heartbeat(Duration::from_millis(200), Duration::from_millis(600))
            .backoff(Duration::from_millis(20), Duration::from_millis(200))
    };
    let [a, b] = pair(&server, quick("A"), quick("B")).await;
    let (mut at_a, mut at_b) = (a.events(), b.events());
    path(&mut at_a, Path::Direct).await;
    path(&mut at_b, Path::Direct).await;

    cable.sever();

    event(&mut at_a, |event| (event == Event::Away).then_some(())).await;
    assert_eq!(route_of(&a).await, Path::Direct);
    event(&mut at_a, |event| matches!(event, Event::Resumed(_)).then_some(())).await;
    assert_eq!(route_of(&b).await, Path::Direct);
    server.becomes(2, 0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_of_its_own_carries_text_and_bytes_as_they_are_both_ways() {
    let server = TestServer::start().await;
    let ([a, b], _) = direct_pair(&server).await;
    b.on_channel(|channel: DirectChannel| async move {
        while let Some(message) = channel.recv().await {
            channel.send(message).await.unwrap();
        }
    });

    let channel = soon(a.channel("mirror", ChannelOptions::default())).await.unwrap();
    assert_eq!(channel.label(), "mirror");
    let bytes = ChannelMessage::from(vec![0, 255, 3]);
    for message in [ChannelMessage::from("text"), bytes] {
        channel.send(message.clone()).await.unwrap();
        assert_eq!(soon(channel.recv()).await, Some(message));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_a_stream_of_bytes_too_and_only_its_partner_ends_it() {
    let server = TestServer::start().await;
    let ([a, b], _) = direct_pair(&server).await;
    let (sender, mut received) = tokio::sync::mpsc::channel(1);
    a.on_channel(move |channel: DirectChannel| {
        let sender = sender.clone();
        async move {
            let mut bytes = vec![0; 1 << 20];
            let mut stream = channel.into_stream();
            stream.read_exact(&mut bytes).await.unwrap();
            sender.send(Ok(bytes)).await.unwrap();
            let end = stream.read_to_end(&mut Vec::new()).await;
            sender.send(end.map(|more| vec![0; more])).await.unwrap();
        }
    });
    let sent: Vec<u8> = (0..1 << 20).map(|place: u32| (place / 7) as u8).collect();

    for shuts_down in [true, false] {
        let channel = soon(b.channel("bytes", ChannelOptions::default())).await.unwrap();
        let mut stream = channel.into_stream();
        soon(stream.write_all(&sent)).await.unwrap();
        soon(stream.flush()).await.unwrap();
        assert!(soon(received.recv()).await.unwrap().unwrap() == sent);
        if shuts_down {
            soon(stream.shutdown()).await.unwrap();
            assert_eq!(soon(received.recv()).await.unwrap().unwrap(), b"", "the end");
        } else {
            // Nobody said that this was all.
            soon(b.unregister_target()).await.unwrap();
            let error = soon(received.recv()).await.unwrap().unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_whose_reader_pauses_holds_up_neither_the_session_nor_its_path() {
    const CHUNK: usize = 16 << 10;
    const CHUNKS: usize = (64 << 20) / CHUNK;
    let server = TestServer::start().await;
    // No relay that could carry instead of what is held up.
    let only = |id| direct(client(&server, id)).path_policy(PathPolicy::DirectOnly);
    let [a, b] = pair(&server, only("A"), only("B")).await;
    let (mut at_a, mut at_b) = (a.events(), b.events());
    let (ready, mut paused) = tokio::sync::mpsc::channel(1);
    let go_on = Arc::new(Notify::new());
    let is_to_go_on = Arc::clone(&go_on);
    a.on_channel(move |channel: DirectChannel| {
        let (ready, is_to_go_on) = (ready.clone(), Arc::clone(&is_to_go_on));
        async move {
            channel.recv().await.unwrap();
            ready.send(()).await.unwrap();
            is_to_go_on.notified().await;
            for _ in 1..CHUNKS {
                assert_eq!(channel.recv().await.unwrap().len(), CHUNK);
            }
            assert_eq!(channel.recv().await, None);
            ready.send(()).await.unwrap();
        }
    });
    let channel = soon(b.channel("bulk", ChannelOptions::default())).await.unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let mut sending = tokio::task::JoinSet::new();
    sending.spawn({
        let sent = Arc::clone(&sent);
        async move {
            for _ in 0..CHUNKS {
                channel.send(vec![0; CHUNK]).await.unwrap();
                sent.fetch_add(1, Ordering::Relaxed);
            }
            channel.close().await;
        }
    });

    soon(paused.recv()).await.unwrap();
    for _ in 0..100 {
        assert_eq!(route_of(&a).await, Path::Direct);
        assert_eq!(route_of(&b).await, Path::Direct);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let unread = sent.load(Ordering::Relaxed) * CHUNK;
    assert!(unread <= (1 << 20) + 2 * CHUNK, "{unread}");

    go_on.notify_one();
    tokio::time::timeout(LONG, paused.recv()).await.unwrap().unwrap();
    soon(sending.join_next()).await.unwrap().unwrap();
    for events in [&mut at_a, &mut at_b] {
        while let Some(event) = events.recv().now_or_never() {
            assert!(!matches!(event, Ok(Event::Path { path: None, .. })), "{event:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_nobody_handles_is_closed_again() {
    let server = TestServer::start().await;
    let ([a, _b], _) = direct_pair(&server).await;

    let channel = soon(a.channel("unheard of", ChannelOptions::default())).await.unwrap();

    assert_eq!(soon(channel.recv()).await, None);
    assert_eq!(route_of(&a).await, Path::Direct);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_leaves_nothing_and_takes_no_longer_than_the_partner_needs() {
    let server = TestServer::start().await;
    let [a, b] = ["A", "B"].map(|id| {
        let mut config = DirectConfig::default();
        config.linger = LONG;
        direct(client(&server, id)).direct(config)
    });
    let [a, b] = pair(&server, a, b).await;
    path(&mut a.events(), Path::Direct).await;

    // Their linger would outlast the test.
    soon(a.close()).await;
    soon(b.close()).await;

    server.is_empty_soon().await;
}
