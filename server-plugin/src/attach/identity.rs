//! The identity of a connection, and the application's hooks that decide on it.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use serde_json::Value;
use socketio_p2p_protocol::{
    ClientId, Code, RoomName,
    wire::{CLIENT_ID, ConnectAuth, P2P},
};
use socketioxide::extensions::Extensions;

use crate::observe::logged;

/// The claims of a connection, for [`identify`](crate::P2pServerBuilder::identify).
#[non_exhaustive]
pub struct Handshake<'a> {
    /// The auth of its CONNECT packet. Null where there is none, as with Engine.IO 3.
    pub auth: &'a Value,
    /// The HTTP request that opened it, with its query and headers.
    pub request: &'a http::request::Parts,
    /// The values that the application's own middleware put beside the socket.
    pub extensions: &'a Extensions,
}

/// A hook that decides which client a connection is: `None` if it is no P2P client.
pub(crate) type Identify =
    Arc<dyn Fn(&Handshake<'_>) -> Result<Option<ClientId>, Code> + Send + Sync>;

/// A hook that decides whether a source may ask for a target.
pub(crate) type Authorize = Arc<dyn Fn(&ClientId, &ClientId) -> bool + Send + Sync>;

/// A hook that decides whether a client may join a room.
pub(crate) type MayJoin = Arc<dyn Fn(&ClientId, &RoomName) -> bool + Send + Sync>;

/// The application's hooks.
pub(crate) struct Hooks {
    pub(crate) identify: Identify,
    pub(crate) authorize: Option<Authorize>,
    /// A hook that decides whether a client may watch a target. None may without it.
    pub(crate) watch: Option<Authorize>,
    /// A hook that decides whether a client may join a room. None may without it.
    pub(crate) rooms: Option<MayJoin>,
}

/// The identity of a connection that is a client.
#[derive(Debug, PartialEq)]
pub(crate) struct Identity {
    pub(crate) client: ClientId,
    /// Its handshake, with the version on which it and the server have agreed.
    pub(crate) auth: ConnectAuth,
}

impl Hooks {
    pub(crate) fn identify(&self, handshake: &Handshake<'_>) -> Result<Option<Identity>, Code> {
        let said = |key: &str| said(handshake, key);
        let Some(client) =
            unless_it_panics(format_args!("identify"), || (self.identify)(handshake))
                .unwrap_or(Err(Code::Forbidden))?
        else {
            // A client that speaks v2 would wait for its welcome.
            return if said(P2P).is_ok_and(|p2p| p2p.is_some()) {
                Err(Code::BadClientId)
            } else {
                Ok(None)
            };
        };
        let auth = ConnectAuth::read(handshake.auth, said)?;
        Ok(Some(Identity { client, auth }))
    }

    /// Returns whether the source may ask for the target. If the hook panics, it may not: what called the hook
    /// has other requests to carry out.
    pub(crate) fn authorize(&self, source: &ClientId, target: &ClientId) -> bool {
        let Some(authorize) = &self.authorize else { return true };
        unless_it_panics(format_args!("authorize, of {source} and {target},"), || {
            authorize(source, target)
        })
        .unwrap_or(false)
    }

    /// Returns whether the watcher may watch the target. If the hook panics, it may not.
    pub(crate) fn may_watch(&self, watcher: &ClientId, target: &ClientId) -> bool {
        let Some(watch) = &self.watch else { return false };
        unless_it_panics(format_args!("watch, of {watcher} and {target},"), || {
            watch(watcher, target)
        })
        .unwrap_or(false)
    }

    /// Returns whether the client may join the room. If the hook panics, it may not.
    pub(crate) fn may_join(&self, client: &ClientId, room: &RoomName) -> bool {
        let Some(rooms) = &self.rooms else { return false };
        unless_it_panics(format_args!("rooms, of {client} and {},", room.as_str()), || {
            rooms(client, room)
        })
        .unwrap_or(false)
    }
}

/// Returns the decision of a hook, or `None` if it panics: the log names the hook and what it was asked.
fn unless_it_panics<T>(name: fmt::Arguments<'_>, hook: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(hook))
        .map_err(|panic| {
            logged(|| tracing::error!("the hook {name} panicked"));
            // Dropping it may panic in turn.
            if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
                std::mem::forget(second);
            }
        })
        .ok()
}

impl Default for Hooks {
    fn default() -> Self {
        Self { identify: Arc::new(client_id), authorize: None, watch: None, rooms: None }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

impl Handshake<'_> {
    /// Returns the client id that the connection claims: `clientId` in the auth, or else in the
    /// query. [`identify`](crate::P2pServerBuilder::identify) does this by default.
    ///
    /// # Errors
    ///
    /// [`Code::BadClientId`] if it is malformed, or if a connection that speaks v2 has none.
    pub fn client_id(&self) -> Result<Option<ClientId>, Code> {
        client_id(self)
    }
}

impl fmt::Debug for Handshake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Auth and headers hold secrets.
        f.debug_struct("Handshake").field("path", &self.request.uri.path()).finish_non_exhaustive()
    }
}

fn client_id(handshake: &Handshake<'_>) -> Result<Option<ClientId>, Code> {
    let bad = |_| Code::BadClientId;
    match said(handshake, CLIENT_ID).map_err(bad)? {
        Some(id) => Ok(Some(id.parse().map_err(|_| Code::BadClientId)?)),
        None if said(handshake, P2P)?.is_some() => Err(Code::BadClientId),
        None => Ok(None),
    }
}

