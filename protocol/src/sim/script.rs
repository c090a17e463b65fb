//! The script of a [`Testbed`](super::Testbed): what clients report is kept, and nothing is decided at
//! random.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use crate::{
    Args, ClientEvent, PairingId, Refusal,
    client::Answer,
    peer::{Complaint, LinkMessage},
    session::CallId,
    sim::oracle::ClientNo,
};

/// An event that a client's handler got.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The pairing, by the name that the client had for it.
    pub pairing: PairingId,
    /// The number in its session.
    pub seq: u64,
    /// The number that the partner's call has.
    pub call: CallId,
    /// The name of the event.
    pub event: String,
    /// The arguments.
    pub args: Args,
}

/// The treatment of an event by a handler.
#[derive(Clone, Debug)]
pub enum Handling {
    /// It returns this at once.
    Return(Result<Args, Refusal>),
    /// It returns with [`Testbed::finish`](super::Testbed::finish).
    Later,
}

/// A message of the wire, as JSON.
#[derive(Clone, Debug)]
pub struct Passing {
    /// The client.
    pub client: ClientNo,
    /// True if the message is of the client, and false if it is for it.
    pub is_up: bool,
    /// The name of the event, or [`Self::LINK`].
    pub event: String,
    /// Its arguments, or the message on a link.
    pub args: Vec<Value>,
    /// Events of the server that reach the client before this one.
    pub before: Vec<(String, Vec<Value>)>,
}

impl Passing {
    /// The name of a text on a link, which has no event.
    pub const LINK: &'static str = "link";
}

/// The reports of a client.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) events: Vec<ClientEvent>,
    pub(crate) answers: BTreeMap<CallId, Vec<Answer>>,
    pub(crate) deliveries: Vec<Delivered>,
    pub(crate) messages: Vec<LinkMessage>,
    pub(crate) complaints: Vec<Complaint>,
    pub(crate) reconnects: usize,
    /// True if it declines all pairings.
    pub(crate) refuses: bool,
}

type Handler = Box<dyn FnMut(ClientNo, &Delivered) -> Handling>;
type Rewrite = Box<dyn FnMut(&mut Passing)>;

pub(crate) struct Script {
    pub(crate) records: Vec<Records>,
    pub(crate) handler: Handler,
    pub(crate) rewrite: Option<Rewrite>,
    /// Messages with frames that the server refuses next.
    pub(crate) congested: usize,
}

impl Default for Script {
    fn default() -> Self {
        let handler = Box::new(|_: ClientNo, delivered: &Delivered| {
            Handling::Return(Ok(delivered.args.clone()))
        });
        Self { records: Vec::new(), handler, rewrite: None, congested: 0 }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("records", &self.records).finish_non_exhaustive()
    }
}
