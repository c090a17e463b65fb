//! Texts from outside that stand for ids: the resume token, ids of clients and of pairings.

use std::{fmt, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, json};
use socketio_p2p_protocol::{
    ClientId, PairingId, ResumeToken,
    limits::CLIENT_ID_BYTES,
    wire::{ConnectAuth, PROTOCOL},
};

/// Reads the text as each of these.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<ResumeToken>() {
        Ok(token) => {
            assert_eq!(text.len(), 32);
            assert_eq!(written(token), text);
            assert_eq!(serde_json::from_value::<ResumeToken>(json!(text)).ok(), Some(token));
            for shown in [token.to_string(), format!("{token:?}"), json!(token).to_string()] {
                assert!(!shown.contains(text), "a secret is not shown");
            }
        }
        Err(_) => assert!(serde_json::from_value::<ResumeToken>(json!(text)).is_err()),
    }
    if let Some(id) = one_spelling::<ClientId>(text) {
        assert_eq!(id.as_str(), text);
        assert!((1..=CLIENT_ID_BYTES).contains(&text.len()));
        assert!(!text.chars().any(char::is_control));
    }
    if one_spelling::<PairingId>(text).is_some() {
        assert!(text.len() <= 33);
    }
    if let Ok(bytes) = data.try_into() {
        let token = ResumeToken::new(bytes);
        assert_eq!(written(token).parse(), Ok(token));
    }
}

/// Returns the text of a token in the CONNECT auth.
fn written(token: ResumeToken) -> String {
    let mut auth = Map::new();
    let (protocol, resume) = (PROTOCOL, Some(token));
    ConnectAuth { protocol, binary: false, direct: false, resume }.write(&client(), &mut auth);
    auth["resume"].as_str().map(ToOwned::to_owned).unwrap_or_default()
}

fn client() -> ClientId {
    "a".parse().expect("one byte is enough")
}

/// Checks that a value has one spelling, as text and as JSON.
fn one_spelling<T>(text: &str) -> Option<T>
where
    T: DeserializeOwned + FromStr + PartialEq + Serialize + fmt::Debug + fmt::Display,
{
    let Ok(value) = text.parse::<T>() else {
        assert!(serde_json::from_value::<T>(json!(text)).is_err());
        return None;
    };
    assert_eq!(value.to_string(), text);
    assert_eq!(json!(value), text);
    assert_eq!(serde_json::from_value::<T>(json!(text)).ok().as_ref(), Some(&value));
    Some(value)
}
