//! Registrations that meet on the way.

use futures_util::future::{join, join_all, join3};
use socketio_p2p_client::{Code, P2pClient, P2pClientExt, RegisterError};

use crate::support::{
    clients::{assert_echoes, connect, refused},
    server::TestServer,
    soon,
};

const ROUNDS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn two_that_register_each_other_at_once_are_one_pairing() {
    let server = TestServer::start().await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);

    for round in 0..ROUNDS {
        let registering =
            join(a.register_target("B").into_future(), b.register_target("A").into_future());
        let (from_a, from_b) = soon(registering).await;

        let (from_a, from_b) = (from_a.unwrap(), from_b.unwrap());
        assert_eq!(from_a.id, from_b.id, "round {round}");
        assert_ne!(from_a.initiator, from_b.initiator, "round {round}");
        soon(join(assert_echoes(&a), assert_echoes(&b))).await;
        server.becomes(2, 0, 1).await;

        soon(a.unregister_target()).await.unwrap();
        server.becomes(2, 0, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_triangle_comes_to_one_pairing_at_most_and_everybody_is_answered() {
    let server = TestServer::start().await;
    let clients = join_all(["A", "B", "C"].map(|id| connect(&server, id))).await;
    let [a, b, c] = &clients[..] else { unreachable!() };

    for round in 0..ROUNDS {
        let (from_a, from_b, from_c) = soon(join3(
            a.register_target("B").into_future(),
            b.register_target("C").into_future(),
            c.register_target("A").into_future(),
        ))
        .await;

        let paired = [&from_a, &from_b, &from_c].iter().filter(|result| result.is_ok()).count();
        assert_eq!(paired, 1, "round {round}");
        for result in [from_a, from_b, from_c] {
            if let Err(RegisterError::Refused { refusal, .. }) = &result {
                let expected = [Code::SourceBusy, Code::TargetBusy];
                assert!(expected.contains(&refusal.code), "round {round}: {refusal}");
            } else {
                result.unwrap();
            }
        }
        both_ends_agree(&server, &clients).await;

        soon(join_all(clients.iter().map(|client| client.unregister_target().into_future()))).await;
        server.becomes(3, 0, 0).await;
    }
}

/// Checks that the partner of each paired client agrees, and that the two can communicate.
async fn both_ends_agree(server: &TestServer, clients: &[P2pClient]) {
    server.becomes(clients.len(), 0, 1).await;
    let initiator = |client: &&P2pClient| client.pairing().is_some_and(|info| info.initiator);
    // After its partner's answer both know.
    assert_echoes(clients.iter().find(initiator).unwrap()).await;
    for client in clients {
        let Some((pairing, partner)) = server.p2p.pairing_of(client.id()) else {
            continue;
        };
        assert_echoes(client).await;
        let at_client = client.pairing().unwrap();
        assert_eq!((at_client.id, &at_client.partner), (pairing, &partner));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_register_one_target_a_single_one_gets_it() {
    let server = TestServer::start().await;
    let target = connect(&server, "target").await;
    let names = (0..12).map(|number| format!("source-{number}"));
    let sources = join_all(names.map(async |id| connect(&server, &id).await)).await;

    let registering = sources.iter().map(|source| source.register_target("target").into_future());
    let results = soon(join_all(registering)).await;

    let winners: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1);
    let (pairing, _) = server.p2p.pairing_of(target.id()).unwrap();
    assert_eq!(winners[0].id, pairing);
    for result in results.into_iter().filter(Result::is_err) {
        let code = refused(result);
        assert!(matches!(code, Code::TargetBusy | Code::Congested), "{code}");
    }
    let winner = sources.iter().find(|source| source.pairing().is_some()).unwrap();
    assert_echoes(winner).await; // After that the target knows too.
    assert_echoes(&target).await;
}
