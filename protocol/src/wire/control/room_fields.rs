//! The fields of the server's messages about rooms.

use serde::Deserialize;

use super::{PairingInfo, ReqId, RoomState};
use crate::{EndReason, RoomName};

#[derive(Deserialize)]
pub(super) struct JoinedFields {
    pub(super) req: ReqId,
    #[serde(flatten)]
    pub(super) state: RoomState,
}

#[derive(Deserialize)]
pub(super) struct MemberFields {
    pub(super) room: RoomName,
    pub(super) pairing: PairingInfo,
}

#[derive(Deserialize)]
pub(super) struct ExitedFields {
    pub(super) room: RoomName,
    pub(super) reason: EndReason,
    #[serde(default)]
    pub(super) req: Option<ReqId>,
}
