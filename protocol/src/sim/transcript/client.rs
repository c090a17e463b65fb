//! The lines of a client.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Machine,
    events::write_event,
    fields::Fields,
    link,
    notes::{Notes, merge, micros},
    terms::{
        object, read_emit, read_frames, read_moment, read_refusal, read_result, write_delivery,
        write_emit, write_frames, write_outcome, write_refusal, write_result,
    },
};
use crate::{
    Client, ClientConfig, Code, Refusal, ServerMessage, Welcome,
    client::{Answer, Command, Input, Output},
    wire::{self, WireError},
};

impl Machine for Client {
    const NAME: &'static str = "client";

    type Config = ClientConfig;
    type Input = Input;
    type Output = Output;

    fn new(config: ClientConfig, now: Instant) -> Self {
        Self::new(config, now)
    }

    fn handle(&mut self, input: Input, now: Instant) {
        self.handle(input, now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn write_config(config: &ClientConfig) -> Value {
        json!({
            "connect_timeout": micros(config.connect_timeout),
            "heartbeat_interval": micros(config.heartbeat_interval),
            "heartbeat_timeout": micros(config.heartbeat_timeout),
            "resumes": config.resumes,
            "paths": link::write_config(&config.direct),
        })
    }

    fn read_config(fields: &Fields<'_>) -> Result<ClientConfig, String> {
        Ok(ClientConfig {
            connect_timeout: link::read_duration(fields, "connect_timeout")?,
            heartbeat_interval: link::read_duration(fields, "heartbeat_interval")?,
            heartbeat_timeout: link::read_duration(fields, "heartbeat_timeout")?,
            resumes: fields.read("resumes")?,
            direct: link::read_config(&Fields::new(fields.object("paths")?))?,
            ..ClientConfig::default()
        })
    }

    fn write_input(input: &Input, notes: &mut Notes) -> Value {
        match input {
            Input::Received(message) => write_message("in", server_event(message, notes)),
            Input::Frames { pairing, frames, has_unread } => object([
                ("in", Some("frames".into())),
                ("pairing", Some(json!(pairing))),
                ("frames", Some(write_frames(frames))),
                ("unread", has_unread.then(|| true.into())),
            ]),
            Input::Garbled(WireError { refusal, req }) => object([
                ("in", Some("unreadable".into())),
                ("refusal", Some(write_refusal(refusal))),
                ("req", req.map(Value::from)),
            ]),
            Input::GarbledWelcome(refusal) => {
                json!({ "in": "unreadable-welcome", "refusal": write_refusal(refusal) })
            }
            Input::Suspected => json!({ "in": "suspected" }),
            Input::Lost => json!({ "in": "lost" }),
            Input::Connecting => json!({ "in": "connecting" }),
            Input::Opened => json!({ "in": "opened" }),
            Input::Unreachable(_) => json!({ "in": "unreachable" }),
            Input::NoAuth(_) => json!({ "in": "no-auth" }),
            Input::Rejected(Refusal { code, message }) => object([
                ("in", Some("rejected".into())),
                ("code", Some(json!(code))),
                ("message", (*message != *code.message()).then(|| json!(message))),
            ]),
            Input::GaveUp => json!({ "in": "gave-up" }),
            Input::Signalled(pairing, signal) => {
                json!({ "in": "signal", "pairing": pairing, "signal": signal })
            }
            Input::Link(id, event) => link::write_event(*id, event, notes),
            Input::AddressesChanged => json!({ "in": "addresses-changed" }),
            Input::Command(command) => write_command(command, notes),
            Input::Answer(question, Ok(())) => {
                json!({ "in": "answer", "question": question, "accept": true })
            }
            Input::Answer(question, Err(reason)) => object([
                ("in", Some("answer".into())),
                ("question", Some(json!(question))),
                ("accept", Some(false.into())),
                ("reason", reason.clone().map(Value::from)),
            ]),
            Input::Finished(pairing, seq, result) => {
                let [args, blobs, refusal] = write_result(result);
                let pairing = ("pairing", Some(json!(pairing)));
                let seq = ("seq", Some(json!(seq)));
                object([("in", Some("finished".into())), pairing, seq, args, blobs, refusal])
            }
            Input::Timeout => json!({ "in": "timeout" }),
        }
    }

    fn read_input(fields: &Fields<'_>, notes: &Notes) -> Result<Input, String> {
        Ok(match fields.text("in")? {
            "message" => {
                let (event, args) = (fields.text("event")?, fields.array("args")?.clone());
                let message = wire::server_message(event, args);
                Input::Received(message.map_err(|error| error.refusal.to_string())?)
            }
            "frames" => Input::Frames {
                pairing: fields.read("pairing")?,
                frames: read_frames(fields)?,
                has_unread: fields.read_some("unread")?.unwrap_or(false),
            },
            "unreadable" => {
                let (refusal, req) = (read_refusal(fields)?, fields.read_some("req")?);
                Input::Garbled(WireError { refusal, req })
            }
            "unreadable-welcome" => Input::GarbledWelcome(read_refusal(fields)?),
            "suspected" => Input::Suspected,
            "lost" => Input::Lost,
            "connecting" => Input::Connecting,
            "opened" => Input::Opened,
            "unreachable" => Input::Unreachable(String::new()),
            "no-auth" => Input::NoAuth(String::new()),
            "rejected" => {
                let code: Code = fields.read("code")?;
                let message: Option<String> = fields.read_some("message")?;
                Input::Rejected(message.map_or(code.into(), |text| Refusal::new(code, &text)))
            }
            "gave-up" => Input::GaveUp,
            "signal" => Input::Signalled(fields.read("pairing")?, fields.read("signal")?),
            "link" => {
                let (id, event) = link::read_event(fields, notes)?;
                Input::Link(id, event)
            }
            "addresses-changed" => Input::AddressesChanged,
            "command" => Input::Command(read_command(fields, notes)?),
            "answer" => {
                let accept: bool = fields.read("accept")?;
                let verdict = if accept { Ok(()) } else { Err(fields.read_some("reason")?) };
                Input::Answer(fields.number("question")?, verdict)
            }
            "finished" => {
                let (pairing, seq) = (fields.read("pairing")?, fields.number("seq")?);
                Input::Finished(pairing, seq, read_result(fields)?)
            }
            "timeout" => Input::Timeout,
            other => return Err(format!("no input is called {other:?}")),
        })
    }

    fn write_output(output: &Output, notes: &mut Notes) -> Value {
        match output {
            Output::Send(message) => write_message("out", message.to_event()),
            Output::SendFrames(pairing, frames) => {
                json!({ "out": "frames", "pairing": pairing, "frames": write_frames(frames) })
            }
            Output::Signal(pairing, signal) => {
                json!({ "out": "signal", "pairing": pairing, "signal": signal.to_value() })
            }
            Output::Link(id, command) => link::write_command(*id, command, notes),
            Output::Answered(call, answer) => {
                let mut line = json!({ "out": "answered", "call": call });
                merge(&mut line, write_answer(answer));
                line
            }
            Output::Target(call, state) => {
                json!({ "out": "target", "call": call, "state": state })
            }
            Output::Unwatched(call, refusal) => {
                json!({ "out": "unwatched", "call": call, "refusal": write_refusal(refusal) })
            }
            Output::Ask { question, source, payload, consent_time } => object([
                ("out", Some("ask".into())),
                ("question", Some(json!(question))),
                ("source", Some(json!(source))),
                ("payload", payload.clone()),
                ("consent", Some(micros(*consent_time).into())),
            ]),
            Output::Deliver(pairing, source, delivery) => {
                let [seq, event, args, blobs, reply] = write_delivery(delivery);
                let out = ("out", Some("deliver".into()));
                let pairing = ("pairing", Some(json!(pairing)));
                let source = ("source", Some(json!(source)));
                object([out, pairing, source, seq, event, args, blobs, reply])
            }
            Output::Abandoned(pairing, seq) => {
                json!({ "out": "abandoned", "pairing": pairing, "seq": seq })
            }
            Output::Event(event) => {
                let mut line = json!({ "out": "event" });
                merge(&mut line, write_event(event));
                line
            }
            Output::Complain(complaint) => {
                json!({ "out": "complain", "about": link::write_complaint(complaint) })
            }
            Output::Reconnect { resume, .. } => object([
                ("out", Some("reconnect".into())),
                ("resume", resume.map(|token| notes.token(token).into())),
            ]),
            Output::Close => json!({ "out": "close" }),
        }
    }
}

fn write_message(direction: &str, event: Option<wire::WireEvent>) -> Value {
    // A v2 client has no other messages.
    let (event, args) = event.unwrap_or_default();
    json!({ direction: "message", "event": event, "args": args })
}

/// Returns a message of the server, with the number of its token instead of the token.
fn server_event(message: &ServerMessage, notes: &mut Notes) -> Option<wire::WireEvent> {
    let (event, mut args) = message.to_event()?;
    if let ServerMessage::Welcome(Welcome { resume: Some(token), .. }) = message {
        args[0]["resume"] = notes.token(*token).into();
    }
    Some((event, args))
}

fn write_command(command: &Command, notes: &Notes) -> Value {
    let named = |name: &str, call: &u64, deadline: &Instant| json!({ "in": "command", "command": name, "call": call, "deadline": notes.micros(*deadline) });
    match command {
        Command::Register { call, target, payload, consent_time, wait, deadline } => {
            let mut line = json!({ "in": "command", "command": "register", "call": call });
            if let Some(deadline) = deadline {
                line["deadline"] = notes.micros(*deadline).into();
            }
            if let Some(time) = consent_time {
                line["consent"] = micros(*time).into();
            }
            if let Some(wait) = wait {
                line["wait"] = micros(*wait).into();
            }
            line["target"] = json!(target);
            if let Some(payload) = payload {
                line["payload"] = payload.clone();
            }
            line
        }
        Command::Unregister { call, deadline } => named("unregister", call, deadline),
        Command::List { call, deadline } => named("list", call, deadline),
        Command::Watch { call, target, deadline } => {
            let mut line = named("watch", call, deadline);
            line["target"] = json!(target);
            line
        }
        Command::Emit { call, pairing, event, args, options } => {
            let mut line = json!({ "in": "command", "command": "emit" });
            line["call"] = json!(call);
            line["pairing"] = json!(pairing);
            merge(&mut line, write_emit(event, args, options, notes));
            line
        }
        Command::Join { call, room, most, upgrades, deadline } => {
            let mut line = named("join", call, deadline);
            merge(&mut line, json!({ "room": room, "most": most, "upgrades": upgrades }));
            line
        }
        Command::Exit { call, room, deadline } => {
            let mut line = named("exit", call, deadline);
            line["room"] = json!(room);
            line
        }
        Command::Upgrade(room) => json!({ "in": "command", "command": "upgrade", "room": room }),
        Command::Cancel(call) => json!({ "in": "command", "command": "cancel", "call": call }),
        Command::NetworkChanged => json!({ "in": "command", "command": "network-changed" }),
        Command::Close => json!({ "in": "command", "command": "close" }),
    }
}

fn read_command(fields: &Fields<'_>, notes: &Notes) -> Result<Command, String> {
    let call = || fields.number("call");
    let deadline = || read_moment(fields, "deadline", notes);
    let time = |name| fields.value(name).and_then(Value::as_u64).map(Duration::from_micros);
    Ok(match fields.text("command")? {
        "register" => Command::Register {
            call: call()?,
            target: fields.read("target")?,
            payload: fields.value("payload").cloned(),
            consent_time: time("consent"),
            wait: time("wait"),
            deadline: fields.value("deadline").map(|_| deadline()).transpose()?,
        },
        "unregister" => Command::Unregister { call: call()?, deadline: deadline()? },
        "list" => Command::List { call: call()?, deadline: deadline()? },
        "watch" => {
            let target = fields.read("target")?;
            Command::Watch { call: call()?, target, deadline: deadline()? }
        }
        "join" => Command::Join {
            call: call()?,
            room: fields.read("room")?,
            most: fields.read_some("most")?,
            upgrades: fields.read("upgrades")?,
            deadline: deadline()?,
        },
        "exit" => {
            let room = fields.read("room")?;
            Command::Exit { call: call()?, room, deadline: deadline()? }
        }
        "upgrade" => Command::Upgrade(fields.read("room")?),
        "emit" => {
            let (call, pairing) = (call()?, fields.read("pairing")?);
            let (event, args, options) = read_emit(fields, notes)?;
            Command::Emit { call, pairing, event, args, options }
        }
        "cancel" => Command::Cancel(call()?),
        "network-changed" => Command::NetworkChanged,
        "close" => Command::Close,
        other => return Err(format!("no command is called {other:?}")),
    })
}

fn write_answer(answer: &Answer) -> Value {
    match answer {
        Answer::Registered(info) => json!({ "answer": "registered", "pairing": info }),
        Answer::Unregistered => json!({ "answer": "unregistered" }),
        Answer::Clients(clients) => json!({ "answer": "clients", "clients": clients }),
        Answer::Watching(state) => json!({ "answer": "watching", "state": state }),
        Answer::Joined(state) => json!({ "answer": "joined", "state": state }),
        Answer::Exited => json!({ "answer": "exited" }),
        Answer::Sent => json!({ "answer": "sent" }),
        Answer::Outcome(outcome) => {
            let mut line = json!({ "answer": "outcome" });
            merge(&mut line, write_outcome(outcome));
            line
        }
        Answer::Refused(refusal) => {
            json!({ "answer": "refused", "refusal": write_refusal(refusal) })
        }
        Answer::TimedOut => json!({ "answer": "timed-out" }),
        Answer::Closed => json!({ "answer": "closed" }),
    }
}
