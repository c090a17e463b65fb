//! The contestants: a server and the dialect that its clients use.

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use crate::node;
use crate::serve::Kind;
use crate::server::Server;
use crate::wire::Dialect;

/// One column of the report.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contestant {
    /// The bare axum websocket relay.
    Floor,
    /// A Socket.IO server without plugin and handlers.
    SocketIo,
    /// A relay written by hand on socketioxide.
    ByHand,
    /// The plugin, with clients that speak v2.
    P2p,
    /// The plugin, with clients that speak v1.
    P2pV1,
    /// A server in Node that relays as socket.io-p2p-plugin does.
    Node,
}

impl Contestant {
    /// Starts its server.
    pub(crate) async fn start(self) -> Result<Server> {
        match self {
            Self::Floor => Server::start(Kind::Floor).await,
            Self::SocketIo => Server::start(Kind::SocketIo).await,
            Self::ByHand => Server::start(Kind::ByHand).await,
            Self::P2p | Self::P2pV1 => Server::start(Kind::P2p).await,
            Self::Node => node::start().await,
        }
    }

    /// Returns the dialect of its clients.
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Floor => Dialect::Bare,
            Self::SocketIo => Dialect::SocketIo,
            Self::ByHand | Self::P2p => Dialect::V2,
            Self::P2pV1 | Self::Node => Dialect::V1,
        }
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Floor => "floor",
            Self::SocketIo => "socket.io",
            Self::ByHand => "by hand",
            Self::P2p => "p2p",
            Self::P2pV1 => "p2p (v1)",
            Self::Node => "node (v1)",
        })
    }
}
