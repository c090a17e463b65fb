//! The end of the server.

use std::time::Duration;

use socketio_p2p_client::{
    Cause, Code, ConnectError, EmitError, EndReason, HandlerError, Incoming, P2pClientExt,
    RegisterError,
};
use socketio_p2p_server::EventsError;

use crate::support::{
    LONG,
    clients::{all_unpaired, client, connect, pair, unpaired},
    server::TestServer,
    soon,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_tells_its_clients_and_answers_their_calls() {
    let server = TestServer::start().await;
    let never = async |_: Incoming| {
        std::future::pending::<()>().await;
        Ok::<_, HandlerError>(())
    };
    let [a, b] =
        pair(&server, client(&server, "A"), client(&server, "B").on2("never", never)).await;
    let (c, d) = (connect(&server, "C").await, connect(&server, "D").await);
    let (asked, mut is_asked) = tokio::sync::mpsc::channel(1);
    d.on_register(move |_| {
        asked.try_send(()).unwrap();
        std::future::pending::<bool>()
    });
    let (at_a, at_b) = (a.events(), b.events());

    let calling = async { a.emit2("never", ()).timeout(LONG).await };
    let registering = async { c.register_target("D").timeout(LONG).await };
    let closing = async {
        is_asked.recv().await.unwrap();
        server.p2p.close().await;
    };
    let (called, registered, ()) =
        soon(async { tokio::join!(calling, registering, closing) }).await;

    let shutting_down = Cause::Ended(EndReason::ShuttingDown);
    match called.unwrap_err() {
        EmitError::Unknown { cause, .. } => assert_eq!(cause, shutting_down),
        other => panic!("{other:?}"),
    }
    match registered.unwrap_err() {
        RegisterError::Refused { refusal, .. } => assert_eq!(refusal.code, Code::ShuttingDown),
        other => panic!("{other:?}"),
    }
    for (client, mut events) in [(a, at_a), (b, at_b)] {
        assert_eq!(unpaired(&mut events).await, EndReason::ShuttingDown);
        soon(client.close()).await;
        assert_eq!(all_unpaired(events).await, [], "told once");
    }
    let left = server.p2p.stats();
    assert_eq!((left.clients, left.requests, left.pairings), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closed_takes_no_clients_and_can_be_closed_again() {
    let server = TestServer::start().await;
    let a = connect(&server, "A").await;
    let mut events = server.p2p.events();

    soon(server.p2p.close()).await;
    soon(server.p2p.close()).await;

    let refused = soon(client(&server, "B").connect()).await;
    assert!(matches!(refused, Err(ConnectError::Refused(Code::ShuttingDown))), "{refused:?}");
    let told = soon(async {
        loop {
            if let Err(error) = events.recv().await {
                return error;
            }
        }
    });
    assert_eq!(told.await, EventsError::Closed);
    // It tries to come back: the server might be another one soon.
    let result = soon(a.register_target("B").timeout(Duration::from_millis(100))).await;
    assert!(matches!(result, Err(RegisterError::Timeout { .. })), "{result:?}");
    soon(a.close()).await;
    let result = soon(a.register_target("B")).await;
    assert!(matches!(result, Err(RegisterError::Closed { .. })), "{result:?}");
}
