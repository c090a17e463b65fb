//! Runs the programs and functions that the READMEs and the doc comments of both plugins show.
//!
//! The blocks are those that their own documentation tests only compile; `build.rs` cuts them out, and swaps their
//! address for the server of the story that runs them. All of them are in one test: a documentation test each would
//! link a program each.

mod blocks {
    include!(concat!(env!("OUT_DIR"), "/blocks.rs"));
}
mod client;
mod mesh;
mod requests;

use std::{
    cell::{Cell, RefCell},
    error::Error,
    net::SocketAddr,
    time::Duration,
};

use socketio_p2p_client::{Incoming, P2pBuilderExt as _, P2pClient, P2pClientExt as _};
use socketio_p2p_server::{P2pServer, P2pServerBuilder, QuickAckListener};
use tokio::{
    sync::mpsc,
    task::{JoinSet, spawn_blocking},
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The time after which a story has failed.
const GUARD: Duration = Duration::from_secs(60);

thread_local! {
    /// The URL of the server of this thread's story.
    static SERVER: Cell<&'static str> = const { Cell::new("") };
    /// Gets the address of a server that a block starts.
    static BOUND: RefCell<Option<mpsc::Sender<SocketAddr>>> = const { RefCell::new(None) };
}

/// Stands in the blocks in the place of a server's address.
fn server() -> &'static str {
    SERVER.get()
}

/// Stands in the blocks around the listener of a server.
fn bound(listener: QuickAckListener) -> QuickAckListener {
    BOUND.with_borrow(|bound| {
        let address = listener.local_addr().expect("a bound listener has an address");
        bound.as_ref().expect("the story waits for it").try_send(address).expect("it is the first");
    });
    listener
}

/// A server, which ends when it is dropped.
struct Host {
    p2p: P2pServer,
    _serving: JoinSet<()>,
}

/// Starts the server of this thread's story.
async fn host(set: impl FnOnce(P2pServerBuilder) -> P2pServerBuilder) -> Outcome<Host> {
    let (layer, io) = P2pServer::socket_io().build_layer();
    let p2p = set(P2pServer::builder()).attach(&io);
    let listener = QuickAckListener::bind("127.0.0.1:0").await?;
    set_server(listener.local_addr()?);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let app = axum::Router::new().layer(layer);
        axum::serve(listener, app).await.expect("it serves until it is dropped");
    });
    Ok(Host { p2p, _serving: serving })
}

fn set_server(address: SocketAddr) {
    SERVER.set(Box::leak(format!("http://{address}").into_boxed_str()));
}

async fn connect(id: &str) -> Outcome<P2pClient> {
    Ok(server().p2p(id).connect().await?)
}

/// Connects two clients, and pairs them. Both accept everybody.
async fn pair(source: &str, target: &str) -> Outcome<[P2pClient; 2]> {
    let target = connect(target).await?;
    let source = connect(source).await?;
    source.register_target(target.id().as_str()).await?;
    Ok([source, target])
}

/// Runs a program in a thread of its own. It finds the server of this thread's story.
async fn run(main: fn() -> Outcome) -> Outcome {
    let url = server();
    let program = spawn_blocking(move || {
        SERVER.set(url);
        main().map_err(|error| error.to_string())
    });
    Ok(program.await??)
}

/// Runs a program that serves for ever, and has two clients talk over it.
async fn a_server(main: fn() -> std::io::Result<()>) -> Outcome {
    let (bound, mut address) = mpsc::channel(1);
    // It has no end but that of the process.
    std::thread::spawn(move || {
        BOUND.set(Some(bound));
        main().expect("it serves until the process ends");
    });
    set_server(address.recv().await.ok_or("the server has bound nothing")?);

    let [a, b] = pair("A", "B").await?;
    b.on2("add", async |incoming: Incoming| {
        let (a, b): (i64, i64) = incoming.args()?;
        Ok(a + b)
    });
    assert_eq!(a.emit2("add", (1, 2)).await?, 3);
    a.close().await;
    b.close().await;
    Ok(())
}

/// Runs the block of this name.
async fn story(name: &str) -> Outcome {
    match name {
        "readme_main" => a_server(blocks::readme_main::main).await,
        "readme_main_2" => client::bot().await,
        "readme_chat" => {
            mesh::chats(blocks::readme_chat::chat, &["hello, all", "and you, B"]).await
        }
        "readme_connect" => client::connects(blocks::readme_connect::connect).await,
        "server_readme_main" => a_server(blocks::server_readme_main::main).await,
        "client_readme_main" => client::greeting().await,

        "client_api_builder_builder" => {
            client::builds(blocks::client_api_builder_builder::builder).await
        }
        "client_api_builder_connect" => {
            client::connects(blocks::client_api_builder_connect::connect).await
        }
        "client_api_builder_direct_path_builder" => {
            client::builds(blocks::client_api_builder_direct_path_builder::builder).await
        }
        "client_api_builder_direct_path_builder_2" => {
            client::builds(blocks::client_api_builder_direct_path_builder_2::builder).await
        }
        // Nothing asks for the servers before there is a pairing: the block's own source of them is not there.
        "client_api_builder_direct_path_builder_3" => {
            client::builds(blocks::client_api_builder_direct_path_builder_3::builder).await
        }
        "client_api_builder_ext_main" => {
            blocks::client_api_builder_ext_main::main();
            Ok(())
        }
        "client_api_client_keep_paired" => client::kept_paired().await,
        "client_api_client_tell_server" => client::told_server().await,
        "client_api_emit2_talk" => client::talk().await,
        "client_api_emit2_spawn_all" => client::spawned_in_order().await,
        "client_api_events_log" => client::logged().await,
        "client_api_handler_error_print" => client::failing_handler().await,

        "client_api_ext_pair" => requests::paired().await,
        "client_api_ext_print_soon" => requests::watched().await,
        "client_api_ext_handle" => requests::handled().await,
        "client_api_ext_only_friends" => requests::consented().await,
        "client_api_ext_send_log" => requests::channel().await,
        "client_api_ext_until_unpaired" => requests::unpaired().await,
        "client_api_mesh_chat" => mesh::chats(blocks::client_api_mesh_chat::chat, &["hello"]).await,
        "client_api_mesh_say" => mesh::says(blocks::client_api_mesh_say::say, "good morning").await,
        "client_api_mesh_find" => mesh::says(blocks::client_api_mesh_find::find, "plan.pdf").await,
        "client_api_mesh_watch" => mesh::watched().await,

        "client_api_server_requests_spawn" => requests::spawned().await,
        "client_api_server_requests_ask" => requests::asked_with_time().await,
        "client_api_server_requests_print" => requests::waited_in_line().await,
        "client_api_server_requests_pair" => requests::retried().await,

        "server_observe_events_log" => requests::server_events(true).await,
        "server_server_example" => requests::server_events(false).await,
        _ => Err("no story runs this block: give it one, or say here why it cannot run".into()),
    }
}

#[tokio::test]
async fn every_block_of_the_documentation_runs() -> Outcome {
    for name in blocks::ALL {
        println!("{name}");
        tokio::time::timeout(GUARD, story(name))
            .await
            .map_err(|_| format!("{name} has no end"))?
            .map_err(|error| format!("{name}: {error}"))?;
    }
    assert!(blocks::ALL.len() > 20, "blocks are found");
    Ok(())
}
