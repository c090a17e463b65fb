//! The host of the application under test: it lets the application act, handle events and check itself.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    Args, Cause, ClientId, Code, Outcome, PairingId, Refusal,
    client::{Answer, Command},
    session::{CallId, Delivery, EmitOptions},
};

use crate::sim::{
    client::{Handled, Returns, SimClient, WaitingCall},
    event::Event,
    oracle::{CallNo, Manner, Report, Rule, Verdict},
    parties::STRANGER,
    under_test::{Calls, Made},
    world::World,
};

impl World {
    /// Lets the application act, and will again.
    pub(crate) fn tick(&mut self, client: usize) {
        if self.leaving {
            return;
        }
        let after = if self.stormy { self.millis(1..110) } else { self.millis(200..400) };
        self.after(after, Event::Act(client));
        if self.clients[client].endpoint.is_none() {
            return;
        }
        if self.oracle.partner_of(client).is_none() {
            if self.clients[client].asked == 0 {
                self.register_with(client, 1 - client);
            }
            return;
        }
        let (first, winds_down) = (self.oracle.calls(), !self.stormy);
        let mut calls = Calls { first, made: Vec::new(), winds_down };
        if let Some(application) = &mut self.application {
            application.tick(client, &mut calls);
        }
        for made in calls.made {
            self.emit_made(client, made);
        }
        self.feed(client, crate::client::Input::Timeout);
        self.check_application(false);
    }

    pub(crate) fn register_with(&mut self, client: usize, partner: usize) {
        let target: ClientId = SimClient::new(partner).name.parse().expect("a name is an id");
        let call = self.clients[client].next_request();
        self.clients[client].wanted.insert(call, partner);
        let deadline = self.now + Duration::from_secs(12);
        self.ask_for((client, call), target, deadline);
    }

    /// Registers a target without a payload.
    pub(super) fn ask_for(
        &mut self,
        (client, call): (usize, CallId),
        target: ClientId,
        deadline: Instant,
    ) {
        let (payload, consent_time) = (None, None);
        let waits = self.plan.lines > 0.0 && self.stormy && self.chance(self.plan.lines);
        let wait = waits.then(|| self.millis(1..40_000));
        // One that is not patient gives up its place.
        let deadline = if waits && self.chance(0.7) { None } else { Some(deadline) };
        let register = Command::Register { call, target, payload, consent_time, wait, deadline };
        self.command(client, register);
    }

    fn emit_made(&mut self, client: usize, Made { event, mut args, patience }: Made) {
        let manner = Manner { acknowledged: true, excused: true };
        let Some((pairing, _)) = self.oracle.partner_of(client) else { return };
        let call = self.oracle.called(client, manner);
        // The oracle's number comes first, and is taken off again.
        args.insert(0, call.into());
        let deadline = self.now + patience.min(crate::limits::SETTING_MAX);
        let command = Command::Emit {
            call: call as u64,
            pairing,
            event,
            args: args.into(),
            options: EmitOptions { reply_by: Some(deadline), ..EmitOptions::default() },
        };
        let acknowledged = true;
        self.clients[client].waiting.push_back(WaitingCall {
            call,
            command,
            deadline,
            acknowledged,
        });
    }

    /// Runs the application's handler.
    pub(crate) fn handle_by_application(
        &mut self,
        client: usize,
        pairing: PairingId,
        delivery: &Delivery,
    ) {
        let mut args: Vec<Value> = delivery.args.parse().unwrap_or_default();
        let number = if args.is_empty() { None } else { args.remove(0).as_u64() };
        let call = number.map_or(CallNo::MAX, |number| number as CallNo);
        let source = self.oracle.partner_of(client).map_or(STRANGER, |(_, partner)| partner);
        self.oracle.executed(call, client, source, pairing);
        let Some(application) = &mut self.application else { return };
        let result = application.handle(client, &delivery.event, &args);
        self.results.insert(call, result.map(|value| Args::from(vec![value])));
        let handled = Handled { pairing, seq: delivery.seq, call, returns: Returns::Value(0) };
        let after = self.millis(0..20);
        self.after(after, Event::Finish(client, handled));
        self.check_application(false);
    }

    /// Returns the result that the application's handler had for a call.
    pub(crate) fn result_of(&mut self, call: CallNo) -> Option<Result<Args, Refusal>> {
        let result = self.results.remove(&call)?;
        let verdict = if result.is_ok() { Verdict::Value } else { Verdict::Failed };
        self.oracle.returned(call, verdict);
        Some(result)
    }

    /// Informs the application of the answer to its call, and returns what the oracle is told.
    pub(crate) fn resolve_by_application(
        &mut self,
        client: usize,
        call: CallNo,
        answer: &Answer,
    ) -> Report {
        let closed = Outcome::Unknown(Cause::Code(Code::Closed));
        let outcome = if let Answer::Outcome(outcome) = answer { outcome } else { &closed };
        if let Some(application) = &mut self.application {
            application.resolved(client, call, outcome);
        }
        self.check_application(false);
        match outcome {
            Outcome::Replied(..) => Report::Value,
            Outcome::Failed(_) => Report::Failed,
            Outcome::NotExecuted(_) => Report::NotExecuted,
            Outcome::Unknown(_) => Report::Unknown,
        }
    }

    pub(crate) fn check_application(&mut self, settled: bool) {
        let Some(application) = &self.application else { return };
        if let Err(what) = application.check(settled) {
            self.oracle.violate(Rule::Application, what);
        }
    }
}
