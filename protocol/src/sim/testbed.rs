//! A scripted front of the simulator: a test says what happens, and nothing is random but what it asks
//! for.

mod reports;

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{
    Args, ClientConfig, ListPolicy, PairingId, ServerMessage,
    client::{Command, Input},
    peer::LinkEvent,
    session::{CallId, EmitOptions},
};

use crate::sim::{
    client::SimClient,
    oracle::{ClientNo, Rule},
    plan::Plan,
    report::Trace,
    script::{Delivered, Handling, Passing, Script},
    world::World,
};

/// The one-way delay of a connection, in microseconds.
const DELAY: u64 = 3_000;

/// The sides of a connection that notice its loss.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Noticed {
    /// Both at once.
    AtOnce,
    /// The server at once. The client does with [`Testbed::notice_loss`], or when its heartbeats miss
    /// the server.
    ByServer,
}

/// Clients, a server and a network in virtual time, under the control of a test.
///
/// A message to or from the server takes 3 ms, a message on a link 3 ms as well. A connection that is
/// lost is replaced after 100 ms. Every client consents to every pairing, and each event is handled by
/// returning its arguments, unless the test sets something else. The [`Oracle`](super::Oracle) watches.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use serde_json::json;
/// use socketio_p2p_protocol::{ClientConfig, Outcome, Path, client::Answer, sim::Testbed};
///
/// let mut testbed = Testbed::new();
/// let [a, b] = [(); 2].map(|()| testbed.connect(ClientConfig::default()));
/// testbed.pass(Duration::from_millis(20));
/// testbed.register(a, b);
/// testbed.pass(Duration::from_millis(300));
///
/// // The direct path survives the server.
/// testbed.stop_server(false);
/// testbed.pass(Duration::from_secs(30));
/// let call = testbed.call(a, "echo", vec![json!(1)]);
/// testbed.pass(Duration::from_millis(100));
///
/// let answer = testbed.answer(a, call);
/// assert!(matches!(answer, Some(Answer::Outcome(Outcome::Replied(_, Path::Direct)))));
/// ```
pub struct Testbed {
    world: World,
    tolerated: Vec<Rule>,
}

impl fmt::Debug for Testbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Testbed").field("script", &self.world.script).finish_non_exhaustive()
    }
}

impl Default for Testbed {
    fn default() -> Self {
        Self::new()
    }
}

impl Testbed {
    /// Returns a server without clients.
    #[must_use]
    pub fn new() -> Self {
        let plan = Plan {
            clients: 0,
            legacies: 0,
            hostiles: 0,
            delay: (DELAY, DELAY + 1),
            congestion: 0.0,
            long_absence: 0.0,
            restarts: 0.0,
            distant_grants: false,
            slow_consents: 0.0,
            paced: false,
            codec: true,
            direct: 1.0,
            direct_only: 0.0,
            slowness: 1,
            list: ListPolicy::All,
            one_way: false,
            ..Plan::new(1)
        };
        let mut world = World::empty(plan, Trace::of(100));
        world.script = Some(Box::default());
        world.stormy = false;
        world.direct.describes = 10..11;
        world.direct.opens = 5..6;
        Self { world, tolerated: Vec::new() }
    }

    /// Connects another client, and returns its number. It can be used once time has passed.
    pub fn connect(&mut self, config: ClientConfig) -> ClientNo {
        let number = self.world.clients.len();
        let mut client = SimClient::new(number);
        client.direct = config.direct.policy.allows_direct();
        client.config = config;
        self.world.clients.push(client);
        self.script().records.push(<_>::default());
        self.world.connect(number);
        self.world.serve();
        number
    }

    /// Lets time pass.
    ///
    /// # Panics
    ///
    /// If a rule is broken that was not tolerated. The last events are in the message.
    pub fn pass(&mut self, time: Duration) {
        self.world.run(time, |_| false);
        let breaches = self.world.oracle.breaches().iter();
        if let Some(breach) = breaches.into_iter().find(|b| !self.tolerated.contains(&b.rule)) {
            panic!("{:?} is broken: {}\n{}", breach.rule, breach.what, self.world.trace);
        }
    }

    /// Tolerates breaches of this rule, in a test that provokes them.
    pub fn tolerate(&mut self, rule: Rule) {
        self.tolerated.push(rule);
    }

