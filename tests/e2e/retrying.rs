//! Attempts to connect that are repeated, and what is shown on each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rust_socketio::asynchronous::ClientBuilder;
use serde_json::{Value, json};
use socketio_p2p_client::{
    Code, ConnectError, ConnectFailure, Event, P2pBuilder, P2pBuilderExt as _, P2pClientExt,
};
use socketio_p2p_server::{Event as ServerEvent, P2pServer};
use socketioxide::{extract::SocketRef, handler::ConnectHandler as _};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::{
    LONG,
    cable::Cable,
    clients::{assert_echoes, client, client_at, connect, event, pair, refused},
    panics,
    server::{TestServer, next, patient},
    soon,
};

fn quick(builder: P2pBuilder) -> P2pBuilder {
    builder.backoff(Duration::from_millis(5), Duration::from_millis(20))
}

/// A server whose own middleware refuses so many connections, and then no more.
async fn refusing(first: usize) -> TestServer {
    TestServer::with(|io| {
        let p2p = P2pServer::builder().limits(patient()).build();
        let connected = async || {};
        let refused = Arc::new(AtomicUsize::new(0));
        let middleware = move |_: SocketRef| {
            let is_refused = refused.fetch_add(1, Ordering::SeqCst) < first;
            std::future::ready(if is_refused { Err("token expired") } else { Ok(()) })
        };
        io.ns("/", p2p.wrap(connected.with(middleware)));
        p2p
    })
    .await
}

