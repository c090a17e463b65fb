//! A relay as an expert would write it on socketioxide by hand: the middle between the floor and
//! the plugin.
//!
//! It relays frames unparsed and believes its clients everything: no consent, no limits, no end of
//! a pairing that a partner's departure brings. The difference to the floor is what Socket.IO
//! costs; the difference to the plugin is what the plugin costs.

use std::sync::Arc;

use axum::Router;
use dashmap::DashMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::extract::{Data, SocketRef, TryData};
use socketioxide::handler::MessageHandler;
use socketioxide::socket::{Sid, Socket};
use socketioxide_core::Value;

use crate::link::BARE_PAIRING as PAIRING;

#[derive(Clone, Debug, Default)]
struct Peers {
    by_id: Arc<DashMap<String, SocketRef>>,
    partners: Arc<DashMap<Sid, SocketRef>>,
}

#[derive(Debug, Deserialize)]
struct Auth {
    #[serde(rename = "clientId")]
    client_id: String,
}

/// A Socket.IO server without the plugin and without a handler: what a connection alone costs.
pub(crate) fn without_handlers() -> Router {
    let (layer, io) = SocketIo::builder().build_layer();
    io.ns("/", async || ());
    Router::new().layer(layer)
}

/// The relay as an application of axum.
pub(crate) fn app() -> Router {
    let (layer, io) = SocketIo::builder().build_layer();
    let peers = Peers::default();
    io.ns("/", async move |socket: SocketRef, TryData(auth): TryData<Auth>| {
        if let Ok(Auth { client_id }) = auth {
            peers.connected(&socket, client_id);
        }
    });
    Router::new().layer(layer)
}

impl Peers {
    fn connected(&self, socket: &SocketRef, id: String) {
        self.by_id.insert(id.clone(), socket.clone());
        socket.on("P2P_FRAME", Relay(Arc::clone(&self.partners)));

        let peers = self.clone();
        socket.on("P2P_REGISTER", async move |socket: SocketRef, Data::<(String, Json)>(asked)| {
            let (target, request) = asked;
            if let Some(target) = peers.by_id.get(&target) {
                peers.partners.insert(socket.id, target.clone());
                peers.partners.insert(target.id, socket);
                target.emit("P2P_REGISTER", &(&id, &request)).ok();
            }
        });

        let partners = Arc::clone(&self.partners);
        socket.on("P2P_REGISTER_SUCCESS", async move |target: SocketRef, Data::<Json>(answer)| {
            if let Some(source) = partners.get(&target.id) {
                let pairing = json!({"req": answer["req"], "pairing": {"id": PAIRING}});
                source.emit("P2P_REGISTER_SUCCESS", &pairing).ok();
                target.emit("P2P_REGISTER_SUCCESS", &pairing).ok();
            }
        });

        let partners = Arc::clone(&self.partners);
        socket.on("P2P_UNREGISTER", async move |socket: SocketRef, Data::<Json>(_)| {
            if let Some((_, partner)) = partners.remove(&socket.id) {
                partners.remove(&partner.id);
                partner.emit("P2P_DISCONNECT", &json!({"pairing": PAIRING})).ok();
                socket.emit("P2P_DISCONNECT", &json!({"pairing": PAIRING})).ok();
            }
        });

        socket.emit("P2P_WELCOME", &json!({"protocol": 2})).ok();
    }
}

/// Hands a frame on as it came, inside the reader: in order, and unparsed.
#[derive(Debug)]
struct Relay(Arc<DashMap<Sid, SocketRef>>);

impl<A: Adapter> MessageHandler<A, Self> for Relay {
    fn call(&self, socket: Arc<Socket<A>>, value: Value, _: Option<i64>) {
        let Value::Str(text, None) = value else {
            return;
        };
        let Ok([_, pairing, frame]) = serde_json::from_str::<[&RawValue; 3]>(text.as_str()) else {
            return;
        };
        if let Some(partner) = self.0.get(&socket.id) {
            partner.emit("P2P_FRAME", &(pairing, frame)).ok();
        }
    }
}
