//! Stories of blocks about connecting, emitting and the client itself.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_client::{
    ConnectError, Event, EventsError, Incoming, P2pBuilder, P2pClient, P2pClientExt as _,
};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{Outcome, blocks, connect, host, pair, run};

/// Runs a function that connects a client.
pub(crate) async fn connects(run: impl AsyncFn() -> Result<P2pClient, ConnectError>) -> Outcome {
    let _host = host(|builder| builder).await?;
    let client = run().await?;
    assert_eq!(client.id(), "A");
    client.close().await;
    Ok(())
}

/// Connects by a builder that a block makes.
pub(crate) async fn builds(builder: impl Fn() -> P2pBuilder) -> Outcome {
    connects(async || builder().connect().await).await
}

/// The program `A` of the README, with its partner.
pub(crate) async fn bot() -> Outcome {
    let _host = host(|builder| builder).await?;
    let b = connect("B").await?;
    let (heard, mut hears) = mpsc::channel(2);
    for event in ["note", "testAck"] {
        let heard = heard.clone();
        b.on2(event, move |incoming: Incoming| {
            let heard = heard.clone();
            async move {
                let said = (incoming.from().to_string(), json!(incoming.values()));
                heard.try_send(said)?;
                // Calls back: the program has a handler of the same event.
                Ok(if event == "testAck" { incoming.emit2(event, 1).await? } else { json!(null) })
            }
        });
    }

    run(blocks::readme_main_2::main).await?;

    assert_eq!(hears.recv().await, Some(("A".to_owned(), json!(["hi"]))));
    assert_eq!(hears.recv().await, Some(("A".to_owned(), json!([{ "a": 1 }, "b", 2]))));
    b.close().await;
    Ok(())
}

/// The program of the client's README, with its partner.
pub(crate) async fn greeting() -> Outcome {
    let _host = host(|builder| builder).await?;
    let b = connect("B").await?;
    let (noted, mut notes) = mpsc::channel(1);
    b.on2("note", move |incoming: Incoming| {
        let noted = noted.clone();
        async move { Ok(noted.try_send(json!(incoming.values()))?) }
    });
    b.on2("greet", async |incoming: Incoming| Ok(incoming.emit2("greet", "B").await?));

    run(blocks::client_readme_main::main).await?;

    assert_eq!(notes.recv().await, Some(json!(["several", "arguments", 3])));
    b.close().await;
    Ok(())
}

pub(crate) async fn kept_paired() -> Outcome {
    let _host = host(|builder| builder).await?;
    let [client, till] = pair("A", "till").await?;
    let mut events = client.events();
    let mut tasks = JoinSet::new();
    tasks.spawn(blocks::client_api_client_keep_paired::keep_paired(client.clone()));
    tokio::task::yield_now().await;

    till.unregister_target().await?;

    while !matches!(events.recv().await?, Event::Paired(_)) {}
    drop(events);
    client.close().await;
    drop(client);
    tasks.join_next().await.ok_or("it has a task")??;
    till.close().await;
    Ok(())
}

pub(crate) async fn told_server() -> Outcome {
    let host = host(|builder| builder).await?;
    let client = connect("A").await?;
    blocks::client_api_client_tell_server::tell_server(&client).await?;
    assert_eq!(host.p2p.stats().clients, 1);
    client.close().await;
    Ok(())
}

pub(crate) async fn talk() -> Outcome {
    let _host = host(|builder| builder).await?;
    let [client, b] = pair("A", "B").await?;
    b.on2("add", async |incoming: Incoming| {
        let (a, b, c): (u32, u32, u32) = incoming.args()?;
        Ok(a + b + c)
    });
    b.on2("order", async |_: Incoming| Ok(json!({ "number": 7 })));
    b.on2("ask", async |_: Incoming| Ok(("fine", 3)));
    b.on2("note", async |_: Incoming| Ok(()));
    let (counted, mut counts) = mpsc::channel(1_000);
    b.on2("count", move |incoming: Incoming| {
        let counted = counted.clone();
        async move {
            counted.try_send(incoming.args::<u32>()?)?;
            Ok(())
        }
    });

    // Nobody handles `pay`: an outcome of its own.
    blocks::client_api_emit2_talk::talk(&client).await?;

    for number in 0..1_000 {
        assert_eq!(counts.recv().await, Some(number));
    }
    client.close().await;
    b.close().await;
    Ok(())
}

pub(crate) async fn spawned_in_order() -> Outcome {
    let _host = host(|builder| builder).await?;
    let [client, b] = pair("A", "B").await?;
    let (noted, mut notes) = mpsc::channel(1_000);
    b.on2("note", move |incoming: Incoming| {
        let noted = noted.clone();
        async move {
            noted.try_send(incoming.args::<u32>()?)?;
            Ok(())
        }
    });
    let mut tasks = JoinSet::new();

    blocks::client_api_emit2_spawn_all::spawn_all(&client, &mut tasks);

    while let Some(sent) = tasks.join_next().await {
        sent??;
    }
    for number in 0..1_000 {
        assert_eq!(notes.recv().await, Some(number));
    }
    client.close().await;
    b.close().await;
    Ok(())
}

pub(crate) async fn logged() -> Outcome {
    let _host = host(|builder| builder).await?;
    let b = connect("B").await?;
    let client = connect("A").await?;
    let story = async {
        client.register_target("B").await?;
        client.unregister_target().await?;
        client.close().await;
        Outcome::Ok(())
    };

    let ((), story) = tokio::join!(blocks::client_api_events_log::log(&client), story);

    assert_eq!(client.events().recv().await.err(), Some(EventsError::Closed));
    b.close().await;
    story
}

pub(crate) async fn failing_handler() -> Outcome {
    let _host = host(|builder| builder).await?;
    let [till, printer] = pair("till", "printer").await?;

    blocks::client_api_handler_error_print::talk(&printer, &till).await;

    let error = till.emit2("print", 100).timeout(Duration::from_secs(30)).await;
    assert_eq!(error.err().map(|error| error.code() == "out-of-paper"), Some(true));
    till.close().await;
    printer.close().await;
    Ok(())
}