/// Returns the text of the next refusal of a connection.
async fn refusal(events: &mut socketio_p2p_client::Events) -> String {
    event(events, |event| match event {
        Event::ConnectError(ConnectFailure::Refused(refusal)) => Some(refusal.message.into_owned()),
        Event::Disconnected => panic!("it is final"),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_by_the_applications_middleware_is_no_end_and_keeps_its_text() {
    let before = TestServer::with_grace().await;
    let cable = Cable::to(before.address).await;
    let [a, b] = pair(&before, quick(client_at(&cable.url, "A")), client_at(&cable.url, "B")).await;
    let mut events = a.events();
    drop(b);
    let after = refusing(3).await;

    cable.redirect(after.address);
    cable.sever();

    for _ in 0..2 {
        assert_eq!(refusal(&mut events).await, "token expired");
    }
    event(&mut events, |event| matches!(event, Event::Restarted(_)).then_some(())).await;
    let _b = connect(&after, "B").await;
    soon(a.register_target("B")).await.unwrap();
    assert_echoes(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_attempt_is_repeated_if_that_is_wanted_and_each_failure_is_an_event() {
    let server = refusing(3).await;
    let builder = quick(client(&server, "A"));

    let once = soon(builder.clone().connect()).await;
    assert!(
        matches!(&once, Err(ConnectError::Rejected(why)) if why == "token expired"),
        "{once:?}"
    );
    let a = soon(builder.retry_connect(LONG).connect()).await.unwrap();

    let mut events = a.events();
    for _ in 0..2 {
        assert_eq!(refusal(&mut events).await, "token expired");
    }
    let next = soon(events.recv()).await.unwrap();
    assert!(matches!(next, Event::Connected(_)), "{next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_failure_is_returned_when_the_time_for_the_first_attempt_is_over() {
    let server = refusing(usize::MAX).await;

    let builder = quick(client(&server, "A")).retry_connect(Duration::from_millis(100));
    let result = soon(builder.connect()).await;

    assert!(
        matches!(&result, Err(ConnectError::Rejected(why)) if why == "token expired"),
        "{result:?}"
    );
}

/// A server that cannot be reached the first times, but then.
async fn late(server: &TestServer, first: usize) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let address = server.address;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        for number in 0.. {
            let (mut near, _) = listener.accept().await.unwrap();
            if number >= first {
                connections.spawn(async move {
                    let mut far = TcpStream::connect(address).await.unwrap();
                    copy_bidirectional(&mut near, &mut far).await.ok();
                });
            }
        }
    });
    (url, tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_start_before_its_server() {
    let server = TestServer::start().await;
    let (url, _tasks) = late(&server, 3).await;

    let a = soon(quick(client_at(&url, "A")).retry_connect(LONG).connect()).await.unwrap();

    let mut events = a.events();
    for _ in 0..3 {
        let failed = soon(events.recv()).await.unwrap();
        assert!(
            matches!(failed, Event::ConnectError(ConnectFailure::Unreachable(_))),
            "{failed:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clones_of_a_builder_make_clients_of_their_own() {
    let server = TestServer::start().await;
    let builder = client(&server, "A");
    let other = builder.clone().on2("ping", async |_| Ok("pong"));
    let b = connect(&server, "B").await;

    for (builder, is_known) in [(builder, false), (other, true)] {
        let a = soon(builder.connect()).await.unwrap();
        soon(b.register_target("A")).await.unwrap();
        let pong = soon(b.emit2("ping", ()).into_future()).await;
        assert_eq!(pong.is_ok(), is_known, "{pong:?}");
        assert_echoes(&b).await;
        soon(a.close()).await;
        server.becomes(1, 0, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_asked_for_the_auth_before_each_attempt() {
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let provide = {
        let asked = asked.clone();
        move || {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            std::future::ready(match number {
                0 | 3 => Err("the vault is sealed"),
                _ => Ok(json!({ "token": number })),
            })
        }
    };
    let builder = quick(client_at(&cable.url, "A")).auth_with(provide);

    let failed = soon(builder.clone().connect()).await;
    assert!(
        matches!(&failed, Err(ConnectError::NoAuth(why)) if why == "the vault is sealed"),
        "{failed:?}"
    );
    let [a, b] = pair(&server, builder, client(&server, "B")).await;
    let mut events = a.events();
    for _ in 0..2 {
        cable.sever();
        event(&mut events, |event| matches!(event, Event::Resumed(_)).then_some(())).await;
    }

    assert_eq!(asked.load(Ordering::SeqCst), 5);
    assert_echoes(&b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auth_that_is_no_object_is_refused_before_anything_is_sent() {
    let server = TestServer::start().await;
    let provide = async || Ok::<_, String>(Value::from(7));

    let result = soon(client(&server, "A").auth_with(provide).connect()).await;

    assert!(matches!(result, Err(ConnectError::NoAuth(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_builder_says_that_it_connects_once() {
    let server = TestServer::start().await;
    let builder = ClientBuilder::new(&server.url).p2p("A");

    let connected = soon(builder.clone().retry_connect(LONG).connect()).await;

    assert!(matches!(connected, Err(ConnectError::SingleBuilder)), "{connected:?}");
    soon(builder.connect()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_repeated_until_its_target_is_there() {
    let server = TestServer::start().await;
    let a = soon(client(&server, "A").connect()).await.unwrap();
    let mut events = server.p2p.events();

    let comes = async {
        let offline = |event| matches!(event, ServerEvent::Refused { .. }).then_some(());
        next(&mut events, offline).await;
        soon(client(&server, "B").connect()).await.unwrap()
    };
    let registering = soon(a.register_target("B").retry(LONG));
    let (registered, _b) = tokio::join!(registering, comes);

    assert_eq!(registered.unwrap().partner.as_str(), "B");
    // A refusal that does not pass is returned at once.
    assert_eq!(refused(soon(a.register_target("A").retry(LONG)).await), Code::SelfTarget);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_refusal_is_returned_when_the_time_for_a_registration_is_over() {
    let server = TestServer::start().await;
    let a = soon(client(&server, "A").connect()).await.unwrap();

    let registered = soon(a.register_target("B").retry(Duration::from_millis(600))).await;

    assert_eq!(refused(registered), Code::Offline);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_attempt_is_made_once_within_no_time_and_repeated_within_an_endless_one() {
    let server = refusing(3).await;

    // Zero counts as 1 ms, and a second attempt would begin after 100 ms.
    let once = soon(client(&server, "A").retry_connect(Duration::ZERO).connect()).await;
    assert!(
        matches!(&once, Err(ConnectError::Rejected(why)) if why == "token expired"),
        "{once:?}"
    );
    let endless = quick(client(&server, "A")).retry_connect(Duration::MAX);
    let a = soon(endless.connect()).await.unwrap();

    let mut events = a.events();
    for _ in 0..2 {
        assert_eq!(refusal(&mut events).await, "token expired");
    }
    let next = soon(events.recv()).await.unwrap();
    assert!(matches!(next, Event::Connected(_)), "{next:?}");
    panics::assert_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_made_once_within_no_time_and_repeated_within_an_endless_one() {
    let server = TestServer::start().await;
    let a = soon(client(&server, "A").connect()).await.unwrap();
    let mut events = server.p2p.events();
    let mut offline = async || {
        next(&mut events, |event| match event {
            ServerEvent::Refused { target, .. } => Some(target.to_string()),
            _ => None,
        })
        .await
    };

    // Zero counts as 1 ms, and a second attempt would begin after 500 ms.
    let once = soon(a.register_target("B").retry(Duration::ZERO)).await;
    assert_eq!((refused(once), offline().await), (Code::Offline, "B".to_owned()));
    let comes = async {
        // The next refusal is one of this target: there was one attempt before.
        assert_eq!(offline().await, "C");
        soon(client(&server, "C").connect()).await.unwrap()
    };
    let registering = soon(a.register_target("C").retry(Duration::MAX));
    let (registered, _c) = tokio::join!(registering, comes);

    assert_eq!(registered.unwrap().partner.as_str(), "C");
    panics::assert_none();
}
