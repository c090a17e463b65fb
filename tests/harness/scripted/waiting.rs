//! Waits: what they take, what they leave, and how they fail.

use std::time::Instant;

use serde_json::json;

use super::{SHORT, peer};
use crate::{DEFAULT_LIMIT, StartError, WaitError};

const CONNECTED: &str = r#"echo '{"event":"connected","clientId":"A"}'"#;

#[tokio::test]
async fn a_peer_is_started_with_its_url_and_id_and_its_own_arguments() {
    let script = r#"echo "{\"event\":\"connected\",\"args\":\"$*\",\"home\":\"$PLANET\"}"; cat"#;
    let builder = peer(script).args(["--reply", "none"]).env("PLANET", "earth");

    let mut a = builder.spawn().unwrap();

    let event = a.wait_for("connected").await.unwrap();
    assert_eq!(event["args"], "--url http://127.0.0.1:1 --id A --reply none");
    assert_eq!(event["home"], "earth");
}

#[tokio::test]
async fn what_is_sent_arrives_as_one_line_each() {
    let mut a = peer(&format!("{CONNECTED}; cat")).start().await.unwrap();

    a.send(json!({"event": "one", "text": "a\nb"})).await.unwrap();
    a.send_line(r#"{"event":"two","z":1,"a":2}"#).await.unwrap();

    assert_eq!(a.wait_for("one").await.unwrap()["text"], "a\nb");
    assert_eq!(a.wait_for("two").await.unwrap().line(), r#"{"event":"two","z":1,"a":2}"#);
}

#[tokio::test]
async fn a_wait_leaves_the_events_that_it_did_not_ask_for() {
    let script = r#"for n in 1 2 3; do echo "{\"event\":\"e$n\",\"n\":$n}"; done; cat"#;
    let mut a = peer(script).spawn().unwrap();

    let third = a.wait_for("e3").await.unwrap();
    let first = a.expect("an odd number", |event| event["n"] == 1).await.unwrap();

    assert_eq!((&third["n"], &first["n"]), (&json!(3), &json!(1)));
    let rest = a.unread().unwrap();
    assert_eq!(rest.iter().map(|event| event.name()).collect::<Vec<_>>(), ["e2"]);
}

#[tokio::test]
async fn a_wait_ends_at_its_limit_and_shows_what_was_said_instead() {
    let script =
        format!(r#"echo 'the reason' >&2; echo '{{"event":"other"}}'; {CONNECTED}; exec cat"#);
    let mut a = peer(&script).start().await.unwrap();
    a.process.limit = SHORT;
    let started = Instant::now();

    let error = a.wait_for("paired").await.unwrap_err();

    assert!(started.elapsed() < DEFAULT_LIMIT);
    assert!(matches!(error, WaitError::Timeout { limit: SHORT, .. }), "{error}");
    let text = error.to_string();
    for part in ["`peer A`", "event `paired`", r#"{"event":"other"}"#, "the reason"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    a.wait_for("other").await.expect("a failed wait takes nothing");
}

#[tokio::test]
async fn a_peer_that_ends_early_ends_the_wait_with_its_status_and_stderr() {
    let script = r#"echo '{"event":"other"}'; echo 'no such host' >&2; exit 3"#;
    let mut a = peer(script).spawn().unwrap();
    let started = Instant::now();

    let error = a.wait_for("connected").await.unwrap_err();

    assert!(started.elapsed() < DEFAULT_LIMIT, "it waited for the limit");
    let WaitError::Ended { status, transcript, .. } = error else { panic!("{error}") };
    assert_eq!(status.unwrap().code(), Some(3));
    assert_eq!(transcript.unread, [r#"{"event":"other"}"#]);
    assert_eq!(transcript.stderr, "no such host");
}

#[tokio::test]
async fn a_command_to_a_peer_that_has_ended_is_an_error() {
    let mut a = peer("exit 0").spawn().unwrap();
    a.wait_for("connected").await.unwrap_err();

    // The pipe may take what nobody will read, so the first write need not fail; the wait does.
    let sent = a.send(json!({"cmd": "list"})).await;
    let error = match sent {
        Ok(()) => a.wait_for("clients").await.unwrap_err(),
        Err(error) => error,
    };

    assert!(matches!(error, WaitError::Ended { .. }), "{error}");
}

#[tokio::test]
async fn a_peer_that_reads_nothing_does_not_hold_a_command_for_ever() {
    let script = format!("{CONNECTED}; exec sleep 60");
    let mut a = peer(&script).start().await.unwrap();
    a.process.limit = SHORT;

    let error = a.send(json!({"cmd": "x".repeat(1 << 20)})).await.unwrap_err();

    assert!(matches!(error, WaitError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_line_that_is_no_event_is_an_error_once() {
    let script = r#"echo 'thread panicked'; echo '{"event":"connected"}'; cat"#;
    let mut a = peer(script).spawn().unwrap();

    let error = a.wait_for("connected").await.unwrap_err();

    let WaitError::Malformed { line, .. } = &error else { panic!("{error}") };
    assert_eq!(line, "thread panicked");
    a.wait_for("connected").await.expect("the next wait reads on");
}

#[tokio::test]
async fn a_line_that_is_no_text_is_an_error_as_well() {
    let mut a = peer(r"printf '\377\376\n'; cat").spawn().unwrap();

    let error = a.wait_for("connected").await.unwrap_err();

    assert!(matches!(error, WaitError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn a_peer_that_was_not_let_in_is_refused_with_its_code() {
    let script = r#"echo '{"event":"error","code":"duplicate-id","message":"in use"}'; cat"#;

    let error = peer(script).start().await.unwrap_err();

    let StartError::Refused { code, message, .. } = &error else { panic!("{error}") };
    assert_eq!((code.as_str(), message.as_str()), ("duplicate-id", "in use"));
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named() {
    let error = peer("").program(crate::Program::new("/no/such/peer")).spawn().unwrap_err();

    assert!(matches!(error, StartError::Spawn { .. }), "{error}");
    assert!(error.to_string().contains("/no/such/peer"), "{error}");
}

#[tokio::test]
async fn no_more_events_passes_in_silence_and_fails_at_the_first_event() {
    let mut a = peer(&format!("{CONNECTED}; cat")).start().await.unwrap();

    a.no_more_events(SHORT).await.unwrap();
    a.send(json!({"event": "late"})).await.unwrap();
    let error = a.no_more_events(DEFAULT_LIMIT).await.unwrap_err();

    let WaitError::Unexpected { line, .. } = &error else { panic!("{error}") };
    assert_eq!(line, r#"{"event":"late"}"#);
    a.no_more_events(SHORT).await.expect("the event was taken");
}
