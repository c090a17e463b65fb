//! The session that the server keeps for a v1 end.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::json;
use socketio_p2p_protocol::{
    Args, Body, Code, Dialect, EndReason, Frame, Outcome, Path, Presence, Session,
    limits::{ACK_DELAY, PENDING_CALLS, RETRY_DELAY},
    peer::v1::{Bridge, Input, Output, Side},
    relay::SendFailure,
    session::{self, EmitOptions, Violation},
};

/// Arguments with so many blobs.
fn blobs(count: usize) -> Args {
    let places: Vec<_> =
        (0..count).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
    let blobs = vec![Bytes::from_static(b"blob"); count];
    Args::from_text(format!("[{}]", places.join(",")), blobs).unwrap()
}

/// Returns the outputs of a bridge between a v1 and a v2 end after the v2 end emitted.
fn emitted_by_v2(args: Args) -> Vec<(Side, Output)> {
    let now = Instant::now();
    let mut bridge = Bridge::new([Dialect::V1, Dialect::V2], now);
    let body = Body::Emit { event: "ask".to_owned(), args, wants_reply: true };
    let frame = Frame { seq: 1, ack: 0, got: 0, ttl: None, body: Arc::new(body) };
    bridge.receive(Side::Second, vec![frame], now);
    std::iter::from_fn(|| bridge.poll_output()).collect()
}

