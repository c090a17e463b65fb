//! Rooms whose members are all connected to each other.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use socketio_p2p_client::{
    Cause, Code, EmitError, EndReason, Event, Incoming, JoinError, Mesh, MeshOptions, P2pClient,
    P2pClientExt as _, Path, Presence,
};
use socketio_p2p_server::P2pServer;
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    direct::direct,
    support::{
        cable::Cable,
        clients::{client, client_at, connect, pair_up},
        server::{TestServer, patient},
        soon,
        wire::Wire,
    },
};

/// The members of a mesh, and one that is too many.
const NAMES: [&str; 11] = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K"];

/// A server that lets everybody join every room but one.
async fn server() -> TestServer {
    TestServer::with(|io| {
        let builder = P2pServer::builder().limits(patient().joins(None));
        builder.rooms(|_, room| room.as_str() != "staff").attach(io)
    })
    .await
}

async fn join(client: &P2pClient, room: &str) -> Mesh {
    soon(client.join_mesh(room, MeshOptions::default())).await.unwrap()
}

/// Clients that are members of one room, and know each other.
async fn meshes<const N: usize>(clients: &[P2pClient; N]) -> Vec<Mesh> {
    let mut meshes = Vec::new();
    for client in clients {
        meshes.push(join(client, "lobby").await);
    }
    for mesh in &meshes {
        members(mesh, N - 1).await;
    }
    meshes
}

/// Waits until a mesh has so many other members.
async fn members(mesh: &Mesh, count: usize) {
    let mut events = mesh.events();
    soon(async {
        while mesh.members().len() != count {
            events.recv().await.unwrap();
        }
    })
    .await;
}

/// Waits until all emits of a mesh take this path.
async fn all_take(mesh: &Mesh, path: Path) {
    let mut events = mesh.events();
    soon(async {
        while mesh.members().iter().any(|member| member.path != Some(path)) {
            events.recv().await.unwrap();
        }
    })
    .await;
}