/// Returns the value of a key in the auth, or else in the query: a string or a number, once.
fn said(handshake: &Handshake<'_>, key: &str) -> Result<Option<String>, Code> {
    match handshake.auth.get(key) {
        Some(Value::String(text)) => return Ok(Some(text.clone())),
        Some(Value::Number(number)) => return Ok(Some(number.to_string())),
        Some(_) => return Err(Code::BadArgs),
        None => {}
    }
    let query = handshake.request.uri.query().unwrap_or_default();
    let mut found = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // Query libraries spell an array `clientId[]=A`.
        let is_array = name.strip_prefix(key).is_some_and(|rest| rest.starts_with('['));
        if is_array || (name == key && found.replace(value.into_owned()).is_some()) {
            return Err(Code::BadArgs);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identify(query: &str, auth: &Value) -> Result<Option<Identity>, Code> {
        let uri = format!("/socket.io/?EIO=4&{query}");
        let (request, ()) = http::Request::builder().uri(uri).body(()).unwrap().into_parts();
        let extensions = Extensions::new();
        let handshake = Handshake { auth, request: &request, extensions: &extensions };
        Hooks::default().identify(&handshake)
    }

    fn v1(client: &str) -> Result<Option<Identity>, Code> {
        let auth = ConnectAuth { protocol: 1, binary: false, direct: false, resume: None };
        Ok(Some(Identity { client: client.parse().unwrap(), auth }))
    }

    #[test]
    fn a_connection_without_a_client_id_is_no_p2p_client() {
        assert_eq!(identify("", &Value::Null), Ok(None));
        assert_eq!(identify("x=1", &json!({ "token": "t" })), Ok(None));
    }

    fn identify_by(hook: Identify, auth: &Value) -> Result<Option<Identity>, Code> {
        let (request, ()) = http::Request::builder().uri("/").body(()).unwrap().into_parts();
        let extensions = Extensions::new();
        let handshake = Handshake { auth, request: &request, extensions: &extensions };
        Hooks { identify: hook, ..Hooks::default() }.identify(&handshake)
    }

    #[test]
    fn a_v2_connection_that_a_hook_takes_for_no_client_is_refused() {
        let nobody: Identify = Arc::new(|_| Ok(None));
        let v2 = json!({ "clientId": "A", "p2p": 2 });
        assert_eq!(identify_by(nobody.clone(), &v2), Err(Code::BadClientId));
        assert_eq!(identify_by(nobody, &json!({ "clientId": "A" })), Ok(None));
    }

    #[test]
    fn a_hook_that_panics_refuses_the_connection() {
        let panics: Identify = Arc::new(|_| panic!("the application's"));
        assert_eq!(identify_by(panics, &Value::Null), Err(Code::Forbidden));
    }

    #[test]
    fn the_client_id_comes_from_auth_or_query() {
        assert_eq!(identify("clientId=A%20b", &Value::Null), v1("A b"));
        assert_eq!(identify("", &json!({ "clientId": "A" })), v1("A"));
        assert_eq!(identify("clientId=B", &json!({ "clientId": "A" })), v1("A"));
    }

    #[test]
    fn a_connection_is_v2_if_its_auth_or_query_says_so() {
        let v2 = |binary| {
            let auth = ConnectAuth { protocol: 2, binary, direct: false, resume: None };
            Ok(Some(Identity { client: "A".parse().unwrap(), auth }))
        };
        assert_eq!(identify("clientId=A&p2p=2", &Value::Null), v2(false));
        assert_eq!(identify("", &json!({ "clientId": "A", "p2p": 2 })), v2(false));
        assert_eq!(identify("", &json!({ "clientId": "A", "p2p": 2, "binary": true })), v2(true));
        assert_eq!(identify("clientId=A&p2p=1000", &Value::Null), v2(false));
        assert_eq!(identify("clientId=A&p2p=1", &Value::Null), v1("A"));
    }

    #[test]
    fn a_direct_path_is_allowed_in_the_auth() {
        let direct = |auth| identify("direct=true", &auth).unwrap().unwrap().auth.direct;

        assert!(direct(json!({ "clientId": "A", "p2p": 2, "direct": true })));
        assert!(!direct(json!({ "clientId": "A", "p2p": 2, "direct": "true" })));
        assert!(!direct(json!({ "clientId": "A", "p2p": 2 })));
    }

    #[test]
    fn a_malformed_client_id_is_refused() {
        let long = format!("clientId={}", "a".repeat(129));
        for query in ["clientId=", "clientId=a%0Ab", "clientId[]=A", "clientId=A&clientId=B", &long]
        {
            assert_eq!(identify(query, &Value::Null), Err(Code::BadClientId), "{query}");
        }
        for auth in [json!({ "clientId": ["A"] }), json!({ "clientId": null }), json!({ "p2p": 2 })]
        {
            assert_eq!(identify("", &auth), Err(Code::BadClientId), "{auth}");
        }
    }

    #[test]
    fn a_resume_token_is_shown_in_the_auth() {
        let auth = |token: Value| json!({ "clientId": "A", "p2p": 2, "resume": token });
        let token = "000102030405060708090a0b0c0d0e0f";

        let identity = identify("", &auth(token.into())).unwrap().unwrap();
        assert_eq!(identity.auth.resume, Some(token.parse().unwrap()));
        assert_eq!(identify("", &auth(Value::Null)).unwrap().unwrap().auth.resume, None);
        for malformed in [json!("00"), json!(7), json!([token])] {
            assert_eq!(identify("", &auth(malformed)), Err(Code::BadResume));
        }
    }
}
