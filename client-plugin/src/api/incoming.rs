//! Events and pairing requests from other clients.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use socketio_p2p_protocol::{Args, ClientId, PairingId, RoomName};

use crate::api::{
    args::{self, ArgsError},
    client::P2pClient,
};

/// An event of the partner, for a handler. It holds a handle on the client.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub(crate) client: P2pClient,
    pub(crate) pairing: PairingId,
    pub(crate) from: ClientId,
    pub(crate) room: Option<RoomName>,
    pub(crate) event: String,
    pub(crate) args: Args,
    pub(crate) wants_reply: bool,
}

impl Incoming {
    /// Returns the client that received the event.
    #[must_use]
    pub const fn client(&self) -> &P2pClient {
        &self.client
    }

    /// Returns the id of the client that sent the event.
    #[must_use]
    pub const fn from(&self) -> &ClientId {
        &self.from
    }

    /// Returns the room in which the event was sent, or `None` if the partner of the exclusive pairing sent it.
    #[must_use]
    pub const fn room(&self) -> Option<&RoomName> {
        self.room.as_ref()
    }

    /// Returns the name of the event.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Returns whether the partner waits for the handler's result.
    #[must_use]
    pub const fn wants_reply(&self) -> bool {
        self.wants_reply
    }

    /// Deserialises the arguments: all of them into a tuple, or the first one into any other type. A type
    /// that deserialises from bytes, for example [`Bytes`], takes a blob, and so does a `Vec<u8>`; both also
    /// take a list of numbers.
    ///
    /// # Errors
    ///
    /// [`ArgsError`] if they have another shape.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        args::decode(&self.args)
    }

    /// Returns the arguments as JSON values. A blob is `{"_placeholder":true,"num":n}`, which stands for
    /// the `n`th of [`Self::blobs`].
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        self.args.parse().unwrap_or_default()
    }

    /// Returns the blobs that the placeholders stand for.
    #[must_use]
    pub fn blobs(&self) -> &[Bytes] {
        self.args.blobs()
    }

    /// Returns the arguments as they arrived, to be returned or sent on.
    #[must_use]
    pub fn into_raw(self) -> Args {
        self.args
    }
}

/// A request of another client to be paired with this one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PairingRequest {
    /// The client that asks. The server vouches for its id.
    pub source: ClientId,
    /// The payload of its request, if there is one.
    pub payload: Option<Value>,
    /// The time for which the server waits for the decision. A decision that takes longer is dropped, and
    /// the request declined.
    pub consent_time: Duration,
}

/// An application's decision about a [`PairingRequest`]. `true` and `false` convert into it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Consent {
    /// Yes.
    Accept,
    /// No, with an optional reason for people.
    Decline(Option<String>),
}

impl Consent {
    /// Returns a yes.
    #[must_use]
    pub const fn accept() -> Self {
        Self::Accept
    }

    /// Returns a no with a reason for people.
    pub fn decline(reason: impl Into<String>) -> Self {
        Self::Decline(Some(reason.into()))
    }
}

impl From<bool> for Consent {
    fn from(yes: bool) -> Self {
        if yes { Self::Accept } else { Self::Decline(None) }
    }
}
