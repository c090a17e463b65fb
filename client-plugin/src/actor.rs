//! The one task that owns a client's endpoint: it waits, feeds it, and carries out what it says.

pub(crate) mod claim;
pub(crate) mod coarse_timer;
pub(crate) mod handlers;
pub(crate) mod start;

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Weak},
    time::Instant,
};

use futures_util::FutureExt as _;
use socketio_p2p_protocol::{
    ClientId, Code, Endpoint, EndpointEvent, PairingId, PairingInfo,
    endpoint::{Answer, Command, Complaint, Input, Output},
    frame::batch_from_value,
    limits::INBOX_REQUESTS,
    session::{CallId, Delivery},
    signal,
    wire::{self, FRAME, SIGNAL},
};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    actor::claim::Ticket,
    actor::coarse_timer::Alarm,
    actor::handlers::{Finished, Handlers, Job},
    actor::start::refusal_code,
    api::client::{P2pClient, Shared},
    api::incoming::{Consent, Incoming, PairingRequest},
    partner::Links,
    server::connector::Connector,
    server::socket::{FromServer, Link, Lost, Socket},
};

/// Inputs taken in one go, so that what they cause can travel together.
const BURST: usize = 128;

/// Decisions about registrations that may be under way at once: what the server lets wait, and
/// some that outlived their request.
const CONSENTS: usize = 4 * INBOX_REQUESTS;

/// A command, and who waits for its answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) command: Command,
    pub(crate) answer: Option<(CallId, oneshot::Sender<Answer>)>,
    /// For an emit: whether its caller still wants it sent.
    pub(crate) ticket: Option<Arc<Ticket>>,
}

impl Asked {
    /// Nobody waits for an answer.
    pub(crate) const fn notice(command: Command) -> Self {
        Self { command, answer: None, ticket: None }
    }
}

#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) endpoint: Endpoint,
    pub(crate) connector: Connector,
    /// The present connection; none while another is being made.
    pub(crate) link: Option<Link>,
    /// The connections to the partner.
    pub(crate) links: Links,
    /// The present client of rust_socketio, or the last.
    pub(crate) socket: watch::Sender<Socket>,
    pub(crate) commands: mpsc::Receiver<Asked>,
    /// Apart, for they wait while the window is full.
    pub(crate) emits: mpsc::Receiver<Asked>,
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) finished: mpsc::Receiver<Finished>,
    pub(crate) handlers: Arc<Handlers>,
    /// Decisions about registrations that are being made.
    pub(crate) consents: JoinSet<Input>,
    pub(crate) answers: HashMap<CallId, oneshot::Sender<Answer>>,
    pub(crate) events: broadcast::Sender<EndpointEvent>,
    pub(crate) pairing: watch::Sender<Option<PairingInfo>>,
    /// The handles; weak, for the last one ends the actor.
    pub(crate) handles: Weak<Shared>,
    pub(crate) alarm: Alarm,
    pub(crate) stop: CancellationToken,
    /// Whether rust_socketio's own reconnect waits at its gate.
    pub(crate) at_gate: bool,
}

/// The actor is done.
struct Done;

impl Actor {
    pub(crate) async fn run(mut self) {
        // What the welcome brought.
        let mut going = self.carry_out().await;
        while let Ok(()) = going {
            going = self.turn().await;
        }
        self.endpoint.handle(Input::Command(Command::Close), Instant::now());
        self.carry_out().await.ok();
        self.consents.shutdown().await;
        self.links.shutdown().await;
        let socket = self.socket.borrow().clone();
        // The gate of rust_socketio's own reconnect goes with it.
        drop(self.connector);
        socket.disconnect().await;
    }

