//! The handlers: they run at once or take their time, return values, fail, or are not there.

use std::time::Duration;

use crate::{Args, Code, PairingId, Refusal, client::Input, session::Delivery};
use serde_json::Value;

use crate::sim::{
    client::{Handled, Returns, SimClient},
    direct::network::LONGEST_CUT,
    event::Event,
    oracle::{CallNo, Manner, Rule, Verdict},
    parties::{Emission, HOSTILE, STRANGER},
    world::World,
};

/// Longer than anything is under way on the relay, frozen twice: the receiver counts from the arrival.
pub(crate) const LONGEST_WAY: Duration = Duration::from_millis(4_500);

/// Returns the arguments of a call: its number, and a text of about that many bytes of which every
/// part is different.
pub(crate) fn args_of(call: CallNo, size: usize) -> Args {
    let mut args = vec![Value::from(call)];
    if size > 0 {
        args.push(size.into());
        args.push(text(call, size).into());
    }
    args.into()
}

/// The call to which these arguments belong, if they are as they were made.
pub(crate) fn number_in(args: &Args) -> Option<CallNo> {
    let args = args.parse::<Vec<Value>>().ok()?;
    let number = |at: usize| args.get(at).and_then(Value::as_u64).map(|number| number as usize);
    let call = number(0)?;
    match args.len() {
        1 => Some(call),
        3 => (args[2].as_str()? == text(call, number(1)?)).then_some(call),
        _ => None,
    }
}

fn text(call: CallNo, size: usize) -> String {
    const LINE: &str = concat!(
        "\u{e9}\"the quick brown fox jumps over the lazy dog, again and again, until it is ",
        "late and both of them are tired; then they sleep, and in the morning it begins anew: ",
    );
    let mut text = String::with_capacity(size + 2 * LINE.len());
    while text.len() < size {
        text.push_str(&format!("{call}:{}", text.len()));
        text.push_str(LINE);
    }
    text
}

impl World {
    /// An emit came: it runs.
    pub(crate) fn run_handler(&mut self, client: usize, pairing: PairingId, delivery: Delivery) {
        self.name_pairing(client, pairing);
        let source = self.clients[client].endpoint.as_ref().and_then(|e| e.pairing());
        let source = source.and_then(|info| SimClient::number_of(info.partner.as_str()));
        let source = source.unwrap_or(STRANGER);
        self.clients[client].running[usize::from(delivery.wants_reply)].insert(delivery.seq);
        if self.script.is_some() {
            return self.handle_by_script(client, pairing, delivery);
        }
        if self.application.is_some() {
            return self.handle_by_application(client, pairing, &delivery);
        }
        let call = match number_in(&delivery.args) {
            Some(call) if source < HOSTILE => call,
            _ if source >= HOSTILE => CallNo::MAX,
            _ => {
                let what = format!("{client} gets {:.60}", delivery.args.as_json());
                return self.oracle.violate(Rule::Intact, what);
            }
        };
        let returns = match self.rng.u32(..1_000) {
            _ if !self.stormy => Returns::Value(0),
            0..5 => Returns::Nothing,
            5..20 => Returns::Failure,
            20..23 => Returns::Value(self.rng.usize(..200_000)),
            _ => Returns::Value(0),
        };
        if returns == Returns::Nothing {
            self.oracle.unhandled(call);
        } else {
            self.oracle.executed(call, client, source, pairing);
            let cut = if self.clients[client].direct { LONGEST_CUT } else { Duration::ZERO };
            if self.expiries.get(&call).is_some_and(|at| self.now > *at + LONGEST_WAY + cut) {
                self.oracle.violate(Rule::InTime, format!("{call} runs after its time"));
            }
        }
        let handled = Handled { pairing, seq: delivery.seq, call, returns };
        let with_partner = self.is_paired_as(client, pairing);
        if with_partner && matches!(returns, Returns::Value(_)) && self.stormy && self.chance(0.01)
        {
            let manner = Manner { acknowledged: true, excused: self.may_wait_for_direct(client) };
            let own = self.emit_later(client, Emission::new(manner, Duration::from_secs(60)));
            self.clients[client].nested.insert(own, handled);
            return;
        }
        let after = match self.rng.u32(..50) {
            _ if returns == Returns::Nothing => Duration::ZERO,
            0 => self.millis(0..4000),
            _ => self.millis(0..20),
        };
        self.after(after, Event::Finish(client, handled));
    }

    /// A handler is done, or its caller has given up.
    pub(crate) fn is_done(&mut self, client: usize, seq: u64) {
        for running in &mut self.clients[client].running {
            running.remove(&seq);
        }
    }

    /// A handler is done.
    pub(crate) fn finish(&mut self, client: usize, handled: Handled) {
        let Handled { pairing, seq, call, returns } = handled;
        if self.is_paired_as(client, pairing) {
            self.is_done(client, seq);
        }
        if let Some(result) = self.result_of(call) {
            return self.feed(client, Input::Finished(pairing, seq, result));
        }
        let result = match returns {
            Returns::Value(size) => {
                self.oracle.returned(call, Verdict::Value);
                Ok(args_of(call, size))
            }
            Returns::Failure => {
                self.oracle.returned(call, Verdict::Failed);
                Err(Refusal::new(Code::HandlerFailed, "on purpose"))
            }
            Returns::Nothing => Err(Code::Unhandled.into()),
        };
        self.feed(client, Input::Finished(pairing, seq, result));
    }

    /// Returns whether a client believes to be in the pairing that has, or had, this name.
    pub(crate) fn is_paired_as(&self, client: usize, pairing: PairingId) -> bool {
        let present = self.oracle.partner_of(client).map(|(present, _)| present);
        present.map(|present| self.oracle.first_name(present))
            == Some(self.oracle.first_name(pairing))
    }

    /// Notes the name that a client has for its pairing, which the server may have granted anew.
    pub(crate) fn name_pairing(&mut self, client: usize, name: PairingId) {
        if self.oracle.partner_of(client).is_some_and(|(present, _)| present != name) {
            self.oracle.renamed(client, name);
        }
    }
}
