//! Clients, networks and servers that take their time keep their pairings.

use std::process::Command;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::json;
use socketio_p2p_harness::{FaultProxy, Server, fault_proxy::Fault};

use crate::interop::bursts::assert_undisturbed;
use crate::interop::stock::{AGES, ALL, Stock, paired_as};
use crate::interop::{Failed, Story};

#[tokio::test]
async fn a_page_that_is_busy_for_nine_seconds_keeps_its_pairing() -> Story {
    let servers = (Server::start().await?, Server::start().await?);
    let at_once = busy_pages(&servers.0, Duration::ZERO);
    // An old client has pinged once by then, and is about to ping again.
    let later = busy_pages(&servers.1, Duration::from_millis(11_500));
    tokio::try_join!(at_once, later)?;
    Ok(())
}

/// Lets a page of each age and transport be busy, so long after it was paired.
pub(crate) async fn busy_pages(server: &Server, phase: Duration) -> Story {
    try_join_all(ALL.map(|kind| busy(server, kind, phase))).await?;
    Ok(())
}

async fn busy(server: &Server, kind: Stock, phase: Duration) -> Story {
    let (mut a, mut b) = paired_as(
        kind.peer(server, &format!("A of {kind:?}")),
        kind.peer(server, &format!("B of {kind:?}")),
    )
    .await?;
    tokio::time::sleep(phase).await;

    b.send(json!({"cmd": "block", "ms": 9_000})).await?;
    b.wait_for("blocked").await?;

    assert_eq!(a.emit2("chat", json!([1])).await?.value, json!({"echo": [1]}), "{kind:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_stands_still_for_six_seconds_loses_nobody() -> Story {
    stands_still(&Server::start().await?).await
}

/// Stops a server for six seconds under a pair of each kind.
pub(crate) async fn stands_still(server: &Server) -> Story {
    let mut pairs = Vec::new();
    for (number, kind) in ALL.into_iter().enumerate() {
        let [a, b] = ["A", "B"].map(|name| format!("{name}{number}"));
        let mut first = kind.peer(server, &a).start().await?;
        let second = kind.peer(server, &b).start().await?;
        first.register(&b).await?;
        pairs.push((kind, first, second));
    }

    signal(server, "-STOP")?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    signal(server, "-CONT")?;

    for (kind, mut a, b) in pairs {
        assert_eq!(a.emit2("chat", json!([1])).await?.value, json!({"echo": [1]}), "{kind:?}");
        for peer in [a, b] {
            let rest = peer.quit().await?;
            assert!(rest.iter().all(|event| event.name() != "disconnected"), "{kind:?}: {rest:?}");
        }
    }
    Ok(())
}

fn signal(server: &Server, signal: &str) -> Result<(), Failed> {
    let process = server.id().ok_or("the server ended")?;
    let status = Command::new("kill").arg(signal).arg(process.to_string()).status()?;
    assert!(status.success(), "kill {signal}");
    Ok(())
}

#[tokio::test]
async fn what_takes_seconds_on_a_slow_link_costs_no_pairing() -> Story {
    slow_link(&Server::start().await?).await
}

/// Lets pages of both ages behind a slow link call with much, and get as much back.
pub(crate) async fn slow_link(server: &Server) -> Story {
    let address = server.url().trim_start_matches("http://").parse()?;
    let proxy = FaultProxy::start(address, 1).await?;
    let mut pairs = Vec::new();
    for (kind, [a, b]) in AGES.into_iter().zip([["A", "B"], ["C", "D"]]) {
        let mut first = kind.peer_at(&proxy.url(), a).start().await?;
        let second = kind.peer(server, b).start().await?;
        first.register(b).await?;
        pairs.push((kind, first, second));
    }
    let throttle = Fault::Throttle { rate: 30_000, lasts: Duration::from_secs(600) };
    assert_eq!(proxy.inject_all(throttle), 2);

    // 8 s there, and 8 s back.
    let text = "x".repeat(250 * 1024);
    for (_, a, _) in &mut pairs {
        let emit = json!({"cmd": "emit2", "id": 1, "event": "chat", "args": [text], "ack": true});
        a.send(emit).await?;
    }

    for (kind, mut a, _b) in pairs {
        let reply = a.wait_for("reply").await?;
        assert_eq!(reply["value"], json!({"echo": [text]}), "{kind:?}");
    }
    Ok(())
}

#[tokio::test]
async fn much_more_than_a_slow_link_takes_in_half_a_minute_costs_its_client_nothing() -> Story {
    /// Several times the rate that the server waits for, in bytes a second: a busy machine is late with its pieces.
    const RATE: usize = 120_000;
    const COUNT: usize = 240;

    let server = Server::start().await?;
    let address = server.url().trim_start_matches("http://").parse()?;
    let proxies =
        [FaultProxy::start(address, 1).await?, FaultProxy::start_narrow(address, 2).await?];
    let mut pairs = Vec::new();
    for (number, proxy) in proxies.iter().enumerate() {
        for kind in AGES {
            let [a, b] = ["A", "B"].map(|name| format!("{name}{number} of {kind:?}"));
            let mut first = kind.peer(&server, &a).start().await?;
            let second = kind.peer_at(&proxy.url(), &b).start().await?;
            first.register(&b).await?;
            pairs.push((first, second));
        }
        let throttle = Fault::Throttle { rate: RATE, lasts: Duration::from_secs(600) };
        assert_eq!(proxy.inject_all(throttle), AGES.len());
    }

    // 33 s: a ping that stood behind all of it would be late.
    for (a, _) in &mut pairs {
        a.send(json!({"cmd": "burst", "id": 1, "count": COUNT, "bytes": 16 * 1024})).await?;
    }

    for (_a, mut b) in pairs {
        let bursted = b.wait_for("bursted").await?;
        assert_eq!((&bursted["arrived"], &bursted["inOrder"]), (&json!(COUNT), &json!(true)));
        assert_undisturbed(&mut b)?;
    }
    Ok(())
}
