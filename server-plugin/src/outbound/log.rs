//! Log lines about what is refused or ended below the application, for its size.

use std::net::SocketAddr;

use http::StatusCode;

use crate::observe::Limited;

/// Logs that the server refused a request with this status.
pub(super) fn too_large(status: StatusCode, peer: Option<SocketAddr>) {
    static REFUSED: Limited = Limited::new();
    let address = peer.map(tracing::field::display);
    REFUSED.log(|so_far| tracing::info!(%status, address, so_far, "a request is too large"));
}

/// Logs that a connection ends, because of a message that could not be left out.
pub(super) fn too_long(peer: Option<SocketAddr>) {
    static ENDED: Limited = Limited::new();
    let address = peer.map(tracing::field::display);
    ENDED.log(|so_far| {
        tracing::info!(
            address,
            so_far,
            "a websocket is ended: a message is too long to be refused"
        );
    });
}

/// Logs a message that ends its connection.
pub(super) fn too_many(attachments: usize, peer: Option<SocketAddr>) {
    static ENDED: Limited = Limited::new();
    let address = peer.map(tracing::field::display);
    ENDED.log(|so_far| {
        tracing::info!(
            attachments,
            address,
            so_far,
            "a message has more attachments than are taken"
        );
    });
}
