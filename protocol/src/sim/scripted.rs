//! Clients that do what the script of a test says.

use serde_json::Value;

use crate::{
    Args, Cause, ClientMessage, Code, ConnId, Frame, Outcome, PairingId, ServerMessage, broker,
    client::{Answer, Command},
    frame,
    peer::LinkMessage,
    session::{CallId, Delivery, EmitOptions},
    wire,
};

use crate::sim::{
    client::{Handled, REQUESTS, Returns, WaitingCall},
    connection::{Down, State},
    event::Event,
    oracle::{CallNo, ClientNo, Manner, Report},
    parties::STRANGER,
    script::{Delivered, Handling, Passing, Records},
    world::World,
};

/// Returns the arguments with the number of their call before them.
fn numbered(call: CallId, args: &Args) -> Args {
    let rest = args.as_json().trim_start().trim_start_matches('[');
    let comma = if rest.trim() == "]" { "" } else { "," };
    let text = format!("[{call}{comma}{rest}");
    Args::from_text(text, args.blobs().to_vec()).expect("arguments are an array")
}

/// Returns the number and the arguments that [`numbered`] put together.
fn unnumbered(args: &Args) -> Option<(CallId, Args)> {
    let mut values: Vec<Value> = args.parse().ok()?;
    let call = if values.is_empty() { None } else { values.remove(0).as_u64() };
    let text = Value::from(values).to_string();
    Some((call?, Args::from_text(text, args.blobs().to_vec()).ok()?))
}

impl World {
    pub(crate) fn records(&mut self, client: ClientNo) -> Option<&mut Records> {
        self.script.as_mut()?.records.get_mut(client)
    }

    pub(crate) fn emit_scripted(
        &mut self,
        client: ClientNo,
        pairing: PairingId,
        event: &str,
        args: Args,
        options: EmitOptions,
    ) -> CallId {
        let acknowledged = options.reply_by.is_some();
        let is_paired = self.oracle.partner_of(client).is_some();
        let call = if is_paired {
            self.oracle.called(client, Manner { acknowledged, excused: true }) as CallId
        } else {
            self.clients[client].next_request()
        };
        let event = event.to_owned();
        let args = numbered(call, &args);
        let command = Command::Emit { call, pairing, event, args, options };
        let deadline = options.reply_by.unwrap_or(self.now + std::time::Duration::from_secs(3_600));
        let call_no = call as CallNo;
        let waiting = WaitingCall { call: call_no, command, deadline, acknowledged };
        self.clients[client].waiting.push_back(waiting);
        call
    }

    pub(crate) fn handle_by_script(
        &mut self,
        client: ClientNo,
        pairing: PairingId,
        delivery: Delivery,
    ) {
        let source = self.oracle.partner_of(client).map_or(STRANGER, |(_, partner)| partner);
        let Some((call, args)) = unnumbered(&delivery.args) else { return };
        self.oracle.executed(call as CallNo, client, source, pairing);
        let Delivery { seq, event, .. } = delivery;
        let delivered = Delivered { pairing, seq, call, event, args };
        let Some(script) = &mut self.script else { return };
        let handling = (script.handler)(client, &delivered);
        script.records[client].deliveries.push(delivered);
        if let Handling::Return(result) = handling {
            self.results.insert(call as CallNo, result);
            let returns = Returns::Value(0);
            let handled = Handled { pairing, seq, call: call as CallNo, returns };
            self.after(std::time::Duration::ZERO, Event::Finish(client, handled));
        }
    }

    pub(crate) fn answered_by_script(&mut self, client: ClientNo, call: CallId, answer: Answer) {
        if call <= REQUESTS {
            let report = match &answer {
                Answer::Sent => None,
                Answer::Outcome(Outcome::Replied(..)) => Some(Report::Value),
                Answer::Outcome(Outcome::Failed(_)) => Some(Report::Failed),
                Answer::Outcome(Outcome::NotExecuted(_)) => Some(Report::NotExecuted),
                _ => Some(Report::Unknown),
            };
            self.clients[client].pending.remove(&(call as CallNo));
            if let Some(report) = report {
                self.oracle.reported(call as CallNo, report);
            }
        }
        if let Some(records) = self.records(client) {
            records.answers.entry(call).or_default().push(answer);
        }
    }

