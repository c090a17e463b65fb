//! Stock clients with `retries`, which send everything again that is not acknowledged in time.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_harness::Server;

use crate::interop::Story;
use crate::interop::stock::{V4, V4_POLLING, names};

/// Longer than such a client waits for an acknowledgement, twice.
const LATER: Duration = Duration::from_millis(2_500);

#[tokio::test]
async fn a_yes_by_event_is_no_answer_to_the_next_question() -> Story {
    for kind in [V4, V4_POLLING] {
        let server = Server::start().await?;
        let b = kind.peer(&server, "B").args(["--answer", "event", "--retries"]);
        let (mut a, mut b) = (kind.peer(&server, "A").start().await?, b.start().await?);
        let mut c = kind.peer(&server, "C").start().await?;
        a.register("B").await?;
        a.quit().await?;
        b.wait_for("unpaired").await?;

        b.send(json!({"cmd": "answer", "with": "silent"})).await?;
        c.send(json!({"cmd": "register", "target": "B"})).await?;
        b.expect("the question of C", |event| event["source"] == "C").await?;
        tokio::time::sleep(LATER).await;

        assert!(!names(&c.unread()?).contains(&"paired"), "{kind:?}");
        b.quit().await?;
        c.wait_for("refused").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_registration_that_is_sent_again_is_one_and_hears_a_late_yes() -> Story {
    for kind in [V4, V4_POLLING] {
        let server = Server::start().await?;
        let mut b = kind.peer(&server, "B").args(["--answer", "held"]).start().await?;
        let mut a = kind.peer(&server, "A").args(["--retries"]).start().await?;

        a.send(json!({"cmd": "register", "target": "B"})).await?;
        b.wait_for("register-asked").await?;
        tokio::time::sleep(LATER).await;
        assert!(b.unread()?.is_empty(), "it is asked once");
        b.send(json!({"cmd": "accept"})).await?;

        a.wait_for("paired").await?;
        b.wait_for("paired").await?;
        assert!(!names(&a.unread()?).contains(&"refused"), "{kind:?}");
    }
    Ok(())
}
