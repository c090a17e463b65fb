//! The streams below sockets, found by what their clients sent.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
};

use dashmap::{DashMap, Entry};
use socketioxide::{adapter::Adapter, socket::Socket};

use super::{
    key::{Key, parameter},
    stream_handle::StreamHandle,
};

/// The streams of all websockets and polls of this process, by their keys in socketioxide, which
/// knows nothing of the stream below. An entry lives no longer than its stream.
static STREAMS: LazyLock<DashMap<Key, Weak<StreamHandle>>> = LazyLock::new(DashMap::new);

/// Websockets that ended last, the newest at the end: a socket may be made of one that has ended already.
static ENDED: Mutex<VecDeque<Key>> = Mutex::new(VecDeque::new());

/// The most websockets that are remembered after their end. It takes milliseconds until a socket is made of one.
const REMEMBERED: usize = 1024;

/// Returns the stream of a socket, if the socket is a websocket that came over a metered stream.
pub(crate) fn of<A: Adapter>(socket: &Socket<A>) -> Option<Arc<StreamHandle>> {
    STREAMS.get(&key_of(socket)?)?.upgrade()
}

/// Returns whether a socket is a websocket whose stream has ended a moment ago.
pub(crate) fn has_ended<A: Adapter>(socket: &Socket<A>) -> bool {
    key_of(socket).is_some_and(|key| !STREAMS.contains_key(&key) && ended().contains(&key))
}

fn key_of<A: Adapter>(socket: &Socket<A>) -> Option<Key> {
    let request = socket.req_parts();
    // A socket that began with polling is known by its session only: anybody can write a key into
    // the first request.
    let transport = parameter(&request.uri, "transport=");
    let began_so = transport.is_some_and(|value| value.split('=').next() == Some("websocket"));
    Some(if began_so {
        let key = request.headers.get(http::header::SEC_WEBSOCKET_KEY)?;
        Key::websocket(&request.uri, key.as_bytes())
    } else {
        Key::Session(socket.id.as_str().into())
    })
}

fn ended() -> MutexGuard<'static, VecDeque<Key>> {
    ENDED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the stream on which a poll of a socket waits for its response. It counts the bytes of one
/// poll only, and maybe those of other clients: the meter of the socket is that of its session.
pub(crate) fn of_poll<A: Adapter>(socket: &Socket<A>) -> Option<Arc<StreamHandle>> {
    let stream = STREAMS.get(&Key::Poll(socket.id.as_str().into()))?.upgrade()?;
    stream.waits().then_some(stream)
}

/// The entry of a stream's websocket or poll, until it is dropped.
#[derive(Debug)]
pub(super) struct Registered(Key, Weak<StreamHandle>);

impl Registered {
    /// Enters a stream.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if another stream has a websocket of the same key and query. The traffic of one would
    /// count for the other, and so a client could make the server keep more for it than is allowed.
    pub(super) fn new(key: Key, handle: &Arc<StreamHandle>) -> io::Result<Self> {
        let handle = Arc::downgrade(handle);
        match STREAMS.entry(key.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(handle.clone())),
            // The poll before ended, or its client gave it up.
            Entry::Occupied(mut entry) if matches!(key, Key::Poll(_)) => {
                entry.insert(handle.clone());
            }
            Entry::Occupied(_) => return Err(io::ErrorKind::AddrInUse.into()),
        }
        Ok(Self(key, handle))
    }

    /// Returns whether the stream carries a session that began with polling.
    pub(super) const fn is_of_session(&self) -> bool {
        matches!(self.0, Key::Session(_))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let Self(key, handle) = self;
        let removed = STREAMS.remove_if(key, |_, other| other.ptr_eq(handle));
        if let Some((key @ Key::WebSocket(_), _)) = removed {
            let mut ended = ended();
            if ended.len() >= REMEMBERED {
                ended.pop_front();
            }
            ended.push_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;
    use crate::outbound::meter::MeteredStream;

    fn upgrade(key: &str) -> String {
        format!("GET /?transport=websocket HTTP/1.1\r\nsec-websocket-key: {key}\r\n\r\n")
    }

    fn registered(key: &str) -> bool {
        let uri = "/?transport=websocket".parse().unwrap();
        STREAMS.contains_key(&Key::websocket(&uri, key.as_bytes()))
    }

    #[tokio::test]
    async fn a_stream_is_registered_from_its_request_to_its_end() {
        let (mut client, server) = duplex(1024);
        let mut server = MeteredStream::new(server);
        let request = upgrade("one");
        client.write_all(request.as_bytes()).await.unwrap();

        assert!(!registered("one"));
        let mut read = vec![0; request.len()];
        server.read_exact(&mut read).await.unwrap();

        assert_eq!(read, request.as_bytes());
        assert!(registered("one"));
        drop(server);
        assert!(!registered("one"));
    }

    #[tokio::test]
    async fn a_key_in_use_is_refused_unless_the_query_differs() {
        let stream = || {
            let (client, server) = duplex(1024);
            (client, MeteredStream::new(server))
        };
        let request = upgrade("two");
        let other_query = request.replace("websocket HTTP", "websocket&clientId=B HTTP");
        let mut read = vec![0; request.len()];
        let ((mut client, mut first), (mut again, mut second), (mut other, mut third)) =
            (stream(), stream(), stream());
        client.write_all(request.as_bytes()).await.unwrap();
        again.write_all(request.as_bytes()).await.unwrap();
        other.write_all(other_query.as_bytes()).await.unwrap();
        first.read_exact(&mut read).await.unwrap();

        let refused = second.read_exact(&mut read).await.unwrap_err();

        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        drop(second);
        assert!(registered("two"));
        third.read_exact(&mut vec![0; other_query.len()]).await.unwrap();
        assert!(registered("two"));
    }

    #[tokio::test]
    async fn the_last_poll_of_a_session_counts() {
        let request = b"GET /?transport=polling&sid=three HTTP/1.1\r\n\r\n";
        let stream = || {
            let (client, server) = duplex(1024);
            (client, MeteredStream::new(server))
        };
        let ((mut client, mut first), (mut other, mut second)) = (stream(), stream());
        let key = Key::Poll("three".into());
        let registered = || STREAMS.get(&key).and_then(|stream| stream.upgrade());
        let mut read = vec![0; request.len()];
        for (client, server) in [(&mut client, &mut first), (&mut other, &mut second)] {
            client.write_all(request).await.unwrap();
            server.read_exact(&mut read).await.unwrap();
        }

        drop(first);
        assert!(Arc::ptr_eq(&registered().unwrap(), &second.handle));
        drop(second);
        assert!(registered().is_none());
    }
}