    /// Waits for something to happen, takes what else is there, and carries out what follows.
    async fn turn(&mut self) -> Result<(), Done> {
        self.alarm.set(self.endpoint.poll_timeout());
        let input = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(Done),
            event = next_event(&mut self.link) => self.read(event),
            input = self.links.happened() => Some(input),
            Some((pairing, seq, result)) = self.finished.recv() => {
                Some(Input::Finished(pairing, seq, result))
            }
            Some(Ok(decision)) = self.consents.join_next() => Some(decision),
            link = self.connector.attempted() => Some(self.attempted(link)),
            Some(asked) = self.commands.recv() => self.accept(asked),
            Some(asked) = self.emits.recv(), if self.endpoint.takes_emits() => self.accept(asked),
            () = self.alarm.ring() => Some(Input::Timeout),
        };
        let now = Instant::now();
        if let Some(input) = input {
            self.endpoint.handle(input, now);
        }
        for _ in 1..BURST {
            let Some(input) = self.next_at_hand() else {
                break;
            };
            self.endpoint.handle(input, now);
        }
        self.be_fair(now);
        self.carry_out().await
    }

    /// However much comes in from the server and the partner: what the application wants, and what is
    /// due, has its turn.
    fn be_fair(&mut self, now: Instant) {
        if let Ok(asked) = self.commands.try_recv()
            && let Some(input) = self.accept(asked)
        {
            self.endpoint.handle(input, now);
        }
        if let Ok((pairing, seq, result)) = self.finished.try_recv() {
            self.endpoint.handle(Input::Finished(pairing, seq, result), now);
        }
        if self.endpoint.takes_emits()
            && let Ok(asked) = self.emits.try_recv()
            && let Some(input) = self.accept(asked)
        {
            self.endpoint.handle(input, now);
        }
        if let Some(Ok(decision)) = self.consents.try_join_next() {
            self.endpoint.handle(decision, now);
        }
        if let Some(link) = self.connector.attempted().now_or_never() {
            let input = self.attempted(link);
            self.endpoint.handle(input, now);
        }
        if self.endpoint.poll_timeout().is_some_and(|due| due <= now) {
            self.endpoint.handle(Input::Timeout, now);
        }
    }

    /// Something more that can be taken without waiting.
    fn next_at_hand(&mut self) -> Option<Input> {
        loop {
            if let Some(Ok(event)) = self.link.as_mut().map(|link| link.received.try_recv()) {
                if let Some(input) = self.read(event) {
                    return Some(input);
                }
                continue;
            }
            if let Some(input) = self.links.at_hand() {
                return Some(input);
            }
            if let Ok((pairing, seq, result)) = self.finished.try_recv() {
                return Some(Input::Finished(pairing, seq, result));
            }
            if !self.endpoint.takes_emits() {
                return None;
            }
            let asked = self.emits.try_recv().ok()?;
            if let Some(input) = self.accept(asked) {
                return Some(input);
            }
        }
    }

    /// What an event means to the endpoint.
    fn read(&mut self, event: FromServer) -> Option<Input> {
        match event {
            FromServer::Event(FRAME, mut args) => {
                let frames = args.pop();
                let pairing = args.pop().and_then(|id| serde_json::from_value(id).ok());
                match (pairing, frames.map(batch_from_value)) {
                    (Some(pairing), Some(Ok(frames))) => Some(Input::Frames(pairing, frames)),
                    _ => Some(Input::Garbled(Code::BadArgs.into())),
                }
            }
            FromServer::Event(SIGNAL, args) => Some(match signal::from_args(args) {
                Ok((pairing, signal)) => Input::Signalled(pairing, signal),
                Err(error) => Input::Garbled(error),
            }),
            FromServer::Event(event, args) => Some(match wire::server_message(event, args) {
                Ok(message) => Input::Received(message),
                Err(error) => Input::Garbled(error),
            }),
            FromServer::Closed => Some(Input::Lost),
            FromServer::AtGate => {
                self.at_gate = true;
                Some(Input::Lost)
            }
            FromServer::Refused(message) => Some(Input::Rejected(refusal_code(&message))),
            FromServer::Failed(message) => {
                // Not always the end: if it is, writing fails, or nothing is heard any more.
                tracing::debug!(message, "rust_socketio reports an error");
                Some(Input::Suspected)
            }
        }
    }

    /// There is another connection, or another attempt is to be made.
    fn attempted(&mut self, link: Option<Link>) -> Input {
        let Some(link) = link else {
            return Input::Rejected(Code::Offline);
        };
        self.at_gate = false;
        self.socket.send_replace(link.socket.clone());
        self.link = Some(link);
        Input::Opened
    }

    /// Notes who waits for a command's answer; none if nobody wants it any more.
    fn accept(&mut self, asked: Asked) -> Option<Input> {
        let Asked { command, answer, ticket } = asked;
        if ticket.is_some_and(|ticket| !ticket.take()) {
            return None;
        }
        if let Some((call, answer)) = answer {
            self.answers.insert(call, answer);
        }
        if let Command::Cancel(call) = command {
            self.answers.remove(&call);
        }
        Some(Input::Command(command))
    }

    async fn carry_out(&mut self) -> Result<(), Done> {
        let mut lost = false;
        while let Some(output) = self.endpoint.poll_output() {
            let sent = match output {
                // Each would wait for its own deadline.
                Output::Send(_) | Output::SendFrames(..) | Output::Signal(..) if lost => Ok(()),
                Output::Send(message) => match (message.to_event(), &self.link) {
                    (Some((event, args)), Some(link)) => link.socket.send(event, args).await,
                    _ => Ok(()),
                },
                Output::Signal(pairing, signal) => match &self.link {
                    Some(link) => {
                        let (event, args) = signal.to_event(pairing);
                        link.socket.send(event, args).await
                    }
                    None => Ok(()),
                },
                Output::Link(link, command) => {
                    if let Some(event) = self.links.carry_out(link, command) {
                        self.endpoint.handle(Input::Link(link, event), Instant::now());
                    }
                    Ok(())
                }
                Output::SendFrames(pairing, frames) => match &self.link {
                    Some(link) => link.socket.send_frames(pairing, &frames).await,
                    None => Ok(()),
                },
                Output::Reconnect { resume } => {
                    lost = false;
                    let old = self.link.take();
                    self.connector.replace(old, self.at_gate, resume);
                    Ok(())
                }
                Output::Answered(call, answer) => {
                    if let Some(waiting) = self.answers.remove(&call) {
                        waiting.send(answer).ok(); // Or it no longer waits.
                    }
                    Ok(())
                }
                Output::Ask { req, source, payload } => {
                    self.ask(req, PairingRequest { source, payload });
                    Ok(())
                }
                Output::Deliver(pairing, from, delivery) => {
                    self.deliver(pairing, from, delivery);
                    Ok(())
                }
                Output::Event(event) => {
                    self.publish(event);
                    Ok(())
                }
                Output::Complain(complaint) => {
                    match complaint {
                        // As often as the partner likes.
                        Complaint::Partner(violation) => tracing::debug!(%violation),
                        Complaint::Server(refusal) => tracing::warn!(%refusal, "server"),
                        Complaint::Direct(error) => {
                            tracing::warn!(error, "the partner's message cannot be read");
                        }
                        Complaint::Signal(error) => tracing::debug!(%error, "signal left out"),
                    }
                    Ok(())
                }
                Output::Close => return Err(Done),
            };
            if let Err(Lost) = sent {
                lost = true;
                self.endpoint.handle(Input::Lost, Instant::now());
            }
        }
        Ok(())
    }

    fn ask(&mut self, req: u64, request: PairingRequest) {
        let Some(decide) = self.handlers.consent() else {
            return self.endpoint.handle(Input::Answer(req, Ok(())), Instant::now());
        };
        if self.consents.len() >= CONSENTS {
            let busy = Some("too many requests wait for a decision".to_owned());
            return self.endpoint.handle(Input::Answer(req, Err(busy)), Instant::now());
        }
        self.consents.spawn(async move {
            // A decision that panics is none: no.
            match AssertUnwindSafe(async { decide(request).await }).catch_unwind().await {
                Ok(Consent::Accept) => Input::Answer(req, Ok(())),
                Ok(Consent::Decline(reason)) => Input::Answer(req, Err(reason)),
                Err(_) => Input::Answer(req, Err(None)),
            }
        });
    }

    fn deliver(&mut self, pairing: PairingId, from: ClientId, delivery: Delivery) {
        let seq = delivery.seq;
        let refused = match self.handles.upgrade() {
            Some(shared) => {
                let incoming = Incoming {
                    client: P2pClient { shared },
                    pairing,
                    from,
                    event: delivery.event,
                    args: delivery.args,
                    wants_reply: delivery.reply,
                };
                self.jobs.try_send(Job { pairing, seq, incoming }).is_err()
            }
            None => true,
        };
        if refused {
            let result = Err(Code::Congested.into());
            self.endpoint.handle(Input::Finished(pairing, seq, result), Instant::now());
        }
    }

    fn publish(&mut self, event: EndpointEvent) {
        match &event {
            EndpointEvent::Away => tracing::info!("connection lost"),
            EndpointEvent::Resumed(_) | EndpointEvent::Restarted(_) => {
                self.connector.welcomed();
                tracing::info!(?event, "connected again");
            }
            EndpointEvent::Paired(info) => {
                tracing::info!(partner = %info.partner, pairing = %info.id, "paired");
                self.pairing.send_replace(Some(info.clone()));
            }
            EndpointEvent::Path { path, rtt } => {
                tracing::info!(?path, ?rtt, "path");
            }
            EndpointEvent::Reasserted(info) => {
                tracing::info!(pairing = %info.id, "the server knows the pairing again");
                self.pairing.send_replace(Some(info.clone()));
            }
            EndpointEvent::Unpaired { pairing, reason } => {
                tracing::info!(partner = %pairing.partner, pairing = %pairing.id, %reason, "unpaired");
                self.pairing.send_replace(None);
            }
            _ => {}
        }
        self.events.send(event).ok(); // Nobody need listen.
    }
}

/// What comes next on the present connection; for ever nothing without one. Cancel safe.
async fn next_event(link: &mut Option<Link>) -> FromServer {
    if let Some(link) = link
        && let Some(event) = link.received.recv().await
    {
        return event;
    }
    std::future::pending().await
}
