//! Names that come from outside: the resume token, ids of clients and of pairings.

use std::{fmt, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use socketio_p2p_protocol::{ClientId, PairingId, ResumeToken, limits::CLIENT_ID_BYTES};

/// Reads the text as each of them.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(token) = one_spelling::<ResumeToken>(text) {
        assert_eq!(text.len(), 32);
        assert!(!format!("{token:?}").contains(text), "a secret is not shown");
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
        assert_eq!(one_spelling::<ResumeToken>(&token.to_string()), Some(token));
    }
}

/// A value has one spelling, as text and as JSON.
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
