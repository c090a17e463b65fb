//! A pair that talks the whole time, and must not notice what others do.

use serde_json::{Value, json};
use socketio_p2p_client::{P2pClient, P2pClientExt};
use tokio::{sync::watch, task::JoinSet};

use super::{
    clients::{client, pair, pair_up},
    panics,
    server::TestServer,
    soon,
};

pub(crate) struct Bystanders {
    clients: [P2pClient; 2],
    talking: JoinSet<u64>,
    stop: watch::Sender<bool>,
}

impl Bystanders {
    /// They talk from now on, both ways.
    pub(crate) async fn on(server: &TestServer) -> Self {
        let [a, b] = ["bystander-a", "bystander-b"].map(|id| client(server, id));
        let clients = pair(server, a, b).await;
        let (stop, stopped) = watch::channel(false);
        let mut talking = JoinSet::new();
        for client in clients.clone() {
            talking.spawn(talk(client, stopped.clone()));
        }
        Self { clients, talking, stop }
    }

    /// They noticed nothing, nothing panicked, and nobody but them is left on the server.
    pub(crate) async fn noticed_nothing(mut self, server: &TestServer) {
        server.becomes(2, 0, 1).await;
        self.stop.send_replace(true);
        while let Some(calls) = soon(self.talking.join_next()).await {
            assert!(calls.unwrap() > 0, "they talked");
        }
        let [a, b] = &self.clients;
        soon(a.unregister_target()).await.unwrap();
        server.becomes(2, 0, 0).await;
        pair_up(b, a).await;
        for client in &self.clients {
            soon(client.close()).await;
        }
        server.is_empty_soon().await;
        panics::assert_none();
    }
}

async fn talk(client: P2pClient, stopped: watch::Receiver<bool>) -> u64 {
    let mut calls = 0;
    while !*stopped.borrow() || calls == 0 {
        calls += 1;
        let args = json!({ "from": client.id(), "call": calls });
        let reply: Value = soon(client.emit2("echo", &args)).await.unwrap();
        assert_eq!(reply, json!([args]));
    }
    calls
}
