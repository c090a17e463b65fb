//! Acknowledged emits: what their callers are told, and when.

use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, future::join_all};
use serde_json::{Value, json};
use socketio_p2p_client::{
    Cause, Code, EmitError, EndReason, HandlerError, Incoming, P2pClientExt, Path,
};
use tokio::sync::mpsc;

use crate::support::{
    LONG, PATIENCE,
    clients::{assert_echoes, client, pair},
    server::TestServer,
    soon,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_wait_for_ever() {
    let server = TestServer::start().await;
    let [a, _b] = pair(&server, client(&server, "A"), client(&server, "B")).await;

    let call = a.emit2("echo", 1).timeout(Duration::MAX).ttl(Duration::MAX);

    assert_eq!(soon(call).await.unwrap(), json!([1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_calls_at_once_get_three_hundred_right_answers() {
    let server = TestServer::start().await;
    let twice = async |incoming: Incoming| {
        let number: u64 = incoming.args()?;
        for _ in 0..number % 7 {
            tokio::task::yield_now().await; // The answers overtake each other.
        }
        Ok(number * 2)
    };
    let b = client(&server, "B").on2("twice", twice);
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    let calls = (0..300_u64).map(|number| a.emit2("twice", number).into_future());
    let answers = soon(join_all(calls)).await;

    for (number, answer) in (0..).zip(answers) {
        assert_eq!(answer.unwrap(), json!(number * 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_has_all_its_arguments_and_its_way() {
    let server = TestServer::start().await;
    let b = client(&server, "B")
        .on2("several", async |_| Ok((1, "two", [3])))
        .on2("nothing", async |_| Ok(Value::Null))
        .on2("back", async |incoming: Incoming| Ok(incoming.into_raw()));
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    let several = soon(a.emit2("several", ()).with_reply()).await.unwrap();
    assert_eq!(several.values(), [json!(1), json!("two"), json!([3])]);
    assert_eq!(several.args::<(u8, String, [u8; 1])>().unwrap(), (1, "two".to_owned(), [3]));
    assert_eq!(several.path(), Path::Relay);

    let nothing = soon(a.emit2("nothing", ()).with_reply()).await.unwrap();
    assert_eq!(nothing.values(), [Value::Null]);
    let arguments = (Value::Null, json!({ "ü": ["\u{1e}", "\u{2028}"] }), -0.5, "");
    let back = soon(a.emit2("back", &arguments).with_reply()).await.unwrap();
    assert_eq!(json!(back.values()), json!(arguments));
    let none = soon(a.emit2("back", ()).with_reply()).await.unwrap();
    assert!(none.values().len() <= 1, "{:?}", none.values());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_of_another_type_is_an_error_that_says_that_the_handler_ran() {
    let server = TestServer::start().await;
    let b = client(&server, "B").on2("several", async |_| Ok((1, "two", [3])));
    let [a, _b] = pair(&server, client(&server, "A"), b).await;
    let several = || a.emit2("several", ());

    assert_eq!(soon(several().reply_as::<u8>()).await.unwrap(), 1);
    let all = several().reply_as::<(u8, String, [u8; 1])>().timeout(LONG);
    assert_eq!(soon(all).await.unwrap(), (1, "two".to_owned(), [3]));

    let first = soon(several().reply_as::<String>()).await.unwrap_err();
    let whole = soon(several().with_reply()).await.unwrap().args::<(String,)>().unwrap_err();
    for error in [first, whole] {
        assert!(matches!(error, EmitError::Reply { .. }), "{error:?}");
        assert_eq!(error.executed(), Some(true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_fires_not_before_its_time_and_the_outcome_is_unknown() {
    let server = TestServer::start().await;
    let never = async |_: Incoming| {
        std::future::pending::<()>().await;
        Ok::<_, HandlerError>(())
    };
    let [a, _b] =
        pair(&server, client(&server, "A"), client(&server, "B").on2("never", never)).await;

    let mut patience = Duration::from_millis(400);
    let (error, waited) = loop {
        let started = Instant::now();
        let error = soon(a.emit2("never", ()).timeout(patience)).await.unwrap_err();
        let waited = started.elapsed();
        // A busy machine may not even have sent it in that time.
        if matches!(error, EmitError::Unknown { .. }) || patience > PATIENCE {
            break (error, waited);
        }
        patience *= 4;
    };

    let cause = Cause::Code(Code::Timeout);
    assert!(matches!(error, EmitError::Unknown { cause: c, .. } if c == cause), "{error:?}");
    assert_eq!(error.executed(), None);
    assert!(waited >= patience, "{waited:?}");
    assert_echoes(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_way_when_the_pairing_ends_is_answered_at_once() {
    let server = TestServer::start().await;
    let (called, mut is_called) = mpsc::channel(1);
    let never = move |_: Incoming| {
        called.try_send(()).unwrap();
        std::future::pending::<Result<(), HandlerError>>()
    };
    let [a, b] =
        pair(&server, client(&server, "A"), client(&server, "B").on2("never", never)).await;

    let calling = a.emit2("never", ()).timeout(LONG).into_future();
    let leaving = async {
        is_called.recv().await.unwrap();
        b.unregister_target().await.unwrap();
    };
    let (called, ()) = soon(async { tokio::join!(calling, leaving) }).await;

    let cause = Cause::Ended(EndReason::Unregistered);
    assert!(matches!(called, Err(EmitError::Unknown { cause: c, .. }) if c == cause), "{called:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_leaves_the_pairing_as_it_was() {
    let server = TestServer::start().await;
    let (called, mut is_called) = mpsc::channel(1);
    let slow = move |_: Incoming| {
        called.try_send(()).unwrap();
        std::future::pending::<Result<(), HandlerError>>()
    };
    let [a, _b] = pair(&server, client(&server, "A"), client(&server, "B").on2("slow", slow)).await;

    // Under way: it runs, and its reply is forgotten.
    let calling = a.emit2("slow", ()).into_future();
    let called = soon(async {
        tokio::select! {
            _ = calling => None,
            called = is_called.recv() => called,
        }
    });
    assert_eq!(called.await, Some(()));
    assert_echoes(&a).await;

    // Polled once: it was sent or was not, and nobody waits.
    for _ in 0..500 {
        // On another thread the reply may come while it is polled.
        if let Some(reply) = a.emit2("echo", 1).into_future().now_or_never() {
            assert_eq!(reply.unwrap(), json!([1]));
        }
    }
    assert_echoes(&a).await;

    // Never polled: not sent.
    drop(a.emit2("slow", ()).into_future());
    assert_echoes(&a).await;
    assert!(is_called.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_may_not_be_sent_is_not_executed() {
    let server = TestServer::start().await;
    let [a, _b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let (long, deep) = ("x".repeat(129), nested(62));

    for (event, args, code) in [
        ("disconnect", json!(1), Code::BadEvent),
        ("connect_error", json!(1), Code::BadEvent),
        ("P2P_UNREGISTER", json!(1), Code::BadEvent),
        (&long, json!(1), Code::BadEvent),
        ("echo", json!("x".repeat(1024 * 1024)), Code::TooLarge),
        ("echo", deep, Code::TooLarge),
    ] {
        let error = soon(a.emit2(event, &args)).await.unwrap_err();
        assert!(
            matches!(error, EmitError::NotExecuted { cause, .. } if cause.code() == Some(code)),
            "{event}: {error:?}"
        );
    }

    // What is just within the limits goes through; the echo is one deeper.
    for args in [json!("x".repeat(1000 * 1024)), nested(59)] {
        let reply: Value = soon(a.emit2("echo", &args)).await.unwrap();
        assert!(reply == json!([args]), "what came back is another");
    }
}

/// Arrays in arrays, so deep.
fn nested(depth: usize) -> Value {
    (1..depth).fold(json!([]), |inner, _| json!([inner]))
}
