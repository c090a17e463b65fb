//! The end: asked for politely, enforced by process id, and what was said last.

use super::{SHORT, end, peer, runs, server};
use crate::{DEFAULT_LIMIT, StartError, WaitError};

const CONNECTED: &str = r#"echo '{"event":"connected"}'"#;
const LISTENING: &str = "echo 'listening on http://127.0.0.1:4711'";

#[tokio::test]
async fn quit_returns_the_events_that_nobody_has_asked_for() {
    let script = format!(
        r#"{CONNECTED}; echo '{{"event":"one"}}'; cat >/dev/null; echo '{{"event":"two"}}'"#
    );
    let mut a = peer(&script).start().await.unwrap();
    a.wait_for("one").await.unwrap();

    let left = a.quit().await.unwrap();

    assert_eq!(left.iter().map(|event| event.name()).collect::<Vec<_>>(), ["two"]);
}

#[tokio::test]
async fn quit_reports_a_bad_status() {
    let a = peer(&format!("{CONNECTED}; cat >/dev/null; exit 7")).start().await.unwrap();

    let error = a.quit().await.unwrap_err();

    let WaitError::Status { status, .. } = &error else { panic!("{error}") };
    assert_eq!(status.code(), Some(7));
}

#[tokio::test]
async fn a_peer_that_does_not_quit_is_killed() {
    let script = format!("{CONNECTED}; exec sleep 60");
    let mut a = peer(&script).start().await.unwrap();
    a.process.limit = SHORT;
    let id = a.process_id().unwrap();

    let error = a.quit().await.unwrap_err();

    assert!(matches!(error, WaitError::Timeout { .. }), "{error}");
    assert!(!runs(id));
}

#[tokio::test]
async fn a_process_that_leaves_a_grandchild_behind_does_not_hold_the_end() {
    let script = format!(
        r#"{CONNECTED}; sleep 600 & echo "{{\"event\":\"grandchild\",\"id\":$!}}"; exit 0"#
    );
    let mut a = peer(&script).start().await.unwrap();
    let grandchild = a.wait_for("grandchild").await.unwrap()["id"].as_u64().unwrap();
    let grandchild = u32::try_from(grandchild).unwrap();

    a.quit().await.unwrap();

    assert!(runs(grandchild), "its end was waited for");
    end(grandchild);
}

#[tokio::test]
async fn what_is_dropped_is_killed() {
    let a = peer(&format!("{CONNECTED}; exec sleep 60")).start().await.unwrap();
    let id = a.process_id().unwrap();
    assert!(runs(id));

    drop(a);

    // The runtime collects it in the background; a killed process is gone soon.
    let gone = async {
        while runs(id) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEFAULT_LIMIT, gone).await.expect("the process still runs");
}

#[tokio::test]
async fn kill_waits_until_the_process_is_gone() {
    let script = format!("{CONNECTED}; trap '' TERM; exec sleep 60");
    let a = peer(&script).start().await.unwrap();
    let id = a.process_id().unwrap();

    a.kill().await;

    assert!(!runs(id));
}

#[tokio::test]
async fn a_server_is_started_when_it_says_where_it_listens() {
    let script = format!("echo 'a line before'; {LISTENING}; exec sleep 60");

    let server = server(&script).start().await.unwrap();

    assert_eq!(server.url(), "http://127.0.0.1:4711");
    assert_eq!(String::from(&server), server.url());
}

#[tokio::test]
async fn a_server_gets_its_port_and_its_arguments() {
    let script = r#"echo "$*" >&2; exit 1"#;

    let error = server(script).port(4711).arg("--quiet").start().await.unwrap_err();

    let StartError::NotReady(WaitError::Ended { status, transcript, .. }) = &error else {
        panic!("{error}")
    };
    assert_eq!(status.unwrap().code(), Some(1));
    assert_eq!(transcript.stderr, "--port 4711 --quiet");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_without_end() {
    let error = server("exec sleep 60").limit(SHORT).start().await.unwrap_err();

    assert!(matches!(error, StartError::NotReady(WaitError::Timeout { .. })), "{error}");
}

#[tokio::test]
async fn stop_asks_with_sigterm_and_waits_for_the_end() {
    let script = format!("trap 'exit 0' TERM; {LISTENING}; while :; do sleep 0.05; done");
    let server = server(&script).start().await.unwrap();
    let id = server.id().unwrap();

    assert!(server.stop().await.unwrap().success());

    assert!(!runs(id));
}

#[tokio::test]
async fn stop_reports_a_server_that_does_not_end_cleanly() {
    let script =
        format!("trap 'echo lost >&2; exit 5' TERM; {LISTENING}; while :; do sleep 0.05; done");
    let server = server(&script).start().await.unwrap();

    let error = server.stop().await.unwrap_err();

    let WaitError::Status { status, transcript, .. } = &error else { panic!("{error}") };
    assert_eq!(status.code(), Some(5));
    assert_eq!(transcript.stderr, "lost");
}

#[tokio::test]
async fn a_server_that_ignores_sigterm_is_killed() {
    let script = format!("trap '' TERM; {LISTENING}; while :; do sleep 0.05; done");
    let mut server = server(&script).start().await.unwrap();
    server.process.limit = SHORT;
    let id = server.id().unwrap();

    let error = server.stop().await.unwrap_err();

    assert!(matches!(error, WaitError::Timeout { .. }), "{error}");
    assert!(!runs(id));
}
