//! Handlers: what they may do, and what becomes of their failures.

use std::error::Error;

use futures_util::future::{BoxFuture, FutureExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use socketio_p2p_client::{Cause, Code, EmitError, HandlerError, Incoming, P2pClientExt};
use tokio::sync::mpsc;

use crate::support::{
    LONG,
    clients::{assert_echoes, client, connect, pair},
    server::TestServer,
    soon,
};

#[tokio::test(flavor = "multi_thread")]
async fn handlers_call_each_other_ten_deep() {
    let server = TestServer::start().await;
    let a = client(&server, "A").on2("down", down);
    let b = client(&server, "B").on2("down", down);
    let [a, _b] = pair(&server, a, b).await;

    let reply: Value = soon(a.emit2("down", 10)).await.unwrap();

    assert_eq!(reply, json!(["B", "A", "B", "A", "B", "A", "B", "A", "B", "A"]));
}

/// Asks the partner the same, one less, and adds its own name.
fn down(incoming: Incoming) -> BoxFuture<'static, Result<Value, HandlerError>> {
    async move {
        let depth: u8 = incoming.args()?;
        let mut names = vec![json!(incoming.client().id())];
        if depth > 1 {
            let below = incoming.client().emit2("down", depth - 1).await?;
            names.extend(below.as_array().cloned().unwrap_or_default());
        }
        Ok(json!(names))
    }
    .boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_can_register_another_target() {
    let server = TestServer::start().await;
    let (done, mut is_done) = mpsc::channel(1);
    let swap = move |incoming: Incoming| {
        let done = done.clone();
        async move {
            let client = incoming.client();
            client.unregister_target().await?;
            client.register_target("C").await?;
            let reply = client.emit2("echo", "hi").await?;
            done.send(reply).await.map_err(|_| HandlerError::new("nobody listens"))
        }
    };
    let [a, _b] = pair(&server, client(&server, "A"), client(&server, "B").on2("swap", swap)).await;
    let _c = connect(&server, "C").await;

    soon(a.emit2("swap", ()).without_ack()).await.unwrap();

    assert_eq!(soon(is_done.recv()).await, Some(json!(["hi"])));
    let partner = server.p2p.pairing_of(&"B".parse().unwrap()).unwrap().1;
    assert_eq!(partner.as_str(), "C");
}

/// A panic's payload that panics when it is dropped.
struct PanicsAgain;

impl Drop for PanicsAgain {
    fn drop(&mut self) {
        panic!("on purpose, again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_fails_panics_or_is_missing_is_reported_at_once() {
    let server = TestServer::start().await;
    let b = client(&server, "B")
        .on2("error", async |_| Err::<(), _>(HandlerError::new("no coffee left")))
        .on2("args", async |incoming: Incoming| Ok(incoming.args::<u8>()?))
        .on2("panic", async |_| -> Result<(), HandlerError> { panic!("on purpose") })
        .on2("twice", async |_| -> Result<(), HandlerError> { std::panic::panic_any(PanicsAgain) })
        .on2("later", async |_| -> Result<(), HandlerError> {
            tokio::task::yield_now().await;
            panic!("on purpose, after an await")
        });
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    let error = soon(a.emit2("error", ()).timeout(LONG)).await.unwrap_err();
    let EmitError::Failed { refusal, .. } = &error else { panic!("{error:?}") };
    assert_eq!((refusal.code, &*refusal.message), (Code::HandlerFailed, "no coffee left"));
    assert_eq!(error.executed(), Some(true));

    for event in ["args", "twice", "panic", "later"] {
        let error = soon(a.emit2(event, "no number").timeout(LONG)).await.unwrap_err();
        let EmitError::Failed { refusal, .. } = &error else { panic!("{event}: {error:?}") };
        assert_eq!(refusal.code, Code::HandlerFailed, "{event}");
        assert!(!refusal.message.contains("on purpose"), "a panic's message stays at home");
    }

    let error = soon(a.emit2("missing", ()).timeout(LONG)).await.unwrap_err();
    assert!(
        matches!(error, EmitError::NotExecuted { cause: Cause::Code(Code::Unhandled), .. }),
        "{error:?}"
    );
    assert_echoes(&a).await;
}

/// An error of an application.
struct OutOfPaper;

impl From<OutOfPaper> for HandlerError {
    fn from(_: OutOfPaper) -> Self {
        Self::with_code("out-of-paper", "there is no paper left")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_fails_with_any_error_and_with_codes_of_its_own() {
    let server = TestServer::start().await;
    let b = client(&server, "B")
        .on2("own", async |_| Ok(Err::<(), _>(OutOfPaper)?))
        .on2("known", async |_| Err::<(), _>(HandlerError::with_code("rate-limited", "slowly")))
        .on2("reserved", async |_| Err::<(), _>(HandlerError::with_code("offline", "no printer")))
        .on2("io", async |_| Ok(std::fs::read_to_string("/nowhere/at/all")?))
        .on2("boxed", async |_| Ok(Err::<(), Box<dyn Error + Send + Sync>>("in a box".into())?))
        .on2("text", async |_| Ok(Err::<(), _>("in words")?))
        .on2("anyhow", async |_| {
            let cause = anyhow::anyhow!("disk on fire");
            Ok(Err::<(), _>(cause.context("cannot save"))?)
        })
        .on2("args", async |incoming: Incoming| {
            let (name, Order { price }) = incoming.args()?;
            Ok::<(String, u32), _>((name, price))
        });
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    for (event, code, text) in [
        ("own", "out-of-paper", "there is no paper left"),
        ("known", "rate-limited", "slowly"),
        ("reserved", "handler-failed", "no printer"),
        ("io", "handler-failed", "No such file"),
        ("boxed", "handler-failed", "in a box"),
        ("text", "handler-failed", "in words"),
        ("anyhow", "handler-failed", "cannot save: disk on fire"),
        ("args", "handler-failed", "invalid type: string \"dear\", expected u32"),
    ] {
        let args = ("tea", json!({ "price": "dear" }));
        let error = soon(a.emit2(event, args).timeout(LONG)).await.unwrap_err();
        assert_eq!((error.code(), error.executed()), (code, Some(true)), "{event}");
        assert_eq!(error.is_retryable(), code == "rate-limited", "{event}");
        let line = error.to_string();
        let start = format!("the partner's handler of \"{event}\" failed: ");
        assert!(line.starts_with(&start), "{line}");
        assert_eq!(error.event(), event);
        assert!(line.contains(text) && error.source().is_none(), "{line}");
    }
}

#[derive(Deserialize)]
struct Order {
    price: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_nobody_waits_for_harms_nothing() {
    let server = TestServer::start().await;
    let b = client(&server, "B")
        .on2("panic", async |_| -> Result<(), HandlerError> { panic!("on purpose") });
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    for event in ["panic", "missing", "panic"] {
        soon(a.emit2(event, ()).without_ack()).await.unwrap();
    }

    assert_echoes(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_come_and_go_while_connected() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let ask = async || soon(a.emit2("who", ())).await;
    let unhandled = |error: EmitError| {
        matches!(error, EmitError::NotExecuted { cause: Cause::Code(Code::Unhandled), .. })
    };

    assert!(unhandled(ask().await.unwrap_err()));
    b.on2("who", async |_| Ok("first"));
    assert_eq!(ask().await.unwrap(), json!("first"));
    b.on2("who", async |_| Ok("second"));
    assert_eq!(ask().await.unwrap(), json!("second"));
    b.off2("who");
    assert!(unhandled(ask().await.unwrap_err()));
    b.on2_fallback(async |incoming: Incoming| Ok(incoming.event().to_owned()));
    assert_eq!(ask().await.unwrap(), json!("who"));
    assert_echoes(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_knows_what_came_and_from_whom() {
    let server = TestServer::start().await;
    let describe = async |incoming: Incoming| {
        Ok(json!({
            "me": incoming.client().id(),
            "from": incoming.from(),
            "event": incoming.event(),
            "waits": incoming.wants_reply(),
            "args": incoming.values(),
        }))
    };
    let b = client(&server, "B").on2("describe", describe);
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    let reply: Value = soon(a.emit2("describe", (1, "two"))).await.unwrap();

    let expected =
        json!({ "me": "B", "from": "A", "event": "describe", "waits": true, "args": [1, "two"] });
    assert_eq!(reply, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_that_is_too_large_is_a_failure_of_the_handler() {
    let server = TestServer::start().await;
    let b = client(&server, "B").on2("large", async |_| Ok("x".repeat(1100 * 1024)));
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    let error = soon(a.emit2("large", ()).timeout(LONG)).await.unwrap_err();

    assert!(
        matches!(&error, EmitError::Failed { refusal: why, .. } if why.code == Code::TooLarge),
        "{error:?}"
    );
    assert_echoes(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_may_return_nothing() {
    let server = TestServer::start().await;
    let b = client(&server, "B").on2("note", async |_| {});
    let [a, b] = pair(&server, client(&server, "A"), b).await;
    b.on2("later", |_: Incoming| async {});

    let reply: Value = soon(a.emit2("note", ())).await.unwrap();
    assert_eq!(reply, Value::Null);
    let reply: Value = soon(a.emit2("later", ())).await.unwrap();
    assert_eq!(reply, Value::Null);
}