#[track_caller]
fn refused(result: Result<Mesh, JoinError>) -> Code {
    match result {
        Err(JoinError::Refused { refusal, .. }) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn not_executed<T: std::fmt::Debug>(result: Result<T, EmitError>) -> Code {
    match result {
        Err(EmitError::NotExecuted { cause: Cause::Code(code), .. }) => code,
        other => panic!("executed: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_members_talk_to_one_and_to_all_and_an_eleventh_is_one_too_many() {
    let server = server().await;
    let clients = join_all(NAMES.map(|name| connect(&server, name))).await;
    let (last, ten) = clients.split_last().unwrap();
    let ten: [P2pClient; 10] = ten.to_vec().try_into().unwrap();
    let meshes = meshes(&ten).await;

    assert_eq!(refused(soon(last.join_mesh("lobby", MeshOptions::default())).await), Code::Quota);
    assert_eq!(server.p2p.stats().room_pairings, 45);
    let replies = soon(meshes[3].broadcast2("echo", ("hi", 1))).await;
    let from: Vec<_> = replies.iter().map(|reply| reply.member.as_str()).collect();
    assert_eq!(from, ["A", "B", "C", "E", "F", "G", "H", "I", "J"]);
    for reply in replies {
        assert_eq!(reply.outcome.unwrap().args::<Value>().unwrap(), json!(["hi", 1]));
    }
    let one: Value = soon(meshes[0].emit2_to("J", "echo", 7)).await.unwrap();
    assert_eq!(one, json!([7]));
    let nobody = soon(meshes[0].emit2_to("K", "echo", 7)).await;
    assert_eq!(not_executed(nobody), Code::NotPaired);

    drop((clients, ten, meshes));
    server.is_empty_soon().await;
    let stats = server.p2p.stats();
    assert_eq!((stats.rooms, stats.room_pairings), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_one_by_one_as_they_are_ready() {
    let server = server().await;
    let release = Arc::new(Notify::new());
    let held = release.clone();
    let slow = client(&server, "B").on2("ask", move |incoming: Incoming| {
        let held = held.clone();
        async move {
            held.notified().await;
            Ok(incoming.room().map(ToString::to_string))
        }
    });
    let quick = client(&server, "C").on2("ask", async |_: Incoming| Ok("C"));
    let clients = [
        connect(&server, "A").await,
        soon(slow.connect()).await.unwrap(),
        soon(quick.connect()).await.unwrap(),
        connect(&server, "D").await,
    ];
    let meshes = meshes(&clients).await;

    let mut answers = meshes[0].request_many("ask", ());
    let mut first = BTreeSet::new();
    for _ in 0..2 {
        let answer = soon(answers.recv()).await.unwrap();
        match answer.outcome {
            Ok(reply) => assert_eq!(reply.values(), ["C"]),
            Err(error) => assert_eq!(not_executed(Err::<(), _>(error)), Code::Unhandled),
        }
        first.insert(answer.member.to_string());
    }
    assert_eq!(first, BTreeSet::from(["C", "D"].map(str::to_owned)));
    release.notify_one();

    let last = soon(answers.recv()).await.unwrap();
    assert_eq!((last.member.as_str(), last.outcome.unwrap().values()), ("B", vec!["lobby".into()]));
    assert!(soon(answers.recv()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_makes_its_direct_paths_at_once_or_on_demand() {
    let server = server().await;
    let clients = [
        soon(direct(client(&server, "A")).connect()).await.unwrap(),
        soon(direct(client(&server, "B")).connect()).await.unwrap(),
        soon(direct(client(&server, "C")).connect()).await.unwrap(),
    ];
    let meshes = meshes(&clients).await;
    for mesh in &meshes {
        all_take(mesh, Path::Direct).await;
    }
    for reply in soon(meshes[1].broadcast2("echo", 1)).await {
        assert_eq!(reply.outcome.unwrap().path(), Path::Direct);
    }

    let options = MeshOptions { auto_upgrade: false, ..MeshOptions::default() };
    let mut private = Vec::new();
    for client in &clients {
        private.push(soon(client.join_mesh("later", options)).await.unwrap());
    }
    for mesh in &private {
        members(mesh, 2).await;
        for reply in soon(mesh.broadcast2("echo", 1)).await {
            assert_eq!(reply.outcome.unwrap().path(), Path::Relay);
        }
    }
    // The first member waits for the offers of those who joined later; the last one makes them.
    private[0].upgrade();
    all_take(&private[0], Path::Direct).await;
    let between: Vec<_> = private[1].members().into_iter().map(|member| member.path).collect();
    assert_eq!(between[1], Some(Path::Relay), "neither B nor C has asked for it");
    private[2].upgrade();
    all_take(&private[1], Path::Direct).await;
    for reply in soon(private[1].broadcast2("echo", 1)).await {
        assert_eq!(reply.outcome.unwrap().path(), Path::Direct);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_leaves_the_exclusive_pairing_alone() {
    let server = server().await;
    let clients =
        [connect(&server, "A").await, connect(&server, "B").await, connect(&server, "C").await];
    let [a, b, c] = &clients;
    let meshes = meshes(&clients).await;

    pair_up(a, b).await;
    assert!(soon(c.register_target("A")).await.is_err(), "A is paired, exclusively");
    let echo: Value = soon(a.emit2("echo", 1)).await.unwrap();
    assert_eq!(echo, json!([1]));
    soon(a.unregister_target()).await.unwrap();

    assert!(a.pairing().is_none());
    assert_eq!(not_executed(soon(a.emit2("echo", 1)).await), Code::NotPaired);
    for reply in soon(meshes[0].broadcast2("echo", 2)).await {
        reply.outcome.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_learn_who_joins_leaves_is_away_and_is_back() {
    let server = server().await;
    let cable = Cable::to(server.address).await;
    let a = connect(&server, "A").await;
    let mesh = join(&a, "lobby").await;
    let mut events = mesh.events();
    let b = soon(client_at(&cable.url, "B").connect()).await.unwrap();
    let at_b = join(&b, "lobby").await;

    let Event::MemberJoined { pairing, .. } = soon(events.recv()).await.unwrap() else { panic!() };
    assert_eq!((pairing.partner.as_str(), pairing.initiator), ("B", false));
    cable.sever();
    for presence in [Presence::Away, Presence::Back] {
        let event = soon(events.recv()).await.unwrap();
        let expected = Event::Member {
            room: "lobby".parse().unwrap(),
            member: "B".parse().unwrap(),
            presence,
        };
        // While B is away no path is there.
        let event = match event {
            Event::MemberPath { .. } => soon(events.recv()).await.unwrap(),
            event => event,
        };
        assert_eq!(event, expected);
    }
    let echo: Value = soon(mesh.emit2_to("B", "echo", 1)).await.unwrap();
    assert_eq!(echo, json!([1]));

    soon(at_b.leave()).await.unwrap();
    assert!(!at_b.is_member() && at_b.members().is_empty());
    let reason = soon(async {
        loop {
            if let Event::MemberLeft { reason, .. } = events.recv().await.unwrap() {
                return reason;
            }
        }
    });
    assert_eq!(reason.await, EndReason::Unregistered);
    soon(at_b.leave()).await.unwrap();
    assert!(mesh.members().is_empty() && mesh.is_member());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_in_a_mesh_whose_members_lose_their_connections() {
    let server = server().await;
    let cables = [Cable::to(server.address).await, Cable::to(server.address).await];
    let seen = Arc::new(AtomicUsize::new(0));
    let mut clients = vec![connect(&server, "A").await];
    for (cable, name) in cables.iter().zip(["B", "C"]) {
        let counted = seen.clone();
        let builder = client_at(&cable.url, name).on2("count", move |_: Incoming| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok(()) }
        });
        clients.push(soon(builder.connect()).await.unwrap());
    }
    let clients: [P2pClient; 3] = clients.try_into().unwrap();
    let meshes = meshes(&clients).await;

    let mut calls = JoinSet::new();
    for round in 0..200 {
        calls.spawn(meshes[0].broadcast2("count", round).into_future());
        if round % 40 == 20 {
            cables[round / 40 % 2].sever();
        }
    }
    for replies in soon(calls.join_all()).await {
        for reply in replies {
            reply.outcome.unwrap();
        }
    }
    assert_eq!(seen.load(Ordering::Relaxed), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_stands_again_at_a_restarted_server() {
    let before = server().await;
    let cable = Cable::to(before.address).await;
    let clients = [
        soon(client_at(&cable.url, "A").connect()).await.unwrap(),
        soon(client_at(&cable.url, "B").connect()).await.unwrap(),
    ];
    let meshes = meshes(&clients).await;
    let mut events = meshes[0].events();

    let after = server().await;
    cable.redirect(after.address);
    cable.sever();

    soon(async { while !matches!(events.recv().await.unwrap(), Event::Joined(_)) {} }).await;
    members(&meshes[0], 1).await;
    let echo: Value = soon(meshes[0].emit2_to("B", "echo", 1)).await.unwrap();
    assert_eq!(echo, json!([1]));
    assert_eq!(after.p2p.stats().room_pairings, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_decides_who_joins_and_who_stays() {
    let closed = TestServer::start().await;
    let stranger = connect(&closed, "A").await;
    let options = MeshOptions::default();
    assert_eq!(refused(soon(stranger.join_mesh("lobby", options)).await), Code::Forbidden);

    let server = server().await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    assert_eq!(refused(soon(a.join_mesh("staff", options)).await), Code::Forbidden);
    assert!(matches!(soon(a.join_mesh("", options)).await, Err(JoinError::Room { .. })));
    let small = MeshOptions { max_peers: 1, ..options };
    let alone = soon(a.join_mesh("small", small)).await.unwrap();
    assert_eq!(refused(soon(b.join_mesh("small", options)).await), Code::Quota);
    soon(alone.leave()).await.unwrap();
    let mesh = soon(b.join_mesh("small", options)).await.unwrap();
    let mut events = mesh.events();

    server.p2p.remove_from_room(b.id(), &"small".parse().unwrap());

    let event = soon(events.recv()).await.unwrap();
    assert_eq!(event, Event::Exited { room: "small".parse().unwrap(), reason: EndReason::Kicked });
    assert!(!mesh.is_member());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v1_client_cannot_join_and_is_told_so() {
    let server = server().await;
    let mut wire = Wire::v1(&server, "A").await;

    wire.send(r#"42["P2P_JOIN","lobby",{"req":1}]"#).await;

    let answer = wire.text().await;
    assert!(answer.starts_with(r#"42["SERVER_ERROR""#) && answer.contains("bad-event"), "{answer}");
}
