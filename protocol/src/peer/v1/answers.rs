//! What a v1 client and its partner are answered, and what they can take.

use serde_json::Value;

use crate::{
    Args, Cause, Code, Outcome, Refusal,
    limits::{JSON_DEPTH, V1_ATTACHMENTS, VALUE_BYTES},
    wire::{self, v1_failed},
};

/// What a v1 client hears of a call that had no place among those that wait for an answer.
const NOT_SENT: &str =
    "the call was not sent: the partner was away, or had not answered those before it in time";

/// Checks that the partner can take this reply: a v1 client does not know its limits.
pub(super) fn check_reply(reply: Args) -> Result<Args, Code> {
    if reply.size() > VALUE_BYTES || wire::depth(reply.as_json()) > JSON_DEPTH {
        return Err(Code::TooLarge);
    }
    Ok(reply)
}

/// Checks that a v1 client can take the attachments of these arguments.
///
/// # Errors
///
/// [`Code::BadArgs`] if there are too many.
pub(crate) fn check_attachments(args: &Args) -> Result<(), Refusal> {
    if args.blobs().len() <= V1_ATTACHMENTS {
        return Ok(());
    }
    let why = format!("a v1 client takes at most {V1_ATTACHMENTS} attachments");
    Err(Refusal::new(Code::BadArgs, &why))
}

/// Returns the refusal of arguments with bytes for a v1 client whose transport takes none.
pub(crate) fn no_bytes() -> Refusal {
    let why = "bytes reach the partner over a websocket only, and it polls with Engine.IO 3";
    Refusal::new(Code::BadArgs, why)
}

/// Returns what a v1 client gets instead of a reply that its transport does not take.
pub(super) fn unacknowledged() -> Refusal {
    let why = "the reply has bytes, which reach this client over a websocket only: it polls with Engine.IO 3";
    Refusal::new(Code::BadArgs, why)
}

/// Returns the arguments with which a v1 client's event is acknowledged: those of the partner's
/// reply, or else one argument that describes the failure.
///
/// # Errors
///
/// The argument that describes the failure.
pub fn acknowledgement(outcome: &Outcome) -> Result<&Args, Value> {
    match outcome {
        Outcome::Replied(args, _) => check_attachments(args)
            .map(|()| args)
            .map_err(|refusal| v1_failed(refusal.code.as_str(), &refusal.message)),
        Outcome::NotExecuted(cause @ Cause::Code(Code::Timeout)) => {
            Err(v1_failed(cause.as_str(), NOT_SENT))
        }
        Outcome::Failed(refusal) => Err(v1_failed(refusal.code.as_str(), &refusal.message)),
        Outcome::NotExecuted(cause) | Outcome::Unknown(cause) => {
            Err(v1_failed(cause.as_str(), &cause.to_string()))
        }
    }
}

/// Returns the answer to a v1 client that asked for the end of its pairing, and whose partner did not take all
/// that it emitted before.
#[must_use]
pub fn undelivered() -> Refusal {
    let why = "the pairing ended before the partner took everything that was emitted";
    Refusal::new(Code::NotPaired, why)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Instant};

    use serde_json::json;

    use super::{
        super::{Bridge, Input, Output, Side},
        *,
    };
    use crate::{
        Dialect,
        limits::{PENDING_CALLS, V1_CALL_TIMEOUT},
    };

    /// Hands everything to the second client, which answers nothing. Returns what it gets, and what the first is
    /// answered, by the number of the call.
    fn carry_out(bridge: &mut Bridge, now: Instant) -> (Vec<u64>, BTreeMap<u64, Outcome>) {
        let (mut got, mut answered) = (Vec::new(), BTreeMap::new());
        while let Some((side, output)) = bridge.poll_output() {
            match output {
                Output::Emit(delivery) => {
                    got.extend(delivery.args.parse::<(u64,)>().map(|(number,)| number));
                    bridge.handle(side, Input::Emitted(delivery, Ok(())), now);
                }
                Output::Acknowledge(id, outcome) => _ = answered.insert(id, outcome),
                Output::Abandoned(_) => {}
                other => panic!("{other:?}"),
            }
        }
        (got, answered)
    }

    #[test]
    fn behind_a_partner_that_answers_nothing_each_call_is_answered_and_says_why_and_the_next_go_on()
    {
        let calls = PENDING_CALLS as u64;
        let mut now = Instant::now();
        let mut bridge = Bridge::new([Dialect::V1, Dialect::V1], now);
        let emit = |bridge: &mut Bridge, number: u64, call: Option<u64>, now| {
            bridge.emit(Side::First, "ask".into(), vec![json!(number)].into(), call, now).unwrap();
        };
        for number in 0..calls + 3 {
            emit(&mut bridge, number, Some(number), now);
        }
        emit(&mut bridge, calls + 3, None, now);
        let (got, answered) = carry_out(&mut bridge, now);
        assert_eq!((got.len(), answered.len()), (PENDING_CALLS, 0));

        now += V1_CALL_TIMEOUT;
        bridge.timeout(now);
        emit(&mut bridge, calls + 4, Some(calls + 4), now);
        let (got, answered) = carry_out(&mut bridge, now);

        assert_eq!(got, [calls + 3, calls + 4], "what was sent later waits no longer");
        assert_eq!(answered.len(), PENDING_CALLS + 3);
        let told = |number| acknowledgement(&answered[&number]).unwrap_err();
        for number in calls..calls + 3 {
            assert_eq!(told(number), v1_failed("timeout", NOT_SENT));
        }
        for number in 0..calls {
            let code = &told(number)["error"]["code"];
            assert!(*code == "timeout" && told(number) != told(calls), "{code}");
        }
    }
}
