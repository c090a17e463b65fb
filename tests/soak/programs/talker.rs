//! Clients in pairs that call each other, both ways, and note everything.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _, poll};
use serde::{Deserialize, Serialize};
use socketio_p2p_client::{
    Event, Events, EventsError, HandlerError, Incoming, P2pBuilder, P2pBuilderExt as _, P2pClient,
    P2pClientExt as _,
};
use socketio_p2p_protocol::limits::GRACE;
use socketio_p2p_server as server;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::history::{History, told};
use super::oracle::{CallNo, ClientNo, Report as Told};
use super::within;

/// How long anything of these takes at most when nothing is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a call may take: far longer than the faults that it meets.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Calls of one client that wait for their reply.
const IN_FLIGHT: usize = 32;

/// How long after a refusal a client asks for its partner again.
const AGAIN: Duration = Duration::from_millis(500);

/// Silence after which a connection is given up, and when the server is asked before that.
const HEARTBEAT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// How long a pairing outlives a connection, less the time that a client may need to find out that
/// it has none: a pairing may end when a client believes to have been away for that long.
const EXCUSE: Duration = GRACE.saturating_sub(HEARTBEAT[1]);

/// What clients say to each other.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// Calls a second of one client.
    pub(crate) rate: f64,
    /// Calls that it makes at once, at most.
    pub(crate) burst: usize,
    /// Bytes of the largest call or reply.
    pub(crate) largest: usize,
    /// Whether some handlers take their time.
    pub(crate) pauses: bool,
}

/// Pairs that talk.
pub(crate) struct Talkers {
    pub(crate) history: Arc<History>,
    pub(crate) clients: Vec<P2pClient>,
    talking: JoinSet<()>,
    watching: JoinSet<()>,
    stop: CancellationToken,
}

/// One call, as it travels.
#[derive(Debug, Deserialize, Serialize)]
struct Call {
    number: CallNo,
    pairing: String,
    /// How long its handler takes.
    millis: u64,
    fails: bool,
    /// How long its reply is.
    reply: usize,
    padding: String,
}

/// Its reply.
#[derive(Debug, Deserialize, Serialize)]
struct Answer {
    number: CallNo,
    padding: String,
}

impl Talkers {
    /// So many pairs, connected and paired.
    pub(crate) async fn pair(url: &str, pairs: usize) -> Result<Self> {
        let history = Arc::new(History::of(2 * pairs));
        let mut clients = Vec::new();
        let mut watching = JoinSet::new();
        for number in 0..2 * pairs {
            let connecting = client(url, number, &history).connect();
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

    /// What the server says about their pairings is to agree with what they hear.
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
        .on2("call", move |incoming: Incoming| {
            // Up to the first await handlers run in the order of the calls.
            let call = incoming.args::<Call>();
            match &call {
                Ok(Call { number: call, pairing, .. }) => {
                    // If its pairing has just ended, it is the one that the caller meant.
                    let present = incoming.client().pairing().map(|info| info.id);
                    match present.map_or_else(|| pairing.parse(), Ok) {
                        Ok(pairing) => {
                            calls.ran(*call, at, number(incoming.from().as_str()), pairing);
                        }
                        Err(_) => calls.strange(format!("{at}: {pairing} is no pairing")),
                    }
                }
                Err(error) => calls.strange(format!("{at}: a call that cannot be read: {error}")),
            }
            answer(call.map_err(HandlerError::from))
        })
        .on2_fallback(move |incoming: Incoming| {
            others.strange(format!("{at}: {} of {}", incoming.event(), incoming.from()));
            std::future::ready(Ok(()))
        })
}

async fn answer(call: Result<Call, HandlerError>) -> Result<Answer, HandlerError> {
    let Call { number, millis, fails, reply, .. } = call?;
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    if fails {
        return Err(HandlerError::new("on purpose"));
    }
    Ok(Answer { number, padding: padding(reply) })
}

fn padding(length: usize) -> String {
    "p".repeat(length)
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

/// One client that makes calls.
struct Talk {
    client: P2pClient,
    number: ClientNo,
    history: Arc<History>,
    manner: Manner,
    random: Rng,
}

async fn talk(mut talk: Talk, stop: CancellationToken) {
    let mut calls = FuturesUnordered::new();
    let mut next = Instant::now();
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(()) = calls.next() => continue,
            () = sleep_until(next), if calls.len() < IN_FLIGHT => {}
        }
        let burst = talk.random.usize(1..=talk.manner.burst);
        for _ in 0..burst {
            let Some(mut call) = talk.next_call() else { break };
            // The order of the calls is that of their first polls.
            if poll!(&mut call).is_pending() {
                calls.push(call);
            }
        }
        let pause = burst as f64 / talk.manner.rate * 2.0 * talk.random.f64();
        // Calls that the network held up are not made up for.
        next = Instant::now() + Duration::from_secs_f64(pause);
    }
    while calls.next().await.is_some() {}
}

impl Talk {
    /// Mostly small, sometimes large, either way.
    fn length(&mut self) -> usize {
        let largest = match self.random.u32(..100) {
            0 => self.manner.largest,
            1..10 => self.manner.largest.min(16 * 1024),
            _ => self.manner.largest.min(100),
        };
        self.random.usize(..=largest)
    }

    /// The next call; none while there is no partner.
    fn next_call(&mut self) -> Option<BoxFuture<'static, ()>> {
        let pairing = self.client.pairing()?.id;
        let (length, reply) = (self.length(), self.length());
        let pauses = self.manner.pauses && self.random.u32(..20) == 0;
        let millis = if pauses { self.random.u64(1..50) } else { 0 };
        let fails = self.random.u32(..50) == 0;
        let (client, history) = (self.client.clone(), self.history.clone());
        let number = history.called(self.number, pairing)?;
        let (pairing, padding) = (pairing.to_string(), padding(length));
        let call = Call { number, pairing, millis, fails, reply, padding };
        let call = async move {
            let since = Instant::now();
            let reply = client.emit2("call", call).timeout(CALL_TIMEOUT).with_reply().await;
            let told = match reply.map(|reply| reply.args::<Answer>()) {
                Ok(Ok(answer)) if answer.number == number => Told::Value,
                Ok(_) => Told::WrongValue,
                Err(error) => told(&error),
            };
            history.told(number, told, since.elapsed());
        };
        Some(call.boxed())
    }
}
