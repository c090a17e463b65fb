//! A message to a v2 client, as the text of the event: a server that speaks another language, or a
//! hostile one, must not bring its client down.

use serde_json::{Value, json};
use socketio_p2p_protocol::wire;

use super::text;

/// Reads it; what was read is written and read again.
pub fn run(data: &[u8]) {
    let Some((event, args)) = text::event(data) else { return };
    match wire::server_message(&event, args.clone()) {
        Ok(message) => {
            let (name, args) = message.to_event().expect("what a v2 client hears can be written");
            assert_eq!(name, event);
            assert!(wire::TO_CLIENT.contains(&name) && !args.is_empty());
            let written = json!(args).to_string();
            let again: Vec<Value> = serde_json::from_str(&written).expect("it is JSON");
            assert_eq!(wire::server_message(name, again), Ok(message), "{written}");
        }
        Err(error) => text::check_error(&error, &args),
    }
}
