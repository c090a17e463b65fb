//! Requests: the command that is written, and the answer that is found again.

use serde_json::json;

use super::peer;
use crate::{Emit2Error, Outcome, Peer, RegisterError};

/// A peer that reads one command a line and prints `answers`, one after each.
async fn answering(answers: &[&str]) -> Peer {
    let answers: String =
        answers.iter().map(|answer| format!("read -r line; echo '{answer}'; ")).collect();
    let script = format!(r#"echo '{{"event":"connected"}}'; {answers} cat >/dev/null"#);
    peer(&script).start().await.unwrap()
}

#[tokio::test]
async fn register_returns_the_pairing() {
    let mut a = answering(&[r#"{"event":"paired","partner":"B","pairing":"p1"}"#]).await;

    let paired = a.register("B").await.unwrap();

    assert_eq!(paired["pairing"], "p1");
}

#[tokio::test]
async fn register_returns_the_code_of_a_refusal() {
    let mut a = answering(&[r#"{"event":"refused","target":"B","code":"offline"}"#]).await;

    let error = a.register("B").await.unwrap_err();

    let RegisterError::Refused { target, code, .. } = &error else { panic!("{error}") };
    assert_eq!((target.as_str(), code.as_str()), ("B", "offline"));
}

#[tokio::test]
async fn register_is_not_answered_by_another_pairing() {
    let other = r#"{"event":"paired","partner":"C","pairing":"p0"}"#;
    let script = format!(
        r#"echo '{{"event":"connected"}}'; echo '{other}'; read -r line;
           echo '{{"event":"paired","partner":"B","pairing":"p1"}}'; cat >/dev/null"#
    );
    let mut a = peer(&script).start().await.unwrap();

    assert_eq!(a.register("B").await.unwrap()["pairing"], "p1");
    assert_eq!(a.wait_for("paired").await.unwrap()["pairing"], "p0");
}

#[tokio::test]
async fn calls_in_flight_find_their_own_answers() {
    let mut a = answering(&[
        r#"{"event":"sent","id":99}"#,
        r#"{"event":"reply","id":2,"value":"second","path":"relay"}"#,
        r#"{"event":"reply","id":1,"value":"first","path":"direct"}"#,
    ])
    .await;

    let first = a.start_emit2("chat", json!([1])).await.unwrap();
    let second = a.start_emit2("chat", json!([2])).await.unwrap();
    a.send(json!({"cmd": "list"})).await.unwrap();

    let (first, second) = (a.reply(first).await.unwrap(), a.reply(second).await.unwrap());
    assert_eq!((first.value, first.path.as_str()), (json!("first"), "direct"));
    assert_eq!((second.value, second.path.as_str()), (json!("second"), "relay"));
}

#[tokio::test]
async fn a_failed_call_says_what_is_known_about_it() {
    let mut a = answering(&[
        r#"{"event":"failed","id":1,"outcome":"not-executed","code":"not-paired"}"#,
        r#"{"event":"failed","id":2,"outcome":"unknown","code":"timeout"}"#,
    ])
    .await;

    let first = a.emit2("chat", json!([])).await.unwrap_err();
    let second = a.notify2("chat", json!([])).await.unwrap_err();

    let Emit2Error::Failed { outcome, code, .. } = first else { panic!("{first}") };
    assert_eq!((outcome, code.as_str()), (Outcome::NotExecuted, "not-paired"));
    let Emit2Error::Failed { outcome, .. } = second else { panic!("{second}") };
    assert_eq!(outcome, Outcome::Unknown);
}

#[tokio::test]
async fn the_commands_are_those_of_the_example() {
    let script = r#"echo '{"event":"connected"}'
        while read -r line; do echo "{\"event\":\"got\",\"line\":$line}"; done"#;
    let mut a = peer(script).start().await.unwrap();

    a.start_emit2("chat", json!(["x", null])).await.unwrap();
    let emit2 = a.wait_for("got").await.unwrap();

    let command =
        json!({"cmd": "emit2", "id": 1, "event": "chat", "args": ["x", null], "ack": true});
    assert_eq!(emit2["line"], command);
    let left = a.quit().await.unwrap();
    assert_eq!(left[0]["line"], json!({"cmd": "quit"}));
}

#[tokio::test]
async fn arguments_that_are_no_array_are_not_sent() {
    let mut a = answering(&[]).await;

    let error = a.emit2("chat", json!({"text": "hello"})).await.unwrap_err();

    assert!(matches!(error, Emit2Error::NotAnArray(_)), "{error}");
}
