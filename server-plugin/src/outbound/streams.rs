//! The streams below sockets, found by the sessions that the server names on them.

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
};

use dashmap::{DashMap, Entry};
use http::header::SEC_WEBSOCKET_KEY;
use socketio_p2p_protocol::limits::{ID_WAIT, ID_WAIT_STEP};
use socketioxide::{adapter::Adapter, socket::Socket};
use tokio::time::{Instant, sleep};

use super::{
    key::{Key, parameter},
    stream_handle::StreamHandle,
};

/// The streams of all websockets and polls of this process, by their sessions in socketioxide, which
/// knows nothing of the stream below. An entry lives no longer than its stream.
static STREAMS: LazyLock<DashMap<Key, Weak<StreamHandle>>> = LazyLock::new(DashMap::new);

/// The numbers of websockets on metered streams that were asked for and have no session yet, by the hashes of their
/// requests.
static ASKED: LazyLock<DashMap<u64, usize>> = LazyLock::new(DashMap::new);

/// Websockets that ended last, the newest at the end: a socket may be made of one that has ended already.
static ENDED: Mutex<VecDeque<Key>> = Mutex::new(VecDeque::new());

/// The most websockets that are remembered after their end. It takes milliseconds until a socket is made of one.
const REMEMBERED: usize = 1024;

/// Returns the stream of a socket, if the socket is a websocket that came over a metered stream.
pub(crate) fn of<A: Adapter>(socket: &Socket<A>) -> Option<Arc<StreamHandle>> {
    STREAMS.get(&key_of(socket))?.upgrade()
}

/// Waits until the stream of a socket can be found, if it has one. Engine.IO 3 connects a client to its namespace
/// before the first message on its websocket was written, which names the session.
pub(crate) async fn settled<A: Adapter>(socket: &Socket<A>) {
    let until = Instant::now() + ID_WAIT;
    let is_asked = || asked_by(socket).is_some_and(|asked| ASKED.contains_key(&asked));
    while of(socket).is_none() && is_asked() && Instant::now() < until {
        sleep(ID_WAIT_STEP).await;
    }
}

/// Returns whether a socket is a websocket whose stream has ended a moment ago. [`settled`] comes before.
pub(crate) fn has_ended<A: Adapter>(socket: &Socket<A>) -> bool {
    if !began_as_websocket(socket) || of(socket).is_some() {
        return false;
    }
    let ended = ended();
    ended.contains(&key_of(socket))
        || asked_by(socket).is_some_and(|asked| ended.contains(&Key::Asked(asked)))
}

fn key_of<A: Adapter>(socket: &Socket<A>) -> Key {
    let session = socket.id.as_str().into();
    if began_as_websocket(socket) { Key::Opened(session) } else { Key::Session(session) }
}

fn began_as_websocket<A: Adapter>(socket: &Socket<A>) -> bool {
    let transport = parameter(&socket.req_parts().uri, "transport=");
    transport.is_some_and(|value| value.split('=').next() == Some("websocket"))
}

/// Returns the hash of the request for the websocket of a socket that began as one.
fn asked_by<A: Adapter>(socket: &Socket<A>) -> Option<u64> {
    let request = socket.req_parts();
    let key = request.headers.get(SEC_WEBSOCKET_KEY).filter(|_| began_as_websocket(socket))?;
    Some(Key::hash(&request.uri, key.as_bytes()))
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
    /// Enters a stream. Returns `None` if another one has the websocket of the same session: engineioxide (0.17.9)
    /// decides which of them goes on.
    pub(super) fn new(key: Key, handle: &Arc<StreamHandle>) -> Option<Self> {
        let handle = Arc::downgrade(handle);
        if let Key::Asked(asked) = key {
            *ASKED.entry(asked).or_default() += 1;
            return Some(Self(key, handle));
        }
        match STREAMS.entry(key.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(handle.clone())),
            // The poll before ended, or its client gave it up.
            Entry::Occupied(mut entry) if matches!(key, Key::Poll(_)) => {
                entry.insert(handle.clone());
            }
            Entry::Occupied(_) => return None,
        }
        Some(Self(key, handle))
    }

    /// Notes the session that began on the websocket that was asked for.
    pub(super) fn opened(&mut self, session: Box<str>) {
        let Self(key, handle) = self;
        let Key::Asked(asked) = *key else { return };
        let opened = Key::Opened(session);
        if let Entry::Vacant(entry) = STREAMS.entry(opened.clone()) {
            entry.insert(handle.clone());
            *key = opened;
            leave(asked);
        }
    }

    /// Returns whether the stream carries a session that began on its websocket.
    pub(super) const fn has_opened(&self) -> bool {
        matches!(self.0, Key::Opened(_))
    }

    /// Returns whether the stream carries a session that began with polling.
    pub(super) const fn is_of_session(&self) -> bool {
        matches!(self.0, Key::Session(_))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let Self(key, handle) = self;
        if matches!(key, Key::Asked(_) | Key::Opened(_)) {
            let mut ended = ended();
            if ended.len() >= REMEMBERED {
                ended.pop_front();
            }
            ended.push_back(key.clone());
        }
        match key {
            Key::Asked(asked) => leave(*asked),
            key => drop(STREAMS.remove_if(key, |_, other| other.ptr_eq(handle))),
        }
    }
}