#[test]
fn more_attachments_than_a_v1_client_takes_are_not_executed() {
    let few = emitted_by_v2(blobs(10));
    assert!(matches!(few[..], [(Side::First, Output::Emit(_))]), "{few:?}");

    let many = emitted_by_v2(blobs(11));
    let replies: Vec<_> = many
        .iter()
        .filter_map(|(_, output)| match output {
            Output::Send(frame) => match &*frame.body {
                Body::Reply { to, result } => Some((*to, result.as_ref().err().map(|r| r.code))),
                _ => None,
            },
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(replies, [(1, Some(Code::BadArgs))]);
}

/// The frames of a later version: without a number, with one, and in parts.
#[test]
fn frames_of_unknown_kinds_are_reported_at_a_v1_end_and_a_later_call_is_answered() {
    let now = Instant::now();
    let mut bridge = Bridge::new([Dialect::V1, Dialect::V2], now);
    let frames = [
        r#"{"k":0,"t":"hint","of":"load"}"#,
        r#"{"s":1,"k":0,"t":"stream","e":{"id":7}}"#,
        r#"{"s":2,"k":0,"t":"part","d":"{\"t\":\"stre"}"#,
        r#"{"s":3,"k":0,"t":"part","d":"am\",\"e\":7}","z":true}"#,
        r#"{"s":4,"k":0,"t":"emit","e":"ask","r":true,"a":["now"]}"#,
    ];
    let frames = frames.map(|frame| Frame::from_text(frame).unwrap());

    bridge.receive(Side::Second, frames.into(), now);

    let mut outputs = std::iter::from_fn(|| bridge.poll_output()).map(|(_, output)| output);
    for _ in 0..3 {
        assert!(matches!(outputs.next(), Some(Output::Complain(Violation::Unknown))));
    }
    let Some(Output::Emit(call)) = outputs.next() else { panic!("no call") };
    assert!(outputs.next().is_none());
    assert_eq!((call.seq, &*call.event, call.wants_reply), (4, "ask", true));
    bridge.handle(Side::First, Input::Emitted(call, Ok(())), now);
    let here = Args::from(vec![json!("here")]);
    bridge.handle(Side::First, Input::Acknowledged(4, Ok(here.clone())), now);
    let Some((_, Output::Send(reply))) = bridge.poll_output() else { panic!("no reply") };
    assert_eq!(*reply.body, Body::Reply { to: 4, result: Ok(here) });
    assert_eq!((reply.ack, reply.got), (4, 4));
}

/// A v1 client that never acknowledges, and the session of its v2 partner.
struct Silent {
    bridge: Bridge,
    session: Session,
    now: Instant,
    /// The first arguments of the events that the client got.
    got: Vec<u64>,
    /// Events whose acknowledgements the server waits for, and the most of them at a time.
    awaited: BTreeSet<u64>,
    most: usize,
}

impl Silent {
    fn new() -> Self {
        let now = Instant::now();
        let mut session = Session::with_v1_partner();
        session.handle(session::Input::Opened(Path::Relay), now);
        let bridge = Bridge::new([Dialect::V1, Dialect::V2], now);
        Self { bridge, session, now, got: Vec::new(), awaited: BTreeSet::new(), most: 0 }
    }

    fn emit(&mut self, number: u64, patience: Option<Duration>) {
        assert!(self.session.has_room(), "{number} would wait");
        let args = vec![json!(number)].into();
        let reply_by = patience.map(|patience| self.now + patience);
        let options = EmitOptions { reply_by, ..EmitOptions::default() };
        let event = "note".to_owned();
        let input = session::Input::Emit { call: number, event, args, options };
        self.session.handle(input, self.now);
        self.exchange();
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.handle(session::Input::Timeout, self.now);
        self.bridge.timeout(self.now);
        self.exchange();
    }

    fn exchange(&mut self) {
        let mut is_quiet = false;
        while !is_quiet {
            is_quiet = true;
            while let Some(output) = self.session.poll_output() {
                is_quiet = false;
                if let session::Output::Send(_, frame) = output {
                    self.bridge.receive(Side::Second, vec![frame], self.now);
                }
            }
            while let Some((side, output)) = self.bridge.poll_output() {
                is_quiet = false;
                match output {
                    Output::Send(frame) => {
                        self.session.handle(session::Input::Received(Path::Relay, frame), self.now);
                    }
                    Output::Emit(delivery) => {
                        let args: Vec<u64> = delivery.args.parse().unwrap();
                        self.got.extend(args);
                        if delivery.wants_reply {
                            self.awaited.insert(delivery.seq);
                        }
                        self.most = self.most.max(self.awaited.len());
                        self.bridge.handle(side, Input::Emitted(delivery, Ok(())), self.now);
                    }
                    Output::Abandoned(seq) => assert!(self.awaited.remove(&seq)),
                    output => panic!("{output:?}"),
                }
            }
        }
    }
}

#[test]
fn a_v1_client_that_never_acknowledges_gets_every_call_and_every_emit_beside() {
    let mut silent = Silent::new();
    let second = Some(Duration::from_secs(1));

    // 20 times a second, for a minute.
    let numbers = 0..20 * 60 * 2;
    for number in numbers.clone().step_by(2) {
        silent.emit(number, second);
        silent.emit(number + 1, None);
        silent.pass(Duration::from_millis(50));
    }

    assert_eq!(silent.got, numbers.collect::<Vec<_>>());
    assert!(silent.most <= 21, "{} acknowledgements are awaited at a time", silent.most);
}

#[test]
fn callers_without_patience_do_not_make_the_server_wait_for_more_acknowledgements() {
    let mut silent = Silent::new();

    for number in 0..10_000 {
        silent.emit(number, Some(Duration::from_millis(1)));
        if number % 200 == 199 {
            silent.pass(Duration::from_millis(1));
        }
    }

    assert_eq!(silent.got.len(), 10_000);
    assert!(silent.most <= PENDING_CALLS && silent.awaited.is_empty());
}

/// Two v1 clients that call each other in one loop and answer each call. The server reads what a client sends in
/// order, and nothing while its end is full.
struct Bursting {
    bridge: Bridge,
    now: Instant,
    /// What each client has sent and the server has not read: calls, then answers to events.
    unread: [VecDeque<Sent>; 2],
    answered: [usize; 2],
}

enum Sent {
    Call(u64),
    Answer(u64),
}

impl Bursting {
    fn new(calls: u64) -> Self {
        let now = Instant::now();
        let bridge = Bridge::new([Dialect::V1, Dialect::V1], now);
        let unread = [(); 2].map(|()| (1..=calls).map(Sent::Call).collect());
        Self { bridge, now, unread, answered: [0; 2] }
    }

    /// Reads what may be read, until nothing may be.
    fn run(&mut self) {
        let mut is_quiet = false;
        while !is_quiet {
            is_quiet = true;
            for side in Side::BOTH {
                if !self.bridge.is_full(side)
                    && let Some(sent) = self.unread[side as usize].pop_front()
                {
                    self.read(side, sent);
                    is_quiet = false;
                }
            }
        }
    }

    fn read(&mut self, side: Side, sent: Sent) {
        match sent {
            Sent::Call(id) => {
                let args = vec![json!("x".repeat(200))].into();
                self.bridge.emit(side, "ask".into(), args, Some(id), self.now).unwrap();
            }
            Sent::Answer(seq) => {
                let answer = Ok(vec![json!("answer")].into());
                self.bridge.handle(side, Input::Acknowledged(seq, answer), self.now);
            }
        }
        while let Some((side, output)) = self.bridge.poll_output() {
            match output {
                Output::Emit(delivery) => {
                    self.unread[side as usize].push_back(Sent::Answer(delivery.seq));
                    self.bridge.handle(side, Input::Emitted(delivery, Ok(())), self.now);
                }
                Output::Acknowledge(_, Outcome::Replied(..)) => self.answered[side as usize] += 1,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn two_v1_clients_that_call_each_other_in_one_loop_are_both_read_on() {
    let mut clients = Bursting::new(5_000);

    clients.run();

    assert_eq!(clients.answered, [5_000; 2]);
}

#[test]
fn a_v1_end_is_unconfirmed_until_its_partner_has_all_that_it_emitted() {
    let mut now = Instant::now();
    let mut bridge = Bridge::new([Dialect::V1, Dialect::V1], now);
    for number in 0..1_000 {
        let args = vec![json!(number)].into();
        bridge.emit(Side::First, "note".to_owned(), args, None, now).unwrap();
    }
    while let Some((side, output)) = bridge.poll_output() {
        let Output::Emit(delivery) = output else { panic!("{output:?}") };
        bridge.handle(side, Input::Emitted(delivery, Err(SendFailure::Full)), now);
    }
    bridge.leave(Side::First);
    assert!(bridge.is_unconfirmed(Side::First) && !bridge.is_unconfirmed(Side::Second));
    let late = bridge.emit(Side::First, "note".to_owned(), Args::default(), None, now);
    assert_eq!(late, Err(Code::NotPaired));

    let (mut got, mut has_room) = (0_u64, false);
    while bridge.is_unconfirmed(Side::First) {
        let Some((side, output)) = bridge.poll_output() else {
            now += RETRY_DELAY;
            bridge.timeout(now);
            continue;
        };
        let Output::Emit(delivery) = output else { panic!("{output:?}") };
        assert_eq!(delivery.args.parse::<(u64,)>().unwrap(), (got,));
        // Its queue has room for one at a time.
        has_room = !has_room;
        let sent = if has_room { Ok(()) } else { Err(SendFailure::Full) };
        got += u64::from(sent.is_ok());
        bridge.handle(side, Input::Emitted(delivery, sent), now);
    }

    assert_eq!(got, 1_000);
}

#[test]
fn a_call_that_is_not_answered_does_not_keep_its_v1_end_unconfirmed() {
    let now = Instant::now();
    let mut bridge = Bridge::new([Dialect::V1, Dialect::V1], now);
    for (number, ack) in [(1, Some(1)), (2, None)] {
        let args = vec![json!(number)].into();
        bridge.emit(Side::First, "note".to_owned(), args, ack, now).unwrap();
    }
    assert!(bridge.is_unconfirmed(Side::First));

    while let Some((side, output)) = bridge.poll_output() {
        let Output::Emit(delivery) = output else { panic!("{output:?}") };
        bridge.handle(side, Input::Emitted(delivery, Ok(())), now);
    }
    // An acknowledgement of frames waits for company, for a moment.
    bridge.timeout(now + ACK_DELAY);

    assert!(!bridge.is_unconfirmed(Side::First));
}

#[test]
fn a_v2_partner_that_is_away_has_not_taken_what_was_emitted() {
    let now = Instant::now();
    let mut bridge = Bridge::new([Dialect::V1, Dialect::V2], now);
    bridge.handle(Side::First, Input::Partner(Presence::Away), now);
    assert!(!bridge.is_unconfirmed(Side::First));

    bridge.emit(Side::First, "note".to_owned(), Args::default(), None, now).unwrap();

    assert!(bridge.is_unconfirmed(Side::First));
}

#[test]
fn the_answers_of_a_v1_client_to_a_partner_that_calls_all_the_time_need_no_confirmation() {
    let mut answering = Silent::new();
    answering.emit(1, Some(Duration::from_secs(1)));
    let seq = answering.awaited.pop_first().unwrap();

    let now = answering.now;
    answering.bridge.handle(Side::First, Input::Acknowledged(seq, Ok(Args::default())), now);

    assert!(!answering.bridge.is_unconfirmed(Side::First));
}

#[test]
fn a_client_that_leaves_is_told_if_its_partner_does_not_get_everything() {
    for (is_leaving, takes, told) in [(true, false, 1), (true, true, 0), (false, false, 0)] {
        let now = Instant::now();
        let mut bridge = Bridge::new([Dialect::V1, Dialect::V1], now);
        bridge.emit(Side::First, "note".to_owned(), Args::default(), None, now).unwrap();
        let sent = if takes { Ok(()) } else { Err(SendFailure::Full) };
        while let Some((side, output)) = bridge.poll_output() {
            let Output::Emit(delivery) = output else { panic!("{output:?}") };
            bridge.handle(side, Input::Emitted(delivery, sent), now);
        }
        bridge.timeout(now + ACK_DELAY / 2);
        if is_leaving {
            bridge.leave(Side::First);
        }

        let later = now + ACK_DELAY;
        if takes {
            bridge.timeout(later);
        }
        bridge.ended(EndReason::Disconnected, later);

        let outputs = std::iter::from_fn(|| bridge.poll_output());
        let undelivered = outputs.filter(|(_, output)| matches!(output, Output::Undelivered));
        assert_eq!(undelivered.map(|(side, _)| side).collect::<Vec<_>>(), vec![Side::First; told]);
    }
}

/// A host of a bridge between a v1 and a v2 end, which sets its timer only for what may be sooner.
struct Timed {
    bridge: Bridge,
    now: Instant,
    armed: Option<Instant>,
    has_room: bool,
    seq: u64,
    awaited: Vec<u64>,
}

impl Timed {
    fn step(&mut self, choice: u64) {
        let now = self.now;
        match choice {
            0..4 => _ = self.bridge.emit(Side::First, "e".into(), Args::default(), Some(1), now),
            4 => _ = self.bridge.emit(Side::First, "e".into(), Args::default(), None, now),
            5..8 => {
                self.seq += 1;
                let wants_reply = choice == 5;
                let body = Body::Emit { event: "e".into(), args: Args::default(), wants_reply };
                let body = Arc::new(body);
                let frame = Frame { seq: self.seq, ack: self.seq / 2, got: 0, ttl: None, body };
                self.bridge.receive(Side::Second, vec![frame], now);
            }
            8 => self.bridge.handle(Side::First, Input::Refused, now),
            9 => self.has_room = !self.has_room,
            10..13 => {
                if let Some(seq) = self.awaited.pop() {
                    let ack = Ok(Args::default());
                    self.bridge.handle(Side::First, Input::Acknowledged(seq, ack), now);
                }
            }
            13 => self.now += Duration::from_secs(1),
            _ => self.now += Duration::from_millis(choice - 10),
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some((side, output)) = self.bridge.poll_output() {
            if let Output::Emit(delivery) = output {
                let sent = if self.has_room { Ok(()) } else { Err(SendFailure::Full) };
                if self.has_room && delivery.wants_reply {
                    self.awaited.push(delivery.seq);
                }
                self.bridge.handle(side, Input::Emitted(delivery, sent), self.now);
            }
        }
        let sooner = self.bridge.poll_timeout_before(self.armed, self.now);
        self.armed = sooner.or(self.armed);
        if self.armed.is_some_and(|at| at <= self.now) {
            self.armed = None;
            self.bridge.timeout(self.now);
            self.carry_out();
        }
    }
}

#[test]
fn a_host_that_asks_for_nearer_deadlines_only_misses_none() {
    for seed in 1..40_u64 {
        let (bridge, now) =
            (Bridge::new([Dialect::V1, Dialect::V2], Instant::now()), Instant::now());
        let mut host =
            Timed { bridge, now, armed: None, has_room: true, seq: 0, awaited: Vec::new() };
        let mut random = seed;

        for step in 0..2_000 {
            // A linear congruential generator.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            host.step((random >> 33) % 30);

            let next = host.bridge.poll_timeout();
            assert!(next.is_none() || host.armed <= next && host.armed.is_some(), "{seed} {step}");
        }
    }
}
