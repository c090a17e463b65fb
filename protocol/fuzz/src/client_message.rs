//! A message of a client of either dialect, as the text of its event: `["P2P_REGISTER", "b", …]`.

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    ClientMessage, Code, Refusal,
    limits::{EVENT_NAME_BYTES, MESSAGE_BYTES},
    wire,
};

use super::text;

/// Reads it in both dialects; what was read is written and read again.
pub fn run(data: &[u8]) {
    let Some((event, args)) = text::event(data) else { return };
    v1(&event, &args);
    match wire::client_message(&event, args.clone()) {
        Ok(message) => {
            let (name, args) = message.to_event().expect("what a v2 client says it can write");
            assert_eq!(name, event);
            let written = json!(args).to_string();
            let again: Vec<Value> = serde_json::from_str(&written).expect("it is JSON");
            assert_eq!(wire::client_message(name, again), Ok(message), "{written}");
        }
        Err(error) => {
            let codes = [Code::BadArgs, Code::BadEvent, Code::TooLarge];
            assert!(codes.contains(&error.refusal.code));
            text::check_error(&error, &args);
        }
    }
}

fn v1(event: &str, args: &[Value]) {
    if let Ok(()) = wire::check_event(event) {
        assert!(event.len() <= EVENT_NAME_BYTES && !event.starts_with(wire::PREFIX));
    }
    match wire::target(args) {
        Ok(target) => assert_eq!(args[0], target.as_str()),
        Err(refusal) => check_error(&refusal),
    }
    let yes = matches!(wire::v1_answer(args, Some(1)), ClientMessage::Accept { req: Some(1) });
    assert_eq!(yes, args.first() == Some(&Value::Bool(true)));
    let failed = wire::v1_failed(Code::BadEvent.as_str(), event);
    let told = failed["error"]["message"].as_str().expect("a text");
    assert!(told.len() <= MESSAGE_BYTES && event.starts_with(told));
}

fn check_error(refusal: &Refusal) {
    let error = wire::v1_error(refusal);
    let error = error.as_str().expect("a text");
    assert!(error.starts_with("Error: ") && error.len() < MESSAGE_BYTES + 64);
}
