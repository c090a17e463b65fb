//! Pairings that a restarted server has forgotten, and whose direct path stands.

use std::time::Duration;

use socketio_p2p_client::{Code, Event, P2pClientExt as _, Path};
use socketio_p2p_server::{ClientId, Event as ServerEvent, P2pServer};

use crate::{
    direct::{direct, path},
    support::{
        cable::Cable,
        clients::{client_at, event, pair, refused},
        server::{TestServer, next, patient},
        soon,
    },
};

/// A server on which only P may register others.
async fn one_way() -> TestServer {
    TestServer::with(|io| {
        let authorize = |source: &ClientId, _: &ClientId| source.as_str() == "P";
        P2pServer::builder().limits(patient()).authorize(authorize).attach(io)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_one_direction_lets_a_pairing_stand_whichever_end_returns_first() {
    for first in [0, 1] {
        let before = one_way().await;
        let cables = [Cable::to(before.address).await, Cable::to(before.address).await];
        let quick = |end: usize, id| {
            let builder = direct(client_at(&cables[end].url, id));
            builder.backoff(Duration::from_millis(20), Duration::from_millis(200))
        };
        let ends = pair(&before, quick(0, "P"), quick(1, "T")).await;
        let mut events = ends.each_ref().map(|end| end.events());
        for at in &mut events {
            path(at, Path::Direct).await;
        }
        let pairing = ends[0].pairing().map(|pairing| pairing.id);

        let after = one_way().await;
        let mut at_server = after.p2p.events();
        for end in [first, 1 - first] {
            cables[end].redirect(after.address);
            cables[end].sever();
            event(&mut events[end], |event| matches!(event, Event::Restarted(_)).then_some(()))
                .await;
            if [first, end] == [0, 0] {
                let code = next(&mut at_server, |event| match event {
                    ServerEvent::Refused { code, .. } => Some(code),
                    _ => None,
                });
                assert_eq!(code.await, Code::Offline);
            }
        }

        for at in &mut events {
            let stands = |event| match event {
                Event::Unpaired { reason, .. } => panic!("{reason}, {first} was first"),
                Event::Reasserted(_) => Some(()),
                _ => None,
            };
            event(at, stands).await;
        }
        let [source, target] = ends.each_ref().map(|end| end.pairing().unwrap());
        assert_eq!(source.id, target.id);
        assert_ne!(Some(source.id), pairing);
        assert_eq!((source.initiator, target.initiator), (true, false));
        soon(ends[1].unregister_target()).await.unwrap();
        assert_eq!(refused(soon(ends[1].register_target("P")).await), Code::Forbidden);
    }
}
