//! The lines of a peer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Machine,
    fields::Fields,
    link,
    notes::{Notes, merge, micros},
    terms::{
        object, read_emit, read_frames, read_result, write_delivery, write_emit, write_frames,
        write_outcome, write_path, write_result,
    },
};
use crate::{
    Frame, PairingInfo, PathConfig, Peer, Signal,
    limits::Limits,
    peer::{Input, LinkCommand, Output, ServerEvent},
};

/// The parameters of a peer.
#[derive(Clone, Debug)]
pub(crate) struct PeerConfig {
    pub(crate) paths: PathConfig,
    pub(crate) pairing: PairingInfo,
    pub(crate) limits: Limits,
    pub(crate) server_rtt: Option<Duration>,
}

/// An output of a peer, or frames that it has for the relay.
#[derive(Debug)]
pub(crate) enum PeerOutput {
    Polled(Output),
    Relay(Vec<Frame>),
}

impl Machine for Peer {
    const NAME: &'static str = "peer";

    type Config = PeerConfig;
    type Input = Input;
    type Output = PeerOutput;

    fn new(config: PeerConfig, now: Instant) -> Self {
        let PeerConfig { paths, pairing, limits, server_rtt } = config;
        Self::new(paths, pairing, limits, server_rtt, now)
    }

    fn handle(&mut self, input: Input, now: Instant) {
        self.handle(input, now);
    }

