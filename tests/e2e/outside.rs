//! The plugin called from where it does not expect it: outside of the runtime, and by a subscriber of
//! its own log lines.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use tracing::{Event, Metadata, Subscriber, span};

use crate::support::{server::TestServer, wire::Wire};

async fn v1_pair(server: &TestServer) -> [Wire; 2] {
    let (mut a, mut b) = (Wire::v1(server, "A").await, Wire::v1(server, "B").await);
    server.knows("B").await;
    a.ask_for("B").await;
    b.accept().await;
    a.is_paired().await;
    [a, b]
}

#[tokio::test]
async fn the_plugin_may_be_called_on_a_thread_outside_of_the_runtime() {
    let server = TestServer::start().await;
    let [mut a, mut b] = v1_pair(&server).await;

    let p2p = server.p2p.clone();
    let called = std::thread::spawn(move || {
        p2p.kick(&"A".parse().unwrap());
        p2p.kick(&"B".parse().unwrap());
    });
    called.join().expect("it does not panic");

    a.is_closed().await;
    b.is_closed().await;
}

/// A subscriber of the plugin's log lines, which calls this for each.
struct Lines<F>(F);

impl<F: Fn() + Send + Sync + 'static> Subscriber for Lines<F> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("socketio_p2p_server")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        (self.0)();
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_subscriber_of_log_lines_may_call_the_plugin() {
    let server = TestServer::start().await;
    let (lines, was_blocked) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let (p2p, count, blocked) = (server.p2p.clone(), lines.clone(), was_blocked.clone());
    // It calls the plugin on a thread of its own, and waits for the result.
    let _curious = tracing::subscriber::set_default(Lines(move || {
        count.fetch_add(1, Ordering::Relaxed);
        let (done, is_done) = mpsc::channel();
        let p2p = p2p.clone();
        std::thread::spawn(move || done.send(p2p.stats()));
        if is_done.recv_timeout(Duration::from_secs(20)).is_err() {
            blocked.store(true, Ordering::Relaxed);
        }
    }));
    let [mut a, mut b] = v1_pair(&server).await;
    a.send(r#"427["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":"B","event":"ask","args":[1]}]"#).await;
    assert_eq!(b.event().await.0, "ask");

    // Its call is answered when it is gone: the acknowledgement fails, and that is logged.
    drop(a);
    assert_eq!(b.event().await.0, "P2P_DISCONNECT");
    drop(b);
    server.is_empty_soon().await;

    assert!(!was_blocked.load(Ordering::Relaxed), "a line was logged under a lock");
    assert!(lines.load(Ordering::Relaxed) > 0, "nothing was logged, so nothing was shown");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_hurts_no_pairing() {
    let server = TestServer::start().await;
    let lines = Arc::<AtomicUsize>::default();
    let count = lines.clone();
    let _broken = tracing::subscriber::set_default(Lines(move || {
        count.fetch_add(1, Ordering::Relaxed);
        // Without the hook, which would count as a failure of the test.
        std::panic::resume_unwind(Box::new("the disk is full"));
    }));

    let [mut a, mut b] = v1_pair(&server).await;
    a.send(r#"427["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":"B","event":"ask","args":[1]}]"#).await;
    assert_eq!(b.event().await.0, "ask");
    drop(a);
    assert_eq!(b.event().await.0, "P2P_DISCONNECT");
    drop(b);
    server.is_empty_soon().await;

    assert!(lines.load(Ordering::Relaxed) > 0, "nothing was logged, so nothing was shown");
}