    /// A call of a script waited until its deadline.
    pub(crate) fn expired_by_script(&mut self, client: ClientNo, call: CallNo) {
        let outcome = Outcome::NotExecuted(Cause::Code(Code::Timeout));
        self.answered_by_script(client, call as CallId, Answer::Outcome(outcome));
    }

    /// Cuts a client's connection. The server notices it at once.
    pub(crate) fn lose(&mut self, client: ClientNo) {
        let Some(conn) = self.clients[client].conn else { return };
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.state = State::Cut;
        }
        self.server.handle(broker::Input::Disconnected(conn), self.now, &mut self.oracle);
        self.serve();
    }

    fn rewrite(&mut self, mut passing: Passing) -> Passing {
        if let Some(rewrite) = self.script.as_mut().and_then(|script| script.rewrite.as_mut()) {
            rewrite(&mut passing);
        }
        passing
    }

    fn passes(&mut self, client: ClientNo, is_up: bool, event: &str, args: Vec<Value>) -> Passing {
        self.rewrite(Passing { client, is_up, event: event.to_owned(), args, before: Vec::new() })
    }

    const fn is_rewritten(&self) -> bool {
        matches!(&self.script, Some(script) if script.rewrite.is_some())
    }

    /// Returns a message of a client as the server reads it.
    pub(crate) fn rewrite_up(&mut self, client: ClientNo, message: ClientMessage) -> ClientMessage {
        if !self.is_rewritten() {
            return message;
        }
        let (event, args) = message.to_event().expect("a v2 client says it");
        let passed = self.passes(client, true, event, args);
        wire::client_message(&passed.event, passed.args).unwrap_or(message)
    }

    /// Returns frames of a client as the server relays them.
    pub(crate) fn rewrite_frames(
        &mut self,
        client: ClientNo,
        pairing: PairingId,
        frames: Vec<Frame>,
    ) -> Vec<Frame> {
        if !self.is_rewritten() {
            return frames;
        }
        let values: Vec<_> = frames.iter().map(Frame::to_value).collect();
        let args = vec![Value::from(pairing.to_string()), values.into()];
        let mut passed = self.passes(client, true, wire::FRAME, args);
        let values = passed.args.pop().unwrap_or_default();
        frame::batch_from_value(values).map_or(frames, |batch| batch.frames)
    }

    /// Returns a signal of a client as the server forwards it.
    pub(crate) fn rewrite_signal(
        &mut self,
        client: ClientNo,
        pairing: PairingId,
        signal: Value,
    ) -> Value {
        if !self.is_rewritten() {
            return signal;
        }
        let args = vec![Value::from(pairing.to_string()), signal];
        self.passes(client, true, wire::SIGNAL, args).args.pop().unwrap_or_default()
    }

    /// Returns a message of a client on a link as its partner gets it.
    pub(crate) fn rewrite_direct(&mut self, client: ClientNo, message: LinkMessage) -> LinkMessage {
        if let LinkMessage::Text(text) = &message
            && self.is_rewritten()
            && let Ok(value) = serde_json::from_str(text)
        {
            let value = self.passes(client, true, Passing::LINK, vec![value]).args.pop();
            return LinkMessage::Text(value.unwrap_or_default().to_string());
        }
        message
    }

    /// Returns a message to a client as it arrives, and those before it.
    pub(crate) fn rewrite_down(&mut self, client: ClientNo, what: Down) -> Vec<Down> {
        if !self.is_rewritten() {
            return vec![what];
        }
        let read = |event: String, args: Vec<Value>| {
            let message = wire::server_message(&event, args.clone());
            message.map_or_else(|_| Down::Unreadable(event, args), Down::Message)
        };
        let passed = match &what {
            Down::Message(message) => match message.to_event() {
                Some((event, args)) => self.passes(client, false, event, args),
                None => return vec![what],
            },
            _ => self.passes(client, false, wire::FRAME, Vec::new()),
        };
        let before = passed.before.into_iter().map(|(event, args)| read(event, args));
        let mut all: Vec<_> = before.collect();
        all.push(match what {
            Down::Message(_) => read(passed.event, passed.args),
            what => what,
        });
        all
    }

    /// Sends a message of the server on a connection.
    pub(crate) fn tell(&mut self, conn: ConnId, message: ServerMessage) {
        self.send_down(conn, Down::Message(message));
    }
}
