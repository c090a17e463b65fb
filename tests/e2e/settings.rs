//! Settings at both ends of the range of their types.

use std::{future::pending, time::Duration};

use futures_util::future::join;
use socketio_p2p_client::{
    Cause, Code, EmitError, Event, P2pBuilder, P2pClient, P2pClientExt, PairingRequest, PathConfig,
    PathPolicy, direct::DirectConfig,
};
use socketio_p2p_protocol::limits::CONSENT_TIME_MAX;
use socketio_p2p_server::{P2pServer, Rate, ServerLimits};
use tokio::sync::mpsc;

use crate::support::{
    cable::Cable,
    clients::{assert_echoes, client, client_at, connect, event, pair, refused},
    panics,
    server::TestServer,
    soon,
};

/// Sets every duration of the direct path.
fn direct(builder: P2pBuilder, duration: Duration) -> P2pBuilder {
    let mut paths = PathConfig::default();
    paths.timeout = duration;
    paths.heartbeat_interval = duration;
    paths.heartbeat_timeout = duration;
    paths.restart_after = duration;
    paths.retry_min = duration;
    paths.retry_max = duration;
    paths.hold = duration;
    let mut direct = DirectConfig::default();
    direct.open_timeout = duration;
    direct.silent_after = duration;
    direct.failed_after = duration;
    direct.keep_alive = duration;
    direct.linger = duration;
    builder.path_policy(PathPolicy::PreferDirect).paths(paths).direct(direct)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_whose_every_duration_is_endless_talk_and_close() {
    let server = TestServer::with_grace().await;
    let endless = |id| {
        direct(client(&server, id), Duration::MAX)
            .connect_timeout(Duration::MAX)
            .heartbeat(Duration::MAX, Duration::MAX)
            .backoff(Duration::MAX, Duration::MAX)
    };
    let [a, b] = pair(&server, endless("A"), endless("B")).await;

    assert_echoes(&a).await;
    soon(b.emit2("echo", 1).timeout(Duration::MAX).ttl(Duration::MAX)).await.unwrap();
    soon(b.unregister_target().timeout(Duration::MAX)).await.unwrap();
    soon(a.register_target("B").timeout(Duration::MAX)).await.unwrap();

    soon(join(a.close(), b.close())).await;
    server.is_empty_soon().await;
    panics::assert_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_path_whose_every_duration_is_zero_leaves_the_relay_to_work() {
    let server = TestServer::start().await;
    let hasty = |id| direct(client(&server, id), Duration::ZERO);
    let [a, b] = pair(&server, hasty("A"), hasty("B")).await;

    assert_echoes(&a).await;
    assert_echoes(&b).await;

    soon(join(a.close(), b.close())).await;
    server.is_empty_soon().await;
    panics::assert_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_heartbeat_and_backoff_are_zero_reconnects_without_end_until_it_is_closed() {
    let server = TestServer::with_grace().await;
    let hasty = client(&server, "A")
        .heartbeat(Duration::ZERO, Duration::ZERO)
        .backoff(Duration::ZERO, Duration::ZERO);
    let a = soon(hasty.connect()).await.unwrap();
    let mut events = a.events();

    for _ in 0..3 {
        event(&mut events, |event| (event == Event::Away).then_some(())).await;
    }

    soon(a.close()).await;
    panics::assert_none();
}

/// Returns limits whose every rate has this period, and a burst that no story exhausts.
fn rates(period: Duration) -> ServerLimits {
    let rate = Rate::new(1, period).burst(u32::MAX);
    let limits = ServerLimits::default().messages(rate).bytes(rate).registrations(rate);
    limits.lists(rate).signals(rate).strikes(rate)
}

/// Connects a target that sends the time it may think to the receiver, and consents unless the time is short.
async fn thinking(server: &TestServer, id: &str) -> (P2pClient, mpsc::Receiver<Duration>) {
    let (asked, times) = mpsc::channel(2);
    let decide = move |request: PairingRequest| {
        let asked = asked.clone();
        async move {
            asked.send(request.consent_time).await.unwrap();
            if request.consent_time < Duration::from_secs(1) { pending().await } else { true }
        }
    };
    (soon(client(server, id).on_register(decide).connect()).await.unwrap(), times)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_every_duration_is_endless_pairs_keeps_lines_and_closes() {
    let server = TestServer::with(|io| {
        let builder = P2pServer::builder().limits(rates(Duration::MAX));
        let builder = builder.grace(Duration::MAX).line_time(Duration::MAX);
        builder.consent_time(Duration::MAX).attach(io)
    })
    .await;
    let (b, mut times) = thinking(&server, "B").await;
    let [a, c] = [connect(&server, "A").await, connect(&server, "C").await];

    soon(a.register_target("B").consent_time(Duration::MAX)).await.unwrap();
    assert_eq!(soon(times.recv()).await, Some(CONSENT_TIME_MAX));
    assert_echoes(&a).await;
    assert_echoes(&b).await;
    let mut events = c.events();
    let waiting = soon(c.register_target("B").wait_in_line(Duration::MAX));
    let leaving = async {
        event(&mut events, |event| matches!(event, Event::InLine { .. }).then_some(())).await;
        soon(a.unregister_target()).await.unwrap();
    };
    let (registered, ()) = tokio::join!(waiting, leaving);
    registered.unwrap();
    assert_echoes(&c).await;

    soon(join(a.close(), join(b.close(), c.close()))).await;
    server.is_empty_soon().await;
    panics::assert_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_every_duration_is_zero_refuses_what_takes_time_and_closes() {
    let server = TestServer::with(|io| {
        let builder = P2pServer::builder().limits(rates(Duration::ZERO));
        let builder = builder.grace(Duration::ZERO).line_time(Duration::ZERO);
        builder.consent_time(Duration::ZERO).attach(io)
    })
    .await;
    let (b, mut times) = thinking(&server, "B").await;
    let a = connect(&server, "A").await;

    // Nobody decides within 1 ms: the target declines then, and the server gives up then. Either may be first.
    let asked = soon(a.register_target("B").consent_time(Duration::MAX)).await;
    assert!(matches!(refused(asked), Code::Timeout | Code::Declined));
    assert_eq!(soon(times.recv()).await, Some(Duration::from_millis(1)));
    let absent = soon(a.register_target("C").wait_in_line(Duration::MAX)).await;
    assert_eq!(refused(absent), Code::Offline);
    // Without a grace period, a client that is lost is gone.
    let cable = Cable::to(server.address).await;
    let d = soon(client_at(&cable.url, "D").connect()).await.unwrap();
    let mut events = d.events();
    cable.sever();
    event(&mut events, |event| matches!(event, Event::Restarted(_)).then_some(())).await;

    soon(join(a.close(), join(b.close(), d.close()))).await;
    server.is_empty_soon().await;
    panics::assert_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emit_that_lives_for_no_time_is_not_executed() {
    let server = TestServer::start().await;
    let [a, _b] = pair(&server, client(&server, "A"), client(&server, "B")).await;

    let error = soon(a.emit2("echo", 1).ttl(Duration::ZERO)).await.unwrap_err();

    let cause = Cause::Code(Code::Expired);
    assert!(matches!(error, EmitError::NotExecuted { cause: c, .. } if c == cause), "{error:?}");
    assert_echoes(&a).await;
    panics::assert_none();
}
