//! Stories of blocks about registrations, handlers, channels and the server's events.

use socketio_p2p_client::{
    Code, Consent, Event, Incoming, P2pBuilderExt as _, P2pClient, P2pClientExt as _,
    PairingRequest, Path, RegisterError,
    direct::{ChannelMessage, DirectChannel, DirectConfig},
};
use socketio_p2p_server::Event as ServerEvent;
use tokio::sync::mpsc;

use crate::{Outcome, blocks, connect, host, pair, server};

pub(crate) async fn paired() -> Outcome {
    use blocks::client_api_ext_pair::pair;
    let _host = host(|builder| builder).await?;
    let client = connect("A").await?;
    // The target is offline, which is no error here.
    pair(&client).await?;
    assert!(client.pairing().is_none());

    let (asked, mut payloads) = mpsc::channel(1);
    let b = connect("B").await?;
    b.on_register(move |request: PairingRequest| {
        let is_asked = asked.try_send(request.payload).is_ok();
        async move { is_asked }
    });
    pair(&client).await?;

    let payload = payloads.recv().await.flatten().ok_or("there is a payload")?;
    assert_eq!(payload, "a word for B to decide by");
    assert!(client.pairing().is_some());
    close([client, b]).await
}

pub(crate) async fn watched() -> Outcome {
    let _host = host(|builder| builder.watch(|_, _| true)).await?;
    let client = connect("A").await?;
    let printer = async {
        let printer = connect("printer-1").await?;
        Outcome::Ok(printer)
    };

    let watch = blocks::client_api_ext_print_soon::print_soon(&client);
    let (watched, printer) = tokio::join!(watch, printer);

    watched?;
    assert!(client.pairing().is_some());
    close([client, printer?]).await
}

pub(crate) async fn handled() -> Outcome {
    let _host = host(|builder| builder).await?;
    let [a, b] = pair("A", "B").await?;
    blocks::client_api_ext_handle::handle(&b);
    a.on2("what-is-your-name", async |_: Incoming| Ok("A"));

    assert_eq!(a.emit2("print", ("a title", 3)).await?, 1);
    assert_eq!(a.emit2("print", ("another", 4)).await?, 2);
    assert_eq!(a.emit2("divide", (6, 3)).await?, 2);
    let refused = a.emit2("divide", (6, 0)).await.err().ok_or("no division by zero")?;
    assert_eq!(refused.code(), "division-by-zero");
    assert_eq!(a.emit2("greet", ()).await?, "hello A");
    close([a, b]).await
}

pub(crate) async fn consented() -> Outcome {
    let _host = host(|builder| builder).await?;
    let target = connect("A").await?;
    blocks::client_api_ext_only_friends::only_friends(&target);
    let [b, c] = [connect("B").await?, connect("C").await?];

    let declined = c.register_target("A").await.err().ok_or("C is not accepted")?;
    assert_eq!(declined.code(), Code::Declined.as_str());
    b.register_target("A").await?;
    close([target, b, c]).await
}

pub(crate) async fn channel() -> Outcome {
    let _host = host(|builder| builder).await?;
    let mut config = DirectConfig::default();
    config.bind = vec!["127.0.0.1:0".parse()?];
    config.mdns = false;
    let [a, b] = ["A", "B"].map(|id| server().p2p(id).direct(config.clone()));
    let (read, mut lines) = mpsc::channel(1);
    let b = b.on_channel(move |channel: DirectChannel| {
        let read = read.clone();
        async move {
            if let Some(line) = channel.recv().await {
                read.try_send(line).ok();
            }
        }
    });
    let [a, b] = [a.connect().await?, b.connect().await?];
    let mut events = a.events();
    a.register_target("B").await?;
    while !matches!(events.recv().await?, Event::Path { path: Some(Path::Direct), .. }) {}

    blocks::client_api_ext_send_log::send_log(&a).await?;

    assert_eq!(lines.recv().await, Some(ChannelMessage::from("a line")));
    close([a, b]).await
}

pub(crate) async fn unpaired() -> Outcome {
    let _host = host(|builder| builder).await?;
    let [a, b] = pair("A", "B").await?;
    let (waited, ended) = tokio::join!(
        blocks::client_api_ext_until_unpaired::until_unpaired(&a),
        b.unregister_target(),
    );
    waited?;
    ended?;
    close([a, b]).await
}

pub(crate) async fn spawned() -> Outcome {
    let _host = host(|builder| builder).await?;
    let [a, b] = [connect("A").await?, connect("B").await?];
    let mut events = b.events();

    blocks::client_api_server_requests_spawn::spawn(&a);

    while !matches!(events.recv().await?, Event::Paired(_)) {}
    close([a, b]).await
}

pub(crate) async fn asked_with_time() -> Outcome {
    let _host = host(|builder| builder.consent_time(std::time::Duration::from_secs(600))).await?;
    let [a, dentist] = [connect("A").await?, connect("dentist").await?];
    let (asked, mut times) = mpsc::channel(1);
    dentist.on_register(move |request: PairingRequest| {
        let is_asked = asked.try_send(request.consent_time).is_ok();
        async move { if is_asked { Consent::accept() } else { Consent::decline("once only") } }
    });

    blocks::client_api_server_requests_ask::ask(&a).await?;

    assert_eq!(times.recv().await.map(|time| time.as_secs()), Some(60));
    close([a, dentist]).await
}

pub(crate) async fn waited_in_line() -> Outcome {
    let _host = host(|builder| builder).await?;
    let [first, printer] = pair("first", "printer-1").await?;
    let second = connect("second").await?;
    let mut events = second.events();
    let leave = async {
        while !matches!(events.recv().await?, Event::InLine { .. }) {}
        first.unregister_target().await?;
        Outcome::Ok(())
    };

    let (printed, left) =
        tokio::join!(blocks::client_api_server_requests_print::print(&second), leave);

    printed?;
    left?;
    close([first, second, printer]).await
}

pub(crate) async fn retried() -> Outcome {
    let host = host(|builder| builder).await?;
    let client = connect("A").await?;
    let mut events = host.p2p.events();
    let later = async {
        while !matches!(events.recv().await?, ServerEvent::Refused { .. }) {}
        connect("B").await
    };

    let (paired, b): (Result<(), RegisterError>, _) =
        tokio::join!(blocks::client_api_server_requests_pair::pair(&client), later);

    paired?;
    close([client, b?]).await
}

/// Runs a log of the server's events until the plugin is closed.
pub(crate) async fn server_events(as_stream: bool) -> Outcome {
    let host = host(|builder| builder).await?;
    let server = host.p2p.clone();
    let log = async {
        match as_stream {
            true => blocks::server_observe_events_log::log(&server).await,
            false => blocks::server_server_example::example(server.clone()).await,
        }
    };
    let story = async {
        let clients = pair("A", "B").await?;
        host.p2p.close().await;
        close(clients).await
    };
    let ((), story) = tokio::join!(log, story);
    story
}

async fn close<const N: usize>(clients: [P2pClient; N]) -> Outcome {
    for client in clients {
        client.close().await;
    }
    Ok(())
}
