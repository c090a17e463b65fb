//! Clients in pairs that call each other, both ways, and note everything.

mod calls;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use futures_util::future::join_all;
use socketio_p2p_client::{
    Event, Events, EventsError, Incoming, P2pBuilder, P2pBuilderExt as _, P2pClient,
    P2pClientExt as _, Path, PathPolicy,
};
use socketio_p2p_protocol::limits::GRACE;
use socketio_p2p_server as server;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::history::History;
use super::within;
use calls::{CALL, CALL_TIMEOUT, Talk, answer, noted, talk};
use socketio_p2p_protocol::sim::ClientNo;

pub(crate) use calls::Manner;

/// The longest time that any of these takes when nothing is broken.
const PATIENCE: Duration = Duration::from_secs(300);

/// The pause after a refusal before a client asks for its partner again.
const AGAIN: Duration = Duration::from_millis(500);

/// Silence after which a connection is given up, and when the server is asked before that.
const HEARTBEAT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// The time for which a client must have been away when its pairing ends. A pairing outlives a
/// connection by [`GRACE`]; half of that remains for the client to notice that it has none.
const EXCUSE: Duration = Duration::from_millis(GRACE.as_millis() as u64 / 2);

/// Pairs that talk.
pub(crate) struct Talkers {
    pub(crate) history: Arc<History>,
    pub(crate) clients: Vec<P2pClient>,
    talking: JoinSet<()>,
    watching: JoinSet<()>,
    stop: CancellationToken,
}

impl Talkers {
    /// So many pairs, connected and paired, that talk by the relay: faults are those of connections
    /// to the server.
    pub(crate) async fn pair(url: &str, pairs: usize) -> Result<Self> {
        Self::pair_as(url, pairs, |_, client| client.path_policy(PathPolicy::RelayOnly)).await
    }

    /// So many pairs, connected and paired, of clients with these settings.
    pub(crate) async fn pair_as(
        url: &str,
        pairs: usize,
        settings: impl Fn(ClientNo, P2pBuilder) -> P2pBuilder,
    ) -> Result<Self> {
        let history = Arc::new(History::of(2 * pairs));
        let mut clients = Vec::new();
        let mut watching = JoinSet::new();
        for number in 0..2 * pairs {
            let connecting = settings(number, client(url, number, &history)).connect();
            let client = within(PATIENCE, "connecting", connecting).await??;
            watching.spawn(watch(client.clone(), client.events(), number, history.clone()));
            if number % 2 == 1 {
                within(PATIENCE, "pairing", client.register_target(name(number ^ 1))).await??;
            }
            clients.push(client);
        }
        let (talking, stop) = (JoinSet::new(), CancellationToken::new());
        Ok(Self { history, clients, talking, watching, stop })
    }

    /// Compares the server's events about their pairings with those of the clients.
    pub(crate) fn compare(&mut self, mut server: server::Events) {
        let history = self.history.clone();
        self.watching.spawn(async move {
            loop {
                match server.recv().await {
                    Ok(server::Event::Unpaired { pairing, reason, .. }) => {
                        history.ended(pairing, reason);
                    }
                    // What was missed, or concerns others, is not compared.
                    Ok(_) | Err(server::EventsError::Lagged(_)) => {}
                    Err(_) => return,
                }
            }
        });
    }

    /// They talk from now on.
    pub(crate) fn talk(&mut self, manner: &Manner, seed: u64) {
        let mut random = Rng::with_seed(seed);
        for (number, client) in self.clients.iter().enumerate() {
            self.talking.spawn(talk(
                Talk {
                    client: client.clone(),
                    number,
                    history: self.history.clone(),
                    manner: manner.clone(),
                    random: random.fork(),
                },
                self.stop.clone(),
            ));
        }
    }

    /// They make no more calls, and have an answer to all that they made.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        self.stop.cancel();
        within(CALL_TIMEOUT + PATIENCE, "the last answers", async {
            while let Some(talked) = self.talking.join_next().await {
                talked?;
            }
            anyhow::Ok(())
        })
        .await?
    }

    /// Every pair answers within `patience`: how many do not.
    pub(crate) async fn mute(&self, patience: Duration) -> usize {
        let asking = self.clients.iter().enumerate().map(async |(number, client)| {
            let mut talk = Talk {
                client: client.clone(),
                number,
                history: self.history.clone(),
                manner: Manner { rate: 1.0, burst: 1, largest: 100, pauses: false },
                random: Rng::with_seed(number as u64),
            };
            let answer = async {
                loop {
                    if let Some(call) = talk.next_call() {
                        return call.await;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            };
            within(patience, "an answer", answer).await.is_err()
        });
        let mute = join_all(asking).await;
        mute.into_iter().filter(|mute| *mute).count()
    }

    /// All leave.
    pub(crate) async fn leave(mut self) -> Result<()> {
        // From here on pairings end, as they should.
        self.watching.shutdown().await;
        let leaving = self.clients.iter().map(|client| client.close());
        within(PATIENCE, "closing", join_all(leaving)).await.map(drop)
    }
}

fn name(number: ClientNo) -> String {
    format!("talker-{number}")
}

fn number(name: &str) -> Option<ClientNo> {
    name.strip_prefix("talker-")?.parse().ok()
}

/// A client that comes back when it loses its connection, and notes what its handlers do.
fn client(url: &str, at: ClientNo, history: &Arc<History>) -> P2pBuilder {
    let (calls, others) = (history.clone(), history.clone());
    url.p2p(name(at))
        .heartbeat(HEARTBEAT[0], HEARTBEAT[1])
        .connect_timeout(HEARTBEAT[1])
        .backoff(Duration::from_millis(50), Duration::from_secs(1))
        .on2(CALL, move |incoming: Incoming| {
            // Up to the first await handlers run in the order of the calls.
            let call = noted(&calls, at, &incoming);
            answer(call)
        })
        .on2_fallback(move |incoming: Incoming| {
            others.strange(format!("{at}: {} of {}", incoming.event(), incoming.from()));
            std::future::ready(Ok(()))
        })
}

/// Notes what happens to a client, and pairs it again if it asked for its partner at first.
async fn watch(client: P2pClient, mut events: Events, who: ClientNo, history: Arc<History>) {
    let mut pairing = JoinSet::new();
    loop {
        match events.recv().await {
            Ok(Event::Away) => history.away(who),
            Ok(Event::Resumed(_)) => history.back(who, true),
            Ok(Event::Restarted(_)) => history.back(who, false),
            Ok(Event::Paired(info)) => {
                history.paired(who, number(info.partner.as_str()), info.id);
            }
            Ok(Event::Unpaired { pairing: ended, reason }) => {
                history.unpaired(who, ended.id, reason, EXCUSE);
                if who % 2 == 1 {
                    pairing.spawn(pair_again(client.clone(), who));
                }
            }
            Ok(Event::Path { path: Some(path), .. }) => {
                history.stalls(|stalls| stalls.reported(who, path == Path::Direct));
            }
            Ok(Event::Disconnected) | Err(EventsError::Closed) => return,
            Err(error) => history.strange(format!("{who}: {error}")),
            Ok(_) => {}
        }
    }
}

/// Asks for the partner until it is there again.
async fn pair_again(client: P2pClient, who: ClientNo) {
    while client.register_target(name(who ^ 1)).await.is_err() {
        tokio::time::sleep(AGAIN).await;
    }
}
