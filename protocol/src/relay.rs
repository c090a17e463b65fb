//! The verdicts about what a client sends, without IO: what is handed on, in which order everything
//! else is refused, which refusals cost a strike, and what is exempt from the rate.
//!
//! A request to the server is read ([`read_request`]) and admitted ([`admit_request`]); the broker decides the rest.
//! On the hot path, a message is read ([`Message::read`], [`read_binary`], [`V1Emit::read`]) before its sender's
//! [`Route`] is asked, and what only one of the two peers can know is asked last:
//!
//! ```text
//! too-large → bad-args → not-paired → stale-pairing → forbidden, rate-limited → congested, offline
//! ```
//!
//! All of it only asks. A message that is relayed costs no allocation here but those of its parser.

mod admission;
mod binary;
mod emit_name;
mod held;
mod holder;
mod inbound;
mod later;
mod message;
mod newcomer;
mod rejection;
mod requests;
mod room_routes;
mod salvage;
mod unread;
mod v1;

use std::{borrow::Borrow, ops::Deref, time::Duration};

use serde_json::value::RawValue;

pub use self::{
    admission::{RequestPolicy, admit_request},
    binary::read_binary,
    emit_name::v1_emit_error,
    held::HeldRequests,
    holder::{Holder, Sign},
    inbound::{Inbound, OverRate, is_ours},
    message::Message,
    newcomer::{Newcomer, Seen, Turn},
    rejection::{RawEvent, RefusedRequest, RefusedV1, Rejection},
    requests::{is_acknowledged_at_once, read_request, read_v1_request, request_number},
    room_routes::RoomRoutes,
    salvage::{event as salvaged_event, pairing as salvaged_pairing},
    unread::Unread,
    v1::V1Emit,
};
use crate::{
    ClientId, Code, Dialect, FrameError, PairingId, Partner, Refusal, ServerMessage,
    limits::{SILENCE, SLOWEST_RATE},
    planted::{self, Fault},
};

/// The reason for the refusal of a message whose arrays and objects have too many levels.
const TOO_DEEP: &str = "its values are nested too deep";

/// Returns how long a peer may be silent to which so many bytes were sent since it was heard last.
#[must_use]
pub fn longest_silence(bytes: u64) -> Duration {
    SILENCE + Duration::from_millis(bytes.saturating_mul(1000) / SLOWEST_RATE)
}

/// The way from a paired client to its partner.
#[derive(Clone, Debug)]
pub struct Route {
    pairing: PairingId,
    /// The same as JSON, to be compared with what a message names.
    pairing_json: String,
    partner: ClientId,
    partner_dialect: Dialect,
    /// `true` if signals are forwarded.
    direct: bool,
}

impl Route {
    /// Creates the route that the broker describes.
    #[must_use]
    pub fn new(partner: &Partner) -> Self {
        let Partner { pairing, client, dialect, direct, .. } = partner;
        Self {
            pairing: *pairing,
            pairing_json: format!("\"{pairing}\""),
            partner: client.clone(),
            partner_dialect: *dialect,
            direct: *direct,
        }
    }

    /// Returns the pairing that messages on this route must name.
    #[must_use]
    pub const fn pairing(&self) -> PairingId {
        self.pairing
    }

    fn is_named(&self, named: Named<'_>) -> bool {
        let is_named = match named {
            Named::Id(id) => id == self.pairing,
            Named::Json(json) => json.get() == self.pairing_json,
        };
        is_named || planted::is(Fault::SkipPairingId)
    }
}

/// The pairing that a message names.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a> {
    /// An id that was read.
    Id(PairingId),
    /// The text of an argument, not read yet.
    Json(&'a RawValue),
}

impl Named<'_> {
    fn id(self) -> Option<PairingId> {
        match self {
            Self::Id(id) => Some(id),
            Self::Json(json) => serde_json::from_str(json.get()).ok(),
        }
    }
}

/// A message that is not relayed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// The reason.
    pub refusal: Refusal,
    /// The pairing that the message names, as far as it could be read.
    pub pairing: Option<PairingId>,
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Refusal::from(code).into()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, pairing: None }
    }
}

impl Refused {
    /// Returns the refusal of frames of this pairing that cannot be read.
    #[must_use]
    pub fn unreadable(error: &FrameError, pairing: PairingId) -> Self {
        let refusal = match error {
            FrameError::Json(error) => Refusal::unreadable(error),
            error => Refusal::new(Code::BadArgs, &error.to_string()),
        };
        Self { refusal, pairing: Some(pairing) }
    }

    /// Returns the message that informs the sender of a frame. A sender that misses it never sends
    /// the frame again: its connection is closed.
    #[must_use]
    pub fn of_frame(self) -> ServerMessage {
        let Self { refusal, pairing } = self;
        ServerMessage::Error { refusal, req: None, pairing }
    }

    /// Returns the message that informs the sender of a signal. If it is missed, an attempt at a
    /// direct path fails, and nothing else.
    #[must_use]
    pub fn of_signal(self) -> ServerMessage {
        let Self { refusal, pairing } = self;
        ServerMessage::SignalRefused { refusal, pairing }
    }
}