    /// Returns the present time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.world.now
    }

    /// Sets how events are handled: by this function of the client and the event.
    pub fn handle_with(&mut self, handler: impl FnMut(ClientNo, &Delivered) -> Handling + 'static) {
        self.script().handler = Box::new(handler);
    }

    /// Has this function see, and change, each message to or from the server, and each text on a link.
    pub fn rewrite_with(&mut self, rewrite: impl FnMut(&mut Passing) + 'static) {
        self.script().rewrite = Some(Box::new(rewrite));
    }

    /// Sets whether a client consents to pairings from now on.
    pub fn set_consent(&mut self, client: ClientNo, consents: bool) {
        self.script().records[client].refuses = !consents;
    }

    /// Gives a client a command. `command` gets a number for it and the time 10 s from now.
    pub fn command(
        &mut self,
        client: ClientNo,
        command: impl FnOnce(CallId, Instant) -> Command,
    ) -> CallId {
        let call = self.world.clients[client].next_request();
        let deadline = self.world.now + Duration::from_secs(10);
        self.world.command(client, command(call, deadline));
        self.world.serve();
        call
    }

    /// Registers a target.
    pub fn register(&mut self, client: ClientNo, target: ClientNo) -> CallId {
        let id = SimClient::new(target).name.parse().expect("a name is an id");
        let call = self.world.clients[client].last_request + 1;
        self.world.clients[client].wanted.insert(call, target);
        self.command(client, |call, deadline| Command::Register {
            call,
            target: id,
            payload: None,
            consent_time: None,
            wait: None,
            deadline: Some(deadline),
        })
    }

    /// Ends the pairing of a client.
    pub fn unregister(&mut self, client: ClientNo) -> CallId {
        self.command(client, |call, deadline| Command::Unregister { call, deadline })
    }

    /// Closes a client, for good.
    pub fn close(&mut self, client: ClientNo) {
        self.world.clients[client].dismissed = true;
        self.command(client, |_, _| Command::Close);
    }

    /// Emits an event, and waits up to 10 s for a reply.
    pub fn call(&mut self, client: ClientNo, event: &str, args: impl Into<Args>) -> CallId {
        let reply_by = Some(self.world.now + Duration::from_secs(10));
        self.emit(client, event, args, EmitOptions { reply_by, ..EmitOptions::default() })
    }

    /// Emits an event to the present partner. If the client does not take emits, this one waits.
    pub fn emit(
        &mut self,
        client: ClientNo,
        event: &str,
        args: impl Into<Args>,
        options: EmitOptions,
    ) -> CallId {
        let pairing = self.pairing(client).unwrap_or(PairingId::new(0, 0));
        self.emit_in(client, pairing, event, args, options)
    }

    /// Emits an event to the partner of this pairing.
    pub fn emit_in(
        &mut self,
        client: ClientNo,
        pairing: PairingId,
        event: &str,
        args: impl Into<Args>,
        options: EmitOptions,
    ) -> CallId {
        let call = self.world.emit_scripted(client, pairing, event, args.into(), options);
        self.flush(client);
        call
    }

    /// Makes several calls in one turn of a client.
    pub fn call_together(&mut self, client: ClientNo, event: &str, all: Vec<Args>) -> Vec<CallId> {
        let pairing = self.pairing(client).unwrap_or(PairingId::new(0, 0));
        let reply_by = Some(self.world.now + Duration::from_secs(10));
        let options = EmitOptions { reply_by, ..EmitOptions::default() };
        let calls = all
            .into_iter()
            .map(|args| self.world.emit_scripted(client, pairing, event, args, options));
        let calls = calls.collect();
        self.flush(client);
        calls
    }

    fn flush(&mut self, client: ClientNo) {
        self.world.feed(client, Input::Timeout);
        self.world.serve();
    }

    /// Gives the result of a handler that returned [`Handling::Later`].
    pub fn finish(&mut self, client: ClientNo, delivered: &Delivered, args: impl Into<Args>) {
        let input = Input::Finished(delivered.pairing, delivered.seq, Ok(args.into()));
        self.world.feed(client, input);
        self.world.serve();
    }

    /// Forgets a call.
    pub fn cancel(&mut self, client: ClientNo, call: CallId) {
        self.world.oracle.forgotten(call as usize);
        self.command(client, |_, _| Command::Cancel(call));
    }

    /// Cuts the connection of a client. What is under way on it is lost.
    pub fn lose(&mut self, client: ClientNo, noticed: Noticed) {
        self.world.lose(client);
        if noticed == Noticed::AtOnce {
            self.notice_loss(client);
        }
    }

    /// Lets a client notice that its connection is lost.
    pub fn notice_loss(&mut self, client: ClientNo) {
        self.world.feed(client, Input::Lost);
        self.world.serve();
    }

    /// Stops the server, with or without a goodbye. It forgets everything.
    pub fn stop_server(&mut self, goodbye: bool) {
        if !self.world.is_down() {
            self.world.stop(goodbye);
            self.world.serve();
            self.block_server();
        }
    }

    /// Makes the server unreachable for new connections. It forgets nothing.
    pub fn block_server(&mut self) {
        self.world.down_until = Some(self.world.now + Duration::from_secs(1 << 32));
    }

    /// Starts the server again, or makes it reachable.
    pub const fn start_server(&mut self) {
        self.world.down_until = None;
    }

    /// Has the server refuse the next messages with frames, so many of them, as congested.
    pub fn refuse_frames(&mut self, count: usize) {
        self.script().congested = count;
    }

    /// Sends a message of the server.
    pub fn tell(&mut self, client: ClientNo, message: ServerMessage) {
        if let Some(conn) = self.world.clients[client].conn {
            self.world.tell(conn, message);
        }
    }

    /// Cuts the way between two clients. What is sent on their link arrives when it is whole again.
    pub fn cut_link(&mut self, a: ClientNo, b: ClientNo) {
        self.world.direct.cut(a, b);
    }

    /// Ends [`Self::cut_link`].
    pub fn join_link(&mut self, a: ClientNo, b: ClientNo) {
        self.world.join_clients(a, b);
    }

    /// Makes messages between two clients take that much longer, for an hour.
    pub fn slow_link(&mut self, a: ClientNo, b: ClientNo, by: Duration) {
        let until = self.world.now + Duration::from_secs(3_600);
        self.world.direct.slow_down(a, b, until, by);
    }

    /// Ends the link of a client, which notices it. Its partner notices it soon after, or not at all.
    pub fn close_link(&mut self, client: ClientNo, partner_notices: bool) {
        let Some(link) = self.links(client).pop() else { return };
        if !partner_notices {
            self.world.direct.abandon((client, link));
        }
        self.world.feed(client, Input::Link(link, LinkEvent::Closed));
        self.world.serve();
    }

    /// Gives a client other addresses. Its application reports the change to the client if `reported` is set.
    pub fn roam(&mut self, client: ClientNo, reported: bool) {
        self.world.direct.roam(client);
        if reported {
            self.command(client, |_, _| Command::NetworkChanged);
        }
    }

    fn script(&mut self) -> &mut Script {
        self.world.script.as_mut().expect("a testbed has a script")
    }
}
