//! A companion: what it is told, what it says, how it ends.

use super::{runs, shell};
use crate::{Companion, WaitError};

fn companion(script: &str) -> Companion {
    Companion::start("companion", &shell(script, "companion"), ["one", "two"]).unwrap()
}

#[tokio::test]
async fn a_companion_answers_line_by_line_and_ends_with_its_stdin() {
    let mut companion = companion(r#"echo "$@"; while read -r line; do echo "not $line"; done"#);
    let id = companion.id().unwrap();

    assert_eq!(companion.line().await.unwrap(), "one two");
    assert_eq!(companion.ask("this").await.unwrap(), "not this");
    assert_eq!(companion.ask("that").await.unwrap(), "not that");
    companion.end().await.unwrap();

    assert!(!runs(id));
}

#[tokio::test]
async fn a_companion_that_fails_says_so() {
    let mut silent = companion("echo 'the reason' >&2; exit 3");
    let failing = companion("cat; exit 3");

    let ended = silent.line().await.unwrap_err();
    let failed = failing.end().await.unwrap_err();

    assert!(matches!(ended, WaitError::Ended { .. }), "{ended}");
    assert!(ended.to_string().contains("the reason"), "{ended}");
    assert!(matches!(failed, WaitError::Status { .. }), "{failed}");
}
