//! The one task that owns a client's half of the protocol: it waits for inputs, feeds them to the client, and
//! carries out the client's outputs.
//!
//! | file | subject |
//! |---|---|
//! | `start` | the first connection, up to the welcome, then the tasks |
//! | `command` | the application's commands, and the callers that wait for an answer |
//! | `emit_queue` | emits that wait for the actor, in the order of their first polls |
//! | `handler_tasks` | running the application's handlers |
//! | `consents` | the application's decisions about pairing requests |
//! | `observers` | readers of events, and the present pairing |
//! | `rooms` | the rooms of the client as its handles show them |
//! | `coarse_timer` | the timer for the client's deadlines |

pub(crate) mod coarse_timer;
pub(crate) mod command;
pub(crate) mod consents;
pub(crate) mod emit_queue;
pub(crate) mod handler_tasks;
pub(crate) mod observers;
pub(crate) mod rooms;
pub(crate) mod start;

use std::{sync::Arc, time::Instant};

use socketio_p2p_protocol::{
    Client, ClientEvent, Code, PairingId,
    client::{Command, Complaint, Input, Output},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    actor::{
        coarse_timer::CoarseTimer,
        command::{Asked, Callers, Emit, News},
        consents::Consents,
        emit_queue::EmitQueue,
        handler_tasks::HandlerTasks,
        observers::Observers,
    },
    api::incoming::PairingRequest,
    partner::PartnerLink,
    server::server_link::ServerLink,
};

/// Inputs taken in one turn, so that the frames that they cause can travel together.
const BURST: usize = 128;

/// The task that owns a client's half of the protocol.
#[derive(Debug)]
pub(crate) struct Actor {
    client: Client,
    server: ServerLink,
    partner: PartnerLink,
    commands: mpsc::Receiver<Asked>,
    /// Emits have a queue of their own, for they wait while the window is full.
    emits: Emits,
    callers: Callers,
    handler_tasks: HandlerTasks,
    consents: Consents,
    observers: Observers,
    timer: CoarseTimer,
    stop: CancellationToken,
    /// True once the application has asked to close the client. It puts out [`Output::Close`] within a second.
    stopping: bool,
}

/// The actor's side of the queue of emits. At its end the callers that still wait are answered.
#[derive(Debug)]
struct Emits(Arc<EmitQueue<PairingId, Emit>>);

impl Drop for Emits {
    fn drop(&mut self) {
        self.0.close().for_each(|emit| emit.refuse(Code::Closed));
    }
}

/// The end of the actor.
struct Stop;

impl Actor {
    async fn run(mut self) {
        // First the outputs that follow from the welcome.
        let mut going = self.carry_out().await;
        while let Ok(()) = going {
            going = self.turn().await;
        }
        // Last the answers to commands that arrived in the same turn as the end.
        self.carry_out().await.ok();
        self.consents.shutdown().await;
        self.partner.shutdown().await;
        self.server.close().await;
    }

    /// Waits for an input, takes those that are at hand, and carries out what follows from them.
    async fn turn(&mut self) -> Result<(), Stop> {
        self.timer.set(self.client.poll_timeout());
        let input = tokio::select! {
            biased;
            () = self.stop.cancelled(), if !self.stopping => {
                self.stopping = true;
                Some(Input::Command(Command::Close))
            }
            input = self.server.happened() => Some(input),
            input = self.partner.happened() => input,
            input = self.handler_tasks.finished() => Some(input),
            input = self.consents.decided() => Some(input),
            Some(asked) = self.commands.recv() => Some(self.accept(asked)),
            emit = self.emits.0.taken(|lane| self.client.takes_emits_of(lane)) => {
                self.accept_emit(emit)
            }
            () = self.timer.fired() => Some(Input::Timeout),
        };
        let now = Instant::now();
        if let Some(input) = input {
            self.client.handle(input, now);
        }
        for _ in 1..BURST {
            let Some(input) = self.next_at_hand() else {
                break;
            };
            self.client.handle(input, now);
        }
        self.be_fair(now);
        self.carry_out().await
    }

    /// Takes one input of each other kind, so that none starves, however much arrives from the server
    /// and the partner.
    fn be_fair(&mut self, now: Instant) {
        if let Ok(asked) = self.commands.try_recv() {
            let input = self.accept(asked);
            self.client.handle(input, now);
        }
        if let Some(input) = self.handler_tasks.try_finished() {
            self.client.handle(input, now);
        }
        if let Some(emit) = self.next_emit()
            && let Some(input) = self.accept_emit(emit)
        {
            self.client.handle(input, now);
        }
        if let Some(input) = self.consents.try_decided() {
            self.client.handle(input, now);
        }
        if self.client.poll_timeout().is_some_and(|due| due <= now) {
            self.client.handle(Input::Timeout, now);
        }
    }