/// Notes that a websocket that was asked for has a session, or none will come of it.
fn leave(asked: u64) {
    if let Entry::Occupied(mut entry) = ASKED.entry(asked) {
        match entry.get() {
            0 | 1 => drop(entry.remove()),
            number => {
                let left = number - 1;
                entry.insert(left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::outbound::meter::MeteredStream;

    const REQUEST: &str =
        "GET /?transport=websocket HTTP/1.1\r\nsec-websocket-key: constant\r\n\r\n";
    const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

    /// A stream on which a websocket was asked for, with the key that all devices of a kind have.
    async fn asked() -> (DuplexStream, MeteredStream<DuplexStream>) {
        let (mut client, server) = duplex(1024);
        let mut server = MeteredStream::new(server);
        client.write_all(REQUEST.as_bytes()).await.unwrap();
        server.read_exact(&mut vec![0; REQUEST.len()]).await.unwrap();
        (client, server)
    }

    /// Lets the server begin a session.
    async fn open(server: &mut MeteredStream<DuplexStream>, session: &str) {
        let open = format!(r#"0{{"sid":"{session}"}}"#);
        let frame = [&[0x81, open.len() as u8], open.as_bytes()].concat();
        server.write_all(SWITCHING).await.unwrap();
        server.write_all(&frame).await.unwrap();
    }

    fn stream_of(session: &str) -> Option<Arc<StreamHandle>> {
        STREAMS.get(&Key::Opened(session.into()))?.upgrade()
    }

    fn hash() -> u64 {
        Key::hash(&"/?transport=websocket".parse().unwrap(), b"constant")
    }

    #[tokio::test]
    async fn each_stream_is_that_of_the_session_which_the_server_names_on_it() {
        let (mut first, mut second, third) = (asked().await, asked().await, asked().await);
        assert_eq!(ASKED.get(&hash()).map(|number| *number), Some(3));

        open(&mut second.1, "second").await;
        open(&mut first.1, "first").await;

        for (session, (_, server)) in [("first", &first), ("second", &second)] {
            assert!(Arc::ptr_eq(&stream_of(session).unwrap(), &server.handle));
        }
        assert_eq!(ASKED.get(&hash()).map(|number| *number), Some(1));
        drop(first);
        assert!(stream_of("first").is_none() && stream_of("second").is_some());
        assert!(ended().contains(&Key::Opened("first".into())));
        drop(third);
        assert!(!ASKED.contains_key(&hash()) && ended().contains(&Key::Asked(hash())));
    }

    #[tokio::test]
    async fn nothing_but_the_first_message_names_a_session() {
        let (_client, mut server) = asked().await;
        server.write_all(SWITCHING).await.unwrap();
        server.write_all(&[0x81, 1, b'6']).await.unwrap();

        open(&mut server, "later").await;

        assert!(stream_of("later").is_none());
    }

    #[tokio::test]
    async fn the_second_websocket_of_a_session_goes_on_and_is_not_its_stream() {
        let request = REQUEST.replace("websocket HTTP", "websocket&sid=twice HTTP");
        let mut servers = Vec::new();
        for _ in 0..2 {
            let (mut client, server) = duplex(1024);
            let mut server = MeteredStream::new(server);
            client.write_all(request.as_bytes()).await.unwrap();
            server.read_exact(&mut vec![0; request.len()]).await.unwrap();
            servers.push((client, server));
        }

        let stream = STREAMS.get(&Key::Session("twice".into())).unwrap().upgrade().unwrap();
        assert!(Arc::ptr_eq(&stream, &servers[0].1.handle));
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
