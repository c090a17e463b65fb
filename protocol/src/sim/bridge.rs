//! A stand-in for the server's bridge: the sessions that it keeps on behalf of v1 clients.

use std::{collections::BTreeMap, collections::VecDeque, time::Instant};

use crate::{
    Args, Cause, Code, ConnId, EndReason, Frame, Outcome, PairingId, Path, Presence, Refusal,
    Session,
    limits::V1_CALL_TIMEOUT,
    session::{Input, Output},
};

use crate::sim::{
    oracle::{CallNo, ClientNo, Oracle, Rule},
    server::Act,
};

/// One end of a bridge.
#[derive(Debug)]
struct End {
    number: ClientNo,
    conn: ConnId,
    /// None for a v2 client, which keeps its own.
    kept: Option<Kept>,
}

/// What the server keeps for a v1 client.
#[derive(Debug)]
struct Kept {
    session: Session,
    backlog: VecDeque<Emit>,
    /// Acknowledgements that are waited for, by the number of the emit.
    awaited: BTreeMap<u64, Instant>,
}

#[derive(Debug)]
struct Emit {
    args: Args,
    call: Option<(CallNo, Instant)>,
}

#[derive(Debug)]
pub(crate) struct Bridge {
    pairing: PairingId,
    ends: [End; 2],
}

/// A client of a bridge, and whether it speaks v1.
pub(crate) type EndOf = (ClientNo, ConnId, bool);

impl Bridge {
    pub(crate) fn new(pairing: PairingId, ends: [EndOf; 2], now: Instant) -> Self {
        let end = |(number, conn, is_v1): EndOf| {
            let mut kept = is_v1.then(Kept::new);
            if let Some(kept) = &mut kept {
                kept.session.handle(Input::Opened(Path::Relay), now);
            }
            End { number, conn, kept }
        };
        Self { pairing, ends: ends.map(end) }
    }

    /// A client is back on another connection.
    pub(crate) fn connect(&mut self, number: ClientNo, conn: ConnId) {
        for end in self.ends.iter_mut().filter(|end| end.number == number) {
            end.conn = conn;
        }
    }

    pub(crate) fn is_of(&self, conn: ConnId) -> bool {
        self.ends.iter().any(|end| end.conn == conn)
    }

    fn side_of(&self, conn: ConnId) -> usize {
        usize::from(self.ends[0].conn != conn)
    }

    fn handle(&mut self, side: usize, input: Input, now: Instant) {
        if let Some(kept) = &mut self.ends[side].kept {
            kept.session.handle(input, now);
        }
    }

    /// The v2 partner of the v1 client on this connection went or came back.
    pub(crate) fn partner_is(&mut self, conn: ConnId, presence: Presence, now: Instant) {
        let side = self.side_of(conn);
        self.handle(side, Input::Closed(Path::Relay), now);
        if presence == Presence::Back {
            self.handle(side, Input::Opened(Path::Relay), now);
        }
    }

    /// Frames from the v2 client on this connection.
    pub(crate) fn receive(&mut self, from: ConnId, frames: Vec<Frame>, now: Instant) {
        let side = 1 - self.side_of(from);
        for frame in frames {
            self.handle(side, Input::Received(Path::Relay, frame), now);
        }
    }

    /// The queue of the v1 client on this connection is full, or has room again.
    pub(crate) fn pause(&mut self, conn: ConnId, paused: bool, now: Instant) {
        let input = if paused { Input::Paused } else { Input::Resumed };
        let side = self.side_of(conn);
        self.handle(side, input, now);
    }

    /// What was for the v2 client on this connection was refused.
    pub(crate) fn refused(&mut self, to: ConnId, now: Instant) {
        let side = 1 - self.side_of(to);
        self.handle(side, Input::Refused(Path::Relay), now);
    }

    /// An event from the v1 client on this connection.
    pub(crate) fn emit(&mut self, from: ConnId, args: Args, call: Option<CallNo>, now: Instant) {
        let side = self.side_of(from);
        if let Some(kept) = &mut self.ends[side].kept {
            let call = call.map(|call| (call, now + V1_CALL_TIMEOUT));
            kept.backlog.push_back(Emit { args, call });
        }
    }

