//! Clients that are removed while they are admitted.
//!
//! A newcomer takes the place of a holder, whose socket is told to leave the namespace. That comes after the broker's
//! step and before the end of the admission: what is done then meets a newcomer that the broker knows.

use std::sync::{Arc, Mutex, atomic::Ordering};

use socketio_p2p_protocol::{
    Broker, BrokerConfig, ConnId, Dialect, DuplicatePolicy, Hello, ResumeToken, broker::Input,
};

use super::Shared;
use crate::{
    attach::identity::Hooks,
    connection::Connection,
    limits::ServerLimits,
    outbound::mock::{Unmetered, connecting},
};

/// A client on its socket.
struct Client {
    connection: Arc<Connection>,
    outlet: Arc<Unmetered>,
}

impl Client {
    /// Returns a connection of the client `A` that is to be admitted, and its claims.
    fn connecting(shared: &Arc<Shared>) -> (Self, Hello) {
        let outlet = Arc::<Unmetered>::default();
        let (connection, hello) = connecting(shared, Dialect::V2, outlet.clone());
        (Self { connection, outlet }, hello)
    }

    /// Returns how often its socket was told to leave.
    fn left(&self) -> usize {
        self.outlet.left.load(Ordering::Relaxed)
    }
}

fn server(duplicates: DuplicatePolicy) -> Arc<Shared> {
    let mut config = BrokerConfig::new(1);
    config.duplicates = duplicates;
    Shared::new(Broker::new(config), Hooks::default(), ServerLimits::default())
}

/// Admits a holder, then a newcomer with the holder's token in its place. `race` is done between the broker's step
/// for the newcomer and the end of its admission, with the newcomer's connection.
fn admit(shared: &Arc<Shared>, race: impl FnOnce(&Arc<Shared>, ConnId) + Send + 'static) -> Client {
    let (holder, hello) = Client::connecting(shared);
    shared.admit(&holder.connection, hello).unwrap();
    assert!(shared.connected(holder.connection.id));
    let (newcomer, hello) = Client::connecting(shared);
    let (racing, conn) = (shared.clone(), newcomer.connection.id);
    *holder.outlet.on_leave.lock().unwrap() = Some(Box::new(move || race(&racing, conn)));

    shared.admit(&newcomer.connection, resuming(hello)).unwrap();

    assert_eq!(holder.left(), 1, "the race was not run");
    newcomer
}

/// Returns the claims with the token that every client of these tests has.
fn resuming(hello: Hello) -> Hello {
    hello.resume(Some(ResumeToken::new([0; 16])))
}

/// Asserts that neither the broker nor the shell knows a connection, and that its socket was told to leave.
#[track_caller]
fn assert_removed(shared: &Arc<Shared>, client: &Client) {
    let conn = client.connection.id;
    assert!(!shared.has(conn), "the shell knows a connection that the broker does not know");
    assert_ne!(shared.lock().connection_of(&client.connection.client), Some(conn));
    assert_eq!(client.left(), 1, "nobody closes its socket");
    assert!(!shared.connected(conn), "it is welcomed nevertheless");
}

#[tokio::test]
async fn a_client_that_is_kicked_while_it_is_admitted_is_closed() {
    let shared = server(DuplicatePolicy::TakeOver);

    let newcomer = admit(&shared, |shared, _| shared.step(Input::Kick("A".parse().unwrap())));

    assert_removed(&shared, &newcomer);
    assert_eq!(shared.lock().stats().clients, 0);
}

#[tokio::test]
async fn a_client_that_is_expelled_while_it_is_admitted_is_closed() {
    let shared = server(DuplicatePolicy::TakeOver);

    let newcomer = admit(&shared, |shared, conn| shared.step(Input::Expel(conn)));

    assert_removed(&shared, &newcomer);
    assert_eq!(shared.lock().stats().clients, 0);
}

#[tokio::test]
async fn a_client_that_is_admitted_while_the_server_closes_is_closed() {
    let shared = server(DuplicatePolicy::TakeOver);

    let newcomer = admit(&shared, |shared, _| shared.shut_down());

    assert_removed(&shared, &newcomer);
    assert_eq!(shared.lock().stats().clients, 0);
}

/// Admits a third connection while the second is admitted, and asserts that it is the only one left.
fn a_third_comes(duplicates: DuplicatePolicy, claims: fn(Hello) -> Hello) {
    let shared = server(duplicates);
    let third = Arc::new(Mutex::new(None));
    let coming = third.clone();

    let newcomer = admit(&shared, move |shared, _| {
        let (client, hello) = Client::connecting(shared);
        shared.admit(&client.connection, claims(hello)).unwrap();
        *coming.lock().unwrap() = Some(client);
    });

    assert_removed(&shared, &newcomer);
    let third = third.lock().unwrap().take().unwrap();
    let holder = shared.holder(&third.connection.client).unwrap();
    assert_eq!((holder.id, third.left()), (third.connection.id, 0));
    assert!(shared.connected(third.connection.id));
}

#[tokio::test]
async fn a_client_whose_id_is_taken_over_while_it_is_admitted_is_closed() {
    a_third_comes(DuplicatePolicy::TakeOver, |hello| hello);
}

#[tokio::test]
async fn a_client_whose_session_is_resumed_again_while_it_is_admitted_is_closed() {
    a_third_comes(DuplicatePolicy::default(), resuming);
}

#[tokio::test]
async fn a_client_that_nobody_removes_while_it_is_admitted_stays() {
    let shared = server(DuplicatePolicy::TakeOver);

    let newcomer = admit(&shared, |shared, conn| assert!(shared.has(conn)));

    assert_eq!(newcomer.left(), 0);
    assert!(shared.connected(newcomer.connection.id));
    let holder = shared.holder(&newcomer.connection.client).unwrap();
    assert_eq!(holder.id, newcomer.connection.id);
}
