//! Stories of blocks about rooms.

use serde_json::{Value, json};
use socketio_p2p_client::{
    EventsError, Incoming, JoinError, Mesh, MeshOptions, P2pClient, P2pClientExt as _,
};
use tokio::sync::mpsc;

use crate::{Host, Outcome, blocks, connect, host};

/// A room with two members, of which B reports what it hears and answers yes.
struct Lobby {
    _host: Host,
    a: P2pClient,
    b: P2pClient,
    heard_by_b: mpsc::Receiver<Value>,
}

impl Lobby {
    async fn with_b() -> Outcome<Self> {
        let host = host(|builder| builder.rooms(|_, room| room.as_str() == "lobby")).await?;
        let (a, b) = (connect("A").await?, connect("B").await?);
        let (heard, heard_by_b) = mpsc::channel(4);
        b.on2_fallback(move |incoming: Incoming| {
            let heard = heard.clone();
            async move {
                heard.try_send(json!(incoming.values()))?;
                Ok(true)
            }
        });
        b.join_mesh("lobby", MeshOptions::default()).await?;
        Ok(Self { _host: host, a, b, heard_by_b })
    }

    async fn join(&self) -> Result<Mesh, JoinError> {
        self.a.join_mesh("lobby", MeshOptions::default()).await
    }

    async fn has_heard(mut self, said: &[&str]) -> Outcome {
        for said in said {
            assert_eq!(self.heard_by_b.recv().await, Some(json!([said])));
        }
        self.a.close().await;
        self.b.close().await;
        Ok(())
    }
}

/// Joins by a block, which says this to all.
pub(crate) async fn chats(
    chat: impl AsyncFn(&P2pClient) -> Result<(), JoinError>,
    said: &[&str],
) -> Outcome {
    let lobby = Lobby::with_b().await?;
    chat(&lobby.a).await?;
    lobby.has_heard(said).await
}

/// Says something to all members of a room by a block.
pub(crate) async fn says(say: impl AsyncFn(&Mesh), said: &str) -> Outcome {
    let lobby = Lobby::with_b().await?;
    say(&lobby.join().await?).await;
    lobby.has_heard(&[said]).await
}

/// Reads the events of a room while a member leaves, until the client is closed.
pub(crate) async fn watched() -> Outcome {
    let lobby = Lobby::with_b().await?;
    let mesh = lobby.join().await?;
    let leave = async {
        lobby.b.close().await;
        lobby.a.close().await;
    };
    let (watched, ()) = tokio::join!(blocks::client_api_mesh_watch::watch(&mesh), leave);
    assert_eq!(watched, Err(EventsError::Closed));
    Ok(())
}