/// Reasons why a message that may be relayed was not put into the partner's queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SendFailure {
    /// The queue is full.
    Full,
    /// The connection is gone.
    Gone,
    /// A placeholder stands for no blob, or the transport takes no blobs.
    Arguments,
}

impl From<SendFailure> for Code {
    fn from(failure: SendFailure) -> Self {
        match failure {
            SendFailure::Full => Self::Congested,
            SendFailure::Gone => Self::Offline,
            SendFailure::Arguments => Self::BadArgs,
        }
    }
}

/// Returns the route of a client for a message that names this pairing.
///
/// # Errors
///
/// [`Code::NotPaired`] if the client has no route; [`Code::StalePairing`] if the message names
/// another pairing.
pub fn admit<R>(route: Option<R>, named: Named<'_>) -> Result<R, Refused>
where
    R: Deref<Target: Borrow<Route>>,
{
    let code = match route {
        Some(route) if (*route).borrow().is_named(named) => return Ok(route),
        Some(_) => Code::StalePairing,
        None => Code::NotPaired,
    };
    Err(Refused { refusal: code.into(), pairing: named.id() })
}

/// Returns the route of a client for a message that names this pairing, which may be one of a room.
///
/// # Errors
///
/// [`Code::NotPaired`] if the client has no route; [`Code::StalePairing`] if the message names another pairing than
/// those of its routes.
pub fn admit_any<R>(
    route: Option<R>,
    in_rooms: impl FnOnce(Named<'_>) -> Option<R>,
    named: Named<'_>,
) -> Result<R, Refused>
where
    R: Deref<Target: Borrow<Route>>,
{
    match admit(route, named) {
        Ok(route) => Ok(route),
        Err(refused) => in_rooms(named).ok_or(refused),
    }
}

/// Decides whether a signal may take an admitted route; `is_within_rate` counts it.
///
/// # Errors
///
/// [`Code::Forbidden`] unless both peers allow a direct path; [`Code::RateLimited`].
pub fn admit_signal(route: &Route, is_within_rate: impl FnOnce() -> bool) -> Result<(), Refused> {
    let refused = |code: Code| Refused { refusal: code.into(), pairing: Some(route.pairing) };
    if !route.direct {
        return Err(refused(Code::Forbidden));
    }
    if !is_within_rate() {
        return Err(refused(Code::RateLimited));
    }
    Ok(())
}

/// Returns whether a refusal was its sender's own fault and costs a strike. A sender cannot know
/// beforehand that its partner is slow or gone.
#[must_use]
pub const fn is_offence(code: Code) -> bool {
    !matches!(code, Code::Congested | Code::Offline | Code::NotPaired | Code::StalePairing)
}

/// Returns whether a client that misses this message believes something that is no longer true. If
/// there is no room for the message in its queue, its connection is closed.
#[must_use]
pub const fn must_arrive(message: &ServerMessage) -> bool {
    !matches!(
        message,
        ServerMessage::Clients { .. }
            | ServerMessage::Pong { .. }
            | ServerMessage::SignalRefused { .. }
            | ServerMessage::Error { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConnId;

    fn route(direct: bool) -> Route {
        Route::new(&Partner {
            pairing: PairingId::new(0x1f, 2),
            client: "b".parse().unwrap(),
            conn: ConnId(2),
            dialect: Dialect::V2,
            direct,
        })
    }

    fn refusal<T>(result: Result<T, Refused>) -> Option<(Code, Option<PairingId>)> {
        result.err().map(|Refused { refusal, pairing }| (refusal.code, pairing))
    }

    #[test]
    fn a_message_goes_to_the_partner_of_the_pairing_that_it_names() {
        let text = r#"["P2P_FRAME","1f-2",{"s":1}]"#;
        let Message { pairing, payload } = Message::read(text, 999).unwrap();

        assert_eq!(payload.get(), r#"{"s":1}"#);
        assert!(admit(Some(&route(false)), Named::Json(pairing)).is_ok());
        let (present, old) = (PairingId::new(0x1f, 2), PairingId::new(0x1f, 1));
        assert!(admit(Some(&route(false)), Named::Id(present)).is_ok());
        assert_eq!(
            refusal(admit(Some(&route(false)), Named::Id(old))),
            Some((Code::StalePairing, Some(old)))
        );
        let unpaired = admit(None::<&Route>, Named::Json(pairing));
        assert_eq!(refusal(unpaired), Some((Code::NotPaired, Some(present))));
    }

    #[test]
    fn a_signal_that_is_forbidden_is_not_counted() {
        let forbidden = admit_signal(&route(false), || unreachable!("it is not counted"));

        assert_eq!(refusal(forbidden).map(|(code, _)| code), Some(Code::Forbidden));
        let limited = admit_signal(&route(true), || false);
        assert_eq!(refusal(limited).map(|(code, _)| code), Some(Code::RateLimited));
        assert!(admit_signal(&route(true), || true).is_ok());
    }

    #[test]
    fn only_what_a_sender_can_know_beforehand_costs_a_strike() {
        for code in [Code::Congested, Code::Offline, Code::NotPaired, Code::StalePairing] {
            assert!(!is_offence(code), "{code}");
        }
        for code in [Code::BadArgs, Code::TooLarge, Code::RateLimited, Code::Forbidden] {
            assert!(is_offence(code), "{code}");
        }
    }
}
