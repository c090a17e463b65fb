//! What comes from the partner: events for handlers, and wishes to be paired.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use socketio_p2p_protocol::{Args, ClientId, PairingId, Path};

use crate::{api::args, api::args::ArgsError, api::client::P2pClient, api::emit2::Emit2};

/// An event of the partner, for a handler.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub(crate) client: P2pClient,
    pub(crate) pairing: PairingId,
    pub(crate) from: ClientId,
    pub(crate) event: String,
    pub(crate) args: Args,
    pub(crate) wants_reply: bool,
}

impl Incoming {
    /// The client that received it: to answer with events of one's own.
    #[must_use]
    pub const fn client(&self) -> &P2pClient {
        &self.client
    }

    /// Sends an event to the one who sent this: [`P2pClientExt::emit2`], but never to anybody who
    /// is the partner later.
    ///
    /// [`P2pClientExt::emit2`]: crate::P2pClientExt::emit2
    pub fn emit2(&self, event: impl Into<String>, args: impl Serialize) -> Emit2<'_> {
        Emit2::new(&self.client, Some(self.pairing), event.into(), args::encode(&args))
    }

    /// Who sent it.
    #[must_use]
    pub const fn from(&self) -> &ClientId {
        &self.from
    }

    /// The name of the event.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Whether the partner waits for what the handler returns.
    #[must_use]
    pub const fn wants_reply(&self) -> bool {
        self.wants_reply
    }

    /// The arguments: all of them as a tuple, or the first as any other type. Blobs are what
    /// deserialises from bytes, for example [`Bytes`].
    ///
    /// # Errors
    ///
    /// [`ArgsError`] if they are of another shape.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        args::decode(&self.args)
    }

    /// The arguments as JSON values. A blob is `{"_placeholder":true,"num":n}`, for the `n`th of
    /// [`Self::blobs`].
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        self.args.parse().unwrap_or_default()
    }

    /// The blobs that the placeholders stand for.
    #[must_use]
    pub fn blobs(&self) -> &[Bytes] {
        self.args.blobs()
    }

    /// The arguments as they came, to be returned or sent on.
    #[must_use]
    pub fn into_raw(self) -> Args {
        self.args
    }
}

/// The reply to an acknowledged emit.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) args: Args,
    pub(crate) path: Path,
}

impl Reply {
    /// The arguments: all of them as a tuple, or the first as any other type.
    ///
    /// # Errors
    ///
    /// [`ArgsError`] if they are of another shape, or there are none.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        args::decode(&self.args)
    }

    /// The arguments as JSON values, blobs as placeholders.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        self.args.parse().unwrap_or_default()
    }

    /// The blobs that the placeholders stand for.
    #[must_use]
    pub fn blobs(&self) -> &[Bytes] {
        self.args.blobs()
    }

    /// Which way it came.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }
}

/// A wish of another client to be paired with this one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PairingRequest {
    /// Who asks. The server vouches for it.
    pub source: ClientId,
    /// What it says about it, if anything.
    pub payload: Option<Value>,
}

/// What an application says to a [`PairingRequest`]. `true` and `false` become one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Consent {
    /// Yes.
    Accept,
    /// No, and perhaps why, for people.
    Decline(Option<String>),
}

impl From<bool> for Consent {
    fn from(yes: bool) -> Self {
        if yes { Self::Accept } else { Self::Decline(None) }
    }
}
