//! The keys by which streams and sockets find each other.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
};

use http::Uri;

/// The identity of a websocket, on its connection and in socketioxide.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Key {
    /// A websocket that was asked for and has no session yet: a hash of the key of its handshake and of the
    /// query. Both are the same for all devices whose library has a constant key.
    Asked(u64),
    /// The session that began on a websocket, which the server drew at random.
    Opened(Box<str>),
    /// The session that is upgraded from polling, which the server drew at random.
    Session(Box<str>),
    /// The session that waits for messages with a request of its own, a poll.
    Poll(Box<str>),
    /// The session that sends messages with a request of its own.
    Post(Box<str>),
}

impl Key {
    /// Reads the key of a request for a websocket, as engineioxide does.
    pub(crate) fn new(uri: &Uri, websocket_key: &[u8]) -> Self {
        match parameter(uri, "sid=") {
            Some(sid) => Self::Session(sid.into()),
            None => Self::asked(uri, websocket_key),
        }
    }

    /// Reads the key of a polling request, if it is one with a session.
    pub(crate) fn polling(method: Option<&str>, uri: &Uri) -> Option<Self> {
        let key = match method? {
            "GET" => Self::Poll,
            "POST" => Self::Post,
            _ => return None,
        };
        let polls = parameter(uri, "transport=") == Some("polling");
        parameter(uri, "sid=").filter(|_| polls).map(|sid| key(sid.into()))
    }

    /// Returns the key of a websocket without a session.
    pub(crate) fn asked(uri: &Uri, websocket_key: &[u8]) -> Self {
        Self::Asked(Self::hash(uri, websocket_key))
    }

    /// Returns the hash of a request for a websocket.
    pub(crate) fn hash(uri: &Uri, websocket_key: &[u8]) -> u64 {
        /// Seeded at random, so that no client can find two handshakes with one hash.
        static HASH: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        HASH.hash_one((uri.query().unwrap_or_default(), websocket_key))
    }
}

/// Returns the value of the first parameter of the query that begins with `name`.
pub(crate) fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    uri.query()?.split('&').find_map(|parameter| parameter.strip_prefix(name))
}