    /// Returns a further input that can be taken without waiting.
    fn next_at_hand(&mut self) -> Option<Input> {
        let arrived = self
            .server
            .at_hand()
            .or_else(|| self.partner.at_hand())
            .or_else(|| self.handler_tasks.try_finished());
        if arrived.is_some() {
            return arrived;
        }
        while let Some(emit) = self.next_emit() {
            if let Some(input) = self.accept_emit(emit) {
                return Some(input);
            }
        }
        None
    }

    fn next_emit(&self) -> Option<Emit> {
        self.emits.0.take(|lane| self.client.takes_emits_of(lane))
    }

    fn accept(&mut self, asked: Asked) -> Input {
        Input::Command(self.callers.accept(asked))
    }

    fn accept_emit(&mut self, emit: Emit) -> Option<Input> {
        self.callers.accept_emit(emit).map(Input::Command)
    }

    /// Carries out the client's outputs, in order.
    async fn carry_out(&mut self) -> Result<(), Stop> {
        for warning in self.partner.take_warnings() {
            self.observers.publish(ClientEvent::IceWarning(warning));
        }
        while let Some(output) = self.client.poll_output() {
            let follows = match output {
                Output::Send(message) => self.server.send(&message).await,
                Output::SendFrames(pairing, frames) => {
                    self.server.send_frames(pairing, &frames).await
                }
                Output::Signal(pairing, signal) => self.server.send_signal(pairing, &signal).await,
                Output::Reconnect { resume, after } => {
                    self.server.reconnect(resume, after);
                    None
                }
                Output::Link(link, command) => {
                    let is_in_room = self.client.room_of(link.pairing()).is_some();
                    let event = self.partner.carry_out(link, command, is_in_room);
                    event.map(|event| Input::Link(link, event))
                }
                Output::Deliver(pairing, from, delivery) => {
                    let room = self.client.room_of(pairing).cloned();
                    self.handler_tasks.start(pairing, (from, room), delivery)
                }
                Output::Abandoned(pairing, seq) => {
                    self.handler_tasks.abandon((pairing, seq));
                    None
                }
                Output::Ask { question, source, payload, consent_time } => {
                    self.consents.ask(question, PairingRequest { source, payload, consent_time })
                }
                Output::Answered(call, answer) => {
                    self.callers.answer(call, answer);
                    None
                }
                Output::Target(call, state) => {
                    self.callers.tell(call, News::State(state)).map(Input::Command)
                }
                Output::Unwatched(call, refusal) => {
                    self.callers.tell(call, News::Ended(refusal)).map(Input::Command)
                }
                Output::Event(event) => {
                    if changes_pairings(&event) {
                        self.handler_tasks.set_pairings(self.client.pairings());
                    }
                    self.observers.publish(event);
                    None
                }
                Output::Complain(complaint) => {
                    log(&complaint);
                    self.observers.counters.count(&complaint);
                    None
                }
                Output::Close => return Err(Stop),
            };
            if let Some(input) = follows {
                self.client.handle(input, Instant::now());
            }
        }
        Ok(())
    }
}

fn changes_pairings(event: &ClientEvent) -> bool {
    matches!(
        event,
        ClientEvent::Paired(_)
            | ClientEvent::Reasserted(_)
            | ClientEvent::Unpaired { .. }
            | ClientEvent::Joined(_)
            | ClientEvent::MemberJoined { .. }
            | ClientEvent::MemberLeft { .. }
    )
}

fn log(complaint: &Complaint) {
    match complaint {
        // The partner can cause these at any rate.
        Complaint::Partner(violation) => tracing::debug!(%violation),
        Complaint::Server(error) => tracing::warn!(%error, "cannot use a message of the server"),
        Complaint::UnknownEvent => tracing::debug!("ignored an unknown event of the server"),
        Complaint::Refused(refusal) => tracing::warn!(%refusal, "the server refused a message"),
        Complaint::Direct(error) => {
            tracing::warn!(error, "cannot read the partner's message");
        }
        Complaint::Signal(error) => tracing::debug!(%error, "ignored a signal"),
    }
}
