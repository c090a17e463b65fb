//! Connected and refused clients.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::json;
use socketio_p2p_harness::{
    FaultProxy, HeldPort, Server, StartError,
    fault_proxy::{Fault, Ways},
};

use crate::interop::stock::{AGES, ALL, PAIRS, UPGRADING, every_age};
use crate::interop::{Story, python};

#[tokio::test]
async fn the_list_has_those_who_are_connected_and_the_caller_among_them() -> Story {
    for (a, b) in PAIRS {
        let server = Server::start().await?;
        let mut a = a.peer(&server, "A").start().await?;
        assert_eq!(a.list().await?, json!(["A"]));
        let b = b.peer(&server, "B with a space, ü and 😀").start().await?;

        let mut both: Vec<String> = serde_json::from_value(a.list().await?)?;
        b.quit().await?;

        both.sort();
        assert_eq!(both, ["A", "B with a space, ü and 😀"]);
    }
    Ok(())
}

#[tokio::test]
async fn an_id_in_use_is_refused_and_its_owner_notices_nothing() -> Story {
    for (first, second) in PAIRS {
        let server = Server::start().await?;
        let mut a = first.peer(&server, "A").start().await?;
        let mut b = first.peer(&server, "B").start().await?;
        a.register("B").await?;

        let refused = second.peer(&server, "A").start().await.unwrap_err();

        assert_eq!(code(refused), "duplicate-id");
        assert_eq!(a.emit2("chat", json!([1])).await?.value, json!({"echo": [1]}));
        assert_eq!(b.emit2("chat", json!([2])).await?.value, json!({"echo": [2]}));
    }
    Ok(())
}

#[tokio::test]
async fn an_id_is_free_again_when_its_owner_has_left() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        kind.peer(&server, "A").start().await?.quit().await?;

        let mut again = kind.peer(&server, "A").start().await?;

        assert_eq!(again.list().await?, json!(["A"]));
    }
    Ok(())
}

#[tokio::test]
async fn an_id_is_free_when_its_owner_is_gone_or_going() -> Story {
    const ROUNDS: u32 = 60;
    let server = Server::start().await?;
    // Three at a time: a client whose goodbye a busy machine holds back for a second is refused, rightly.
    let ages: Vec<_> = every_age().collect();
    for age in ages.chunks(3) {
        let pages = age.iter().map(async |kind| {
            assert_eq!(kind.comes_and_goes(&server, ROUNDS).await?, json!({}), "{kind:?}");
            Story::Ok(())
        });
        try_join_all(pages).await?;
    }
    let pythons = ["websocket", "polling", "upgrade"].map(async |transport| {
        let refusals = python::comes_and_goes(transport, &server, ROUNDS).await?;
        assert_eq!(refusals, json!({}), "python-socketio over {transport}");
        Story::Ok(())
    });
    try_join_all(pythons).await?;
    Ok(())
}

#[tokio::test]
async fn each_age_and_the_next_pair_and_call_each_other() -> Story {
    let server = Server::start().await?;
    for (number, (a, b)) in every_age().zip(every_age().skip(3)).enumerate() {
        let [id, partner] = ["A", "B"].map(|name| format!("{name}{number}"));
        let mut a = a.peer(&server, &id).start().await?;
        let mut b = b.peer(&server, &partner).start().await?;

        a.register(&partner).await?;

        assert_eq!(a.emit2("chat", json!([1])).await?.value, json!({"echo": [1]}));
        assert_eq!(b.emit2("chat", json!([2])).await?.value, json!({"echo": [2]}));
    }
    Ok(())
}

#[tokio::test]
async fn an_id_is_free_when_the_network_of_its_owner_is_gone() -> Story {
    let server = Server::start().await?;
    for kind in AGES.into_iter().chain(UPGRADING) {
        let proxy =
            FaultProxy::start(server.url().trim_start_matches("http://").parse()?, 1).await?;
        let mut a = kind.peer_at(&proxy.url(), "A").start().await?;
        a.list().await?;
        while proxy.connections() > 1 {
            a.list().await?; // It still upgrades.
        }
        assert_eq!(proxy.inject_all(Fault::HalfOpen(Ways::Both)), 1);

        let mut again = kind.peer(&server, "A").start().await?;

        assert_eq!(again.list().await?, json!(["A"]), "{kind:?}");
        again.quit().await?;
    }
    Ok(())
}

/// Its end stands behind what the server does not read.
#[tokio::test]
async fn an_id_is_free_when_its_owner_died_while_it_was_held_back() -> Story {
    let server = Server::start().await?;
    for (number, kind) in AGES.into_iter().chain(UPGRADING).enumerate() {
        let [a, b] = ["A", "B"].map(|name| format!("{name}{number}"));
        let mut first = kind.peer(&server, &a).start().await?;
        let mut second = kind.peer(&server, &b).start().await?;
        first.register(&b).await?;
        second.send(json!({"cmd": "block", "ms": 5_000})).await?;
        first.send(json!({"cmd": "burst", "id": 1, "count": 40, "bytes": 100_000})).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        first.kill().await;

        let again = kind.peer(&server, &a).start().await?;

        again.quit().await?;
        second.quit().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_id_that_is_too_long_or_has_control_characters_is_refused() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        for id in ["x".repeat(129), "a\nb".into(), "\u{7f}".into()] {
            let refused = kind.peer(&server, &id).start().await.unwrap_err();

            assert_eq!(code(refused), "bad-client-id", "{id:?}");
        }
        kind.peer(&server, &"x".repeat(128)).start().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_was_started_before_the_server_finds_it() -> Story {
    let port = HeldPort::take()?;
    for kind in ALL {
        let mut a = kind.peer_at(&format!("http://127.0.0.1:{}", port.number()), "A").spawn()?;
        assert_eq!(a.wait_for("error").await?["code"], "transport");

        let server = Server::builder().port(port.number()).start().await?;

        a.wait_for("connected").await?;
        assert_eq!(a.list().await?, json!(["A"]));
        a.quit().await?;
        server.stop().await?;
    }
    Ok(())
}

fn code(error: StartError) -> String {
    match error {
        StartError::Refused { code, .. } => code,
        other => panic!("not refused: {other}"),
    }
}
