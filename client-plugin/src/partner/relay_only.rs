//! The connection to the partner without the feature `webrtc`: there is none, and no client offers a direct
//! path.

use socketio_p2p_protocol::{
    IceWarning,
    client::Input,
    peer::{LinkCommand, LinkEvent, LinkId},
};

#[derive(Debug)]
pub(crate) struct PartnerLink;

impl PartnerLink {
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn carry_out(&mut self, _: LinkId, _: LinkCommand, _: bool) -> Option<LinkEvent> {
        Some(LinkEvent::Closed)
    }

    #[expect(clippy::unused_async, reason = "as with the feature")]
    pub(crate) async fn shutdown(&mut self) {}

    pub(crate) async fn happened(&mut self) -> Option<Input> {
        std::future::pending().await
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn take_warnings(&mut self) -> Vec<IceWarning> {
        Vec::new()
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn at_hand(&mut self) -> Option<Input> {
        None
    }
}