    fn poll_output(&mut self) -> Option<PeerOutput> {
        if let Some(output) = self.poll_output() {
            return Some(PeerOutput::Polled(output));
        }
        if let Some(frames) = self.poll_relay() {
            return Some(PeerOutput::Relay(frames));
        }
        let (link, message) = self.poll_direct()?;
        Some(PeerOutput::Polled(Output::Link(link, LinkCommand::Send(message))))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn write_config(config: &PeerConfig) -> Value {
        object([
            ("paths", Some(link::write_config(&config.paths))),
            ("pairing", Some(json!(config.pairing))),
            ("limits", Some(json!(config.limits))),
            ("server_rtt", config.server_rtt.map(|rtt| micros(rtt).into())),
        ])
    }

    fn read_config(fields: &Fields<'_>) -> Result<PeerConfig, String> {
        let rtt = || link::read_duration(fields, "server_rtt");
        Ok(PeerConfig {
            paths: link::read_config(&Fields::new(fields.object("paths")?))?,
            pairing: fields.read("pairing")?,
            limits: fields.read("limits")?,
            server_rtt: fields.has("server_rtt").then(rtt).transpose()?,
        })
    }

    fn write_input(input: &Input, notes: &mut Notes) -> Value {
        match input {
            Input::Relayed(frames) => json!({ "in": "frames", "frames": write_frames(frames) }),
            Input::RelayRefused => json!({ "in": "relay-refused" }),
            Input::Undeliverable => json!({ "in": "undeliverable" }),
            Input::Signalled(signal) => json!({ "in": "signal", "signal": signal.to_value() }),
            Input::Link(id, event) => link::write_event(*id, event, notes),
            Input::Emit { call, event, args, options } => {
                let mut line = json!({ "in": "emit", "call": call });
                merge(&mut line, write_emit(event, args, options, notes));
                line
            }
            Input::Cancelled(call) => json!({ "in": "cancel", "call": call }),
            Input::Finished(seq, result) => {
                let [args, blobs, refusal] = write_result(result);
                let seq = ("seq", Some(json!(seq)));
                object([("in", Some("finished".into())), seq, args, blobs, refusal])
            }
            Input::Server(event) => {
                let mut line = json!({ "in": "server" });
                merge(&mut line, write_server_event(event));
                line
            }
            Input::Paused => json!({ "in": "paused" }),
            Input::NetworkChanged => json!({ "in": "network-changed" }),
            Input::Upgrade => json!({ "in": "upgrade" }),
            Input::AddressesChanged => json!({ "in": "addresses-changed" }),
            Input::Parted(reason) => json!({ "in": "parted", "reason": reason }),
            Input::Ended(reason) => json!({ "in": "ended", "reason": reason }),
            Input::Timeout => json!({ "in": "timeout" }),
        }
    }

    fn read_input(fields: &Fields<'_>, notes: &Notes) -> Result<Input, String> {
        Ok(match fields.text("in")? {
            "frames" => Input::Relayed(read_frames(fields)?),
            "relay-refused" => Input::RelayRefused,
            "undeliverable" => Input::Undeliverable,
            "signal" => {
                let signal = Signal::from_value(&fields.read("signal")?);
                Input::Signalled(signal.map_err(|error| error.to_string())?)
            }
            "link" => {
                let (id, event) = link::read_event(fields, notes)?;
                Input::Link(id, event)
            }
            "emit" => {
                let (call, (event, args, options)) =
                    (fields.number("call")?, read_emit(fields, notes)?);
                Input::Emit { call, event, args, options }
            }
            "cancel" => Input::Cancelled(fields.number("call")?),
            "finished" => Input::Finished(fields.number("seq")?, read_result(fields)?),
            "server" => Input::Server(read_server_event(fields)?),
            "paused" => Input::Paused,
            "network-changed" => Input::NetworkChanged,
            "upgrade" => Input::Upgrade,
            "addresses-changed" => Input::AddressesChanged,
            "parted" => Input::Parted(fields.read("reason")?),
            "ended" => Input::Ended(fields.read("reason")?),
            "timeout" => Input::Timeout,
            other => return Err(format!("no input is called {other:?}")),
        })
    }

    fn write_output(output: &PeerOutput, notes: &mut Notes) -> Value {
        let output = match output {
            PeerOutput::Polled(output) => output,
            PeerOutput::Relay(frames) => {
                return json!({ "out": "frames", "frames": write_frames(frames) });
            }
        };
        match output {
            Output::Signal(signal) => json!({ "out": "signal", "signal": signal.to_value() }),
            Output::Link(id, command) => link::write_command(*id, command, notes),
            Output::Deliver(delivery) => {
                let [seq, event, args, blobs, reply] = write_delivery(delivery);
                object([("out", Some("deliver".into())), seq, event, args, blobs, reply])
            }
            Output::Abandoned(seq) => json!({ "out": "abandoned", "seq": seq }),
            Output::Sent(call) => json!({ "out": "sent", "call": call }),
            Output::Resolved(call, outcome) => {
                let mut line = json!({ "out": "resolved", "call": call });
                merge(&mut line, write_outcome(outcome));
                line
            }
            Output::Partner(presence) => json!({ "out": "partner", "state": presence }),
            Output::Path { path, rtt } => {
                let mut line = json!({ "out": "path" });
                merge(&mut line, write_path(*path, *rtt));
                line
            }
            Output::Reasserted(info) => json!({ "out": "reasserted", "pairing": info }),
            Output::Register => json!({ "out": "register" }),
            Output::Unregister => json!({ "out": "unregister" }),
            Output::Complain(complaint) => {
                json!({ "out": "complain", "about": link::write_complaint(complaint) })
            }
            Output::Ended(reason) => json!({ "out": "ended", "reason": reason }),
        }
    }
}

fn write_server_event(event: &ServerEvent) -> Value {
    match event {
        ServerEvent::Lost => json!({ "event": "lost" }),
        ServerEvent::Welcomed(limits) => json!({ "event": "welcomed", "limits": limits }),
        ServerEvent::Known => json!({ "event": "known" }),
        ServerEvent::Forgotten(reason) => json!({ "event": "forgotten", "reason": reason }),
        ServerEvent::Partner(presence) => json!({ "event": "partner", "state": presence }),
        ServerEvent::Ended(reason) => json!({ "event": "ended", "reason": reason }),
        ServerEvent::Granted(info) => json!({ "event": "granted", "pairing": info }),
        ServerEvent::NotGranted(code) => json!({ "event": "not-granted", "code": code }),
        ServerEvent::Answered(time) => json!({ "event": "answered", "time": micros(*time) }),
    }
}

fn read_server_event(fields: &Fields<'_>) -> Result<ServerEvent, String> {
    Ok(match fields.text("event")? {
        "lost" => ServerEvent::Lost,
        "welcomed" => ServerEvent::Welcomed(fields.read("limits")?),
        "known" => ServerEvent::Known,
        "forgotten" => ServerEvent::Forgotten(fields.read("reason")?),
        "partner" => ServerEvent::Partner(fields.read("state")?),
        "ended" => ServerEvent::Ended(fields.read("reason")?),
        "granted" => ServerEvent::Granted(fields.read("pairing")?),
        "not-granted" => ServerEvent::NotGranted(fields.read("code")?),
        "answered" => ServerEvent::Answered(link::read_duration(fields, "time")?),
        other => return Err(format!("no event of the server is called {other:?}")),
    })
}