    /// The v1 client on this connection acknowledges an event.
    pub(crate) fn acknowledged(
        &mut self,
        from: ConnId,
        seq: u64,
        result: Result<Args, Refusal>,
        now: Instant,
    ) {
        let side = self.side_of(from);
        if let Some(kept) = &mut self.ends[side].kept
            && kept.awaited.remove(&seq).is_some()
        {
            kept.session.handle(Input::Finished(seq, result), now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let next = |kept: &Kept| {
            let waiting = kept.backlog.iter().find_map(|emit| emit.call).map(|(_, at)| at);
            let awaited = kept.awaited.values().min().copied();
            [kept.session.poll_timeout(), waiting, awaited].into_iter().flatten().min()
        };
        self.ends.iter().filter_map(|end| end.kept.as_ref().and_then(next)).min()
    }

    pub(crate) fn timeout(&mut self, now: Instant, acts: &mut VecDeque<Act>) {
        for End { conn, kept, .. } in &mut self.ends {
            let Some(kept) = kept else { continue };
            let due = |emit: &Emit| emit.call.is_some_and(|(_, deadline)| deadline <= now);
            while let Some(at) = kept.backlog.iter().position(due) {
                kept.give_up(at, *conn, Cause::Code(Code::Timeout), acts);
            }
            let late = kept.awaited.extract_if(.., |_, deadline| *deadline <= now);
            for (seq, _) in late.collect::<Vec<_>>() {
                kept.session.handle(Input::Finished(seq, Err(Code::Timeout.into())), now);
            }
            kept.session.handle(Input::Timeout, now);
        }
    }

    /// The pairing is over.
    pub(crate) fn end(mut self, reason: EndReason, now: Instant, acts: &mut VecDeque<Act>) {
        for End { conn, kept, .. } in &mut self.ends {
            let Some(kept) = kept else { continue };
            kept.session.handle(Input::Ended(reason), now);
            while let Some(output) = kept.session.poll_output() {
                if let Output::Resolved(call, outcome) = output {
                    acts.push_back(Act::Acknowledge(*conn, call as CallNo, outcome));
                }
            }
            while !kept.backlog.is_empty() {
                kept.give_up(0, *conn, Cause::Ended(reason), acts);
            }
        }
    }

    /// Carries out what the sessions say until they say nothing more.
    pub(crate) fn pump(&mut self, now: Instant, acts: &mut VecDeque<Act>, oracle: &mut Oracle) {
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for side in 0..2 {
                while let Some(output) = self.ends[side].kept.as_mut().and_then(|k| k.poll(now)) {
                    quiet = false;
                    self.carry_out(side, output, now, acts, oracle);
                }
            }
        }
    }

    fn carry_out(
        &mut self,
        side: usize,
        output: Output,
        now: Instant,
        acts: &mut VecDeque<Act>,
        oracle: &mut Oracle,
    ) {
        let pairing = self.pairing;
        let conn = self.ends[side].conn;
        match output {
            Output::Send(_, frame) => match &mut self.ends[1 - side] {
                End { kept: Some(kept), .. } => {
                    kept.session.handle(Input::Received(Path::Relay, frame), now);
                }
                End { conn, .. } => acts.push_back(Act::Bridge(*conn, pairing, frame)),
            },
            Output::Deliver(delivery) => {
                let seq = delivery.seq;
                if delivery.reply
                    && let Some(kept) = &mut self.ends[side].kept
                {
                    kept.awaited.insert(seq, now + V1_CALL_TIMEOUT);
                } else {
                    self.handle(side, Input::Finished(seq, Ok(Args::default())), now);
                }
                acts.push_back(Act::Emit(conn, pairing, delivery));
            }
            Output::Resolved(call, outcome) => {
                acts.push_back(Act::Acknowledge(conn, call as CallNo, outcome));
            }
            Output::Violation(violation) => {
                oracle.violate(Rule::Bounded, format!("a bridge complains: {violation}"));
            }
        }
    }
}

impl Kept {
    fn new() -> Self {
        let (backlog, awaited) = (VecDeque::new(), BTreeMap::new());
        Self { session: Session::of_v1_end(), backlog, awaited }
    }

    fn poll(&mut self, now: Instant) -> Option<Output> {
        while self.session.has_room()
            && let Some(Emit { args, call }) = self.backlog.pop_front()
        {
            let call = call.map(|(call, deadline)| (call as u64, deadline));
            let event = "call".to_owned();
            self.session.handle(Input::Emit { event, args, call, expires: None, via: None }, now);
        }
        self.session.poll_output()
    }

    fn give_up(&mut self, at: usize, conn: ConnId, cause: Cause, acts: &mut VecDeque<Act>) {
        if let Some(Emit { call: Some((call, _)), .. }) = self.backlog.remove(at) {
            acts.push_back(Act::Acknowledge(conn, call, Outcome::NotExecuted(cause)));
        }
    }
}
