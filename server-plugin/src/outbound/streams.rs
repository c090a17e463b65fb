//! The streams below sockets, found by what their clients sent.

use std::sync::{Arc, LazyLock, Weak};

use dashmap::{DashMap, Entry};
use socketioxide::{adapter::Adapter, socket::Socket};

use super::{
    http_head::{Key, parameter},
    meter::StreamHandle,
};

/// The streams of all websockets and polls of this process, by their keys in socketioxide, which
/// knows nothing of the stream below. An entry lives no longer than its stream.
static STREAMS: LazyLock<DashMap<Key, Streams>> = LazyLock::new(DashMap::new);

/// The streams with one key.
#[derive(Debug)]
struct Streams {
    /// The only one, or the last that polled. Dangling if a websocket's key is in use on several: it is
    /// unclear which of them belongs to a socket.
    stream: Weak<StreamHandle>,
    count: usize,
}

/// Returns the stream of a socket, if the socket is a websocket that came over a metered stream.
pub(crate) fn of<A: Adapter>(socket: &Socket<A>) -> Option<Arc<StreamHandle>> {
    let request = socket.req_parts();
    // A socket that began with polling is known by its session only: anybody can write a key into
    // the first request.
    let transport = parameter(&request.uri, "transport=");
    let began_so = transport.is_some_and(|value| value.split('=').next() == Some("websocket"));
    let key = if began_so {
        let key = request.headers.get(http::header::SEC_WEBSOCKET_KEY)?;
        Key::WebSocket(key.as_bytes().into())
    } else {
        Key::Session(socket.id.as_str().into())
    };
    STREAMS.get(&key)?.stream.upgrade()
}

/// Returns the stream on which a socket polled last, if that was over a metered stream. It counts
/// the bytes of one poll only, and maybe those of others: it is no meter of the socket.
pub(crate) fn of_poll<A: Adapter>(socket: &Socket<A>) -> Option<Arc<StreamHandle>> {
    STREAMS.get(&Key::Poll(socket.id.as_str().into()))?.stream.upgrade()
}

/// The entry of a stream's websocket or poll, until it is dropped.
#[derive(Debug)]
pub(super) struct Registered(Key);

impl Registered {
    pub(super) fn new(key: Key, handle: &Arc<StreamHandle>) -> Self {
        let stream = Arc::downgrade(handle);
        match STREAMS.entry(key.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(Streams { stream, count: 1 })),
            Entry::Occupied(mut entry) => {
                let streams = entry.get_mut();
                streams.count += 1;
                streams.stream = match key {
                    // The poll before ended, or its client gave it up.
                    Key::Poll(_) => stream,
                    // A client may always send the same key. With equal keys the traffic of one
                    // stream would count for the other, so neither counts.
                    Key::WebSocket(_) | Key::Session(_) => Weak::new(),
                };
            }
        }
        Self(key)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        STREAMS.remove_if_mut(&self.0, |_, streams| {
            streams.count -= 1;
            streams.count == 0
        });
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
        STREAMS.contains_key(&Key::WebSocket(key.as_bytes().into()))
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
    async fn of_streams_with_the_same_key_none_is_metered() {
        let request = upgrade("two");
        let mut read = vec![0; request.len()];
        let mut streams = Vec::new();
        for _ in 0..3 {
            let (mut client, server) = duplex(1024);
            let mut server = MeteredStream::new(server);
            client.write_all(request.as_bytes()).await.unwrap();
            server.read_exact(&mut read).await.unwrap();
            streams.push(server);
        }
        let key = Key::WebSocket((*b"two").into());
        let found = || STREAMS.get(&key).map(|streams| streams.stream.upgrade().is_some());

        while streams.pop().is_some() {
            assert_eq!(found(), (!streams.is_empty()).then_some(false));
        }
        let (mut client, server) = duplex(1024);
        let mut server = MeteredStream::new(server);
        client.write_all(request.as_bytes()).await.unwrap();
        server.read_exact(&mut read).await.unwrap();
        assert_eq!(found(), Some(true), "the key is free again");
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
        let registered = || STREAMS.get(&key).and_then(|streams| streams.stream.upgrade());
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
