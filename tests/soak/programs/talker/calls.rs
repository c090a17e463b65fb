//! The calls of one client, and the answers to those of its partner.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _, poll};
use serde::{Deserialize, Serialize};
use socketio_p2p_client::{HandlerError, Incoming, P2pClient, P2pClientExt as _};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::number;
use crate::programs::history::{History, told};
use socketio_p2p_protocol::sim::{CallNo, ClientNo, Report as Told};

/// The event that all calls are.
pub(super) const CALL: &str = "call";

/// The timeout of a call: far longer than the faults that it meets, also on a busy machine.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(300);

/// Calls of one client that wait for their reply.
const IN_FLIGHT: usize = 32;

/// The kind and number of calls that clients make.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// Calls a second of one client.
    pub(crate) rate: f64,
    /// Calls that it makes at once, at most.
    pub(crate) burst: usize,
    /// Bytes of the largest call or reply.
    pub(crate) largest: usize,
    /// Set if some handlers take their time.
    pub(crate) pauses: bool,
}

/// One call, as it travels.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Call {
    number: CallNo,
    pairing: String,
    /// The time that its handler takes, in milliseconds.
    millis: u64,
    fails: bool,
    /// The length of its reply.
    reply: usize,
    /// The length of its padding.
    length: usize,
    padding: String,
}

/// Its reply.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Answer {
    number: CallNo,
    padding: String,
}

/// Notes that the handler of a call starts.
pub(super) fn noted(
    history: &History,
    at: ClientNo,
    incoming: &Incoming,
) -> Result<Call, HandlerError> {
    let call = incoming.args::<Call>().inspect_err(|error| {
        history.strange(format!("{at}: a call that cannot be read: {error}"));
    })?;
    if call.padding != padding(call.number, call.length) {
        history.strange(format!("{at}: {} came otherwise than it was sent", call.number));
    }
    // If its pairing has just ended, it is the one that the caller meant.
    let present = incoming.client().pairing().map(|info| info.id);
    match present.map_or_else(|| call.pairing.parse(), Ok) {
        Ok(pairing) => history.ran(call.number, at, number(incoming.from().as_str()), pairing),
        Err(_) => history.strange(format!("{at}: {} is no pairing", call.pairing)),
    }
    Ok(call)
}

/// Handles a call, and returns its answer.
pub(super) async fn answer(call: Result<Call, HandlerError>) -> Result<Answer, HandlerError> {
    let Call { number, millis, fails, reply, .. } = call?;
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    if fails {
        return Err(HandlerError::new("on purpose"));
    }
    Ok(Answer { number, padding: padding(number, reply) })
}

/// Text of this length that belongs to this call, and is nowhere the same.
fn padding(number: CallNo, length: usize) -> String {
    let mut text = String::with_capacity(length + 32);
    for place in 0_usize.. {
        if text.len() >= length {
            break;
        }
        _ = write!(text, "{number}.{place} ");
    }
    text.truncate(length);
    text
}

/// One client that makes calls.
pub(super) struct Talk {
    pub(super) client: P2pClient,
    pub(super) number: ClientNo,
    pub(super) history: Arc<History>,
    pub(super) manner: Manner,
    pub(super) random: Rng,
}

/// Makes calls until it is stopped, and waits for their answers.
pub(super) async fn talk(mut talk: Talk, stop: CancellationToken) {
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
    pub(super) fn next_call(&mut self) -> Option<BoxFuture<'static, ()>> {
        let pairing = self.client.pairing()?.id;
        let (length, reply) = (self.length(), self.length());
        let pauses = self.manner.pauses && self.random.u32(..20) == 0;
        let millis = if pauses { self.random.u64(1..50) } else { 0 };
        let fails = self.random.u32(..50) == 0;
        let (client, history, caller) = (self.client.clone(), self.history.clone(), self.number);
        let number = history.called(caller, pairing)?;
        let call = Call {
            number,
            pairing: pairing.to_string(),
            millis,
            fails,
            reply,
            length,
            padding: padding(number, length),
        };
        let call = async move {
            let since = Instant::now();
            let replied = client.emit2(CALL, call).timeout(CALL_TIMEOUT).with_reply().await;
            if let Ok(reply) = &replied {
                history.came_by(reply.path());
            }
            let told = match replied.map(|reply| reply.args::<Answer>()) {
                Ok(Ok(Answer { number: of, padding: text }))
                    if of == number && text == padding(number, reply) =>
                {
                    Told::Value
                }
                Ok(_) => Told::WrongValue,
                Err(error) => told(&error),
            };
            history.told(caller, number, told, since.elapsed());
        };
        Some(call.boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paddings_have_their_length_and_are_nowhere_the_same() {
        let text = padding(7, 100_000);

        assert_eq!(text.len(), 100_000);
        assert_eq!(padding(7, 0), "");
        assert!(!text[50_000..].contains(&text[..20]));
        assert_ne!(text, padding(8, 100_000));
    }
}
