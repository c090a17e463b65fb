//! The example `own_handler`, as its users start it.

use rust_socketio::asynchronous::ClientBuilder;
use serde_json::json;
use socketio_p2p_client::{Code, ConnectError, P2pBuilder, P2pBuilderExt, P2pClientExt};
use socketio_p2p_harness::{Companion, Program};

use crate::support::{clients::refused, soon};

#[tokio::test(flavor = "multi_thread")]
async fn the_example_own_handler_does_what_it_says() {
    let example = Program::example("own_handler", "SOCKETIO_P2P_OWN_HANDLER").unwrap();
    let mut server = Companion::start("own_handler", &example, ["--port", "0"]).unwrap();
    let line = server.line().await.unwrap();
    let url = line.strip_prefix("listening on ").unwrap();
    let member = |id: &str, token: &str| -> P2pBuilder {
        ClientBuilder::new(url).p2p(id).auth(json!({ "token": token }))
    };

    // The name is the member's, whatever it claims; the application refuses a wrong token.
    let a = soon(member("whatever", "secret-of-A").connect()).await.unwrap();
    let b = member("B", "secret-of-B").on2("hi", async |_| Ok("hi yourself"));
    let _b = soon(b.connect()).await.unwrap();
    let wrong = soon(member("C", "guessed").connect()).await;
    assert!(
        matches!(&wrong, Err(ConnectError::Rejected(why)) if why == "wrong token"),
        "{wrong:?}"
    );
    let again = soon(member("A", "secret-of-A").connect()).await;
    assert!(matches!(again, Err(ConnectError::Refused(Code::DuplicateId))), "{again:?}");

    // Nobody may ask for the admin; the others pair.
    let _admin = soon(member("admin", "secret-of-admin").connect()).await.unwrap();
    assert_eq!(refused(soon(a.register_target("admin")).await), Code::Forbidden);
    soon(a.register_target("B")).await.unwrap();
    assert_eq!(soon(a.emit2("hi", ())).await.unwrap(), json!("hi yourself"));
}
