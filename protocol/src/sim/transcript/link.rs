//! The lines about direct paths, and the configuration of paths.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use super::{
    fields::Fields,
    notes::{LONGEST, Notes, merge, micros},
    terms::write_refusal,
};
use crate::{
    LinkId, PathConfig, PathPolicy, Signal, Step,
    peer::{Complaint, LinkCommand, LinkEvent, LinkMessage},
};

pub(super) fn read_duration(fields: &Fields<'_>, name: &str) -> Result<Duration, String> {
    Ok(Duration::from_micros(fields.number(name)?).min(LONGEST))
}

pub(super) fn write_config(config: &PathConfig) -> Value {
    let policy = match config.policy {
        PathPolicy::PreferDirect => "prefer-direct",
        PathPolicy::RelayOnly => "relay-only",
        PathPolicy::DirectOnly => "direct-only",
    };
    json!({
        "policy": policy,
        "timeout": micros(config.timeout),
        "heartbeat_interval": micros(config.heartbeat_interval),
        "heartbeat_idle": micros(config.heartbeat_idle),
        "heartbeat_timeout": micros(config.heartbeat_timeout),
        "restart_after": micros(config.restart_after),
        "retry_min": micros(config.retry_min),
        "retry_max": micros(config.retry_max),
        "hold": micros(config.hold),
    })
}

pub(super) fn read_config(fields: &Fields<'_>) -> Result<PathConfig, String> {
    Ok(PathConfig {
        policy: match fields.text("policy")? {
            "prefer-direct" => PathPolicy::PreferDirect,
            "relay-only" => PathPolicy::RelayOnly,
            "direct-only" => PathPolicy::DirectOnly,
            other => return Err(format!("no policy is called {other:?}")),
        },
        timeout: read_duration(fields, "timeout")?,
        heartbeat_interval: read_duration(fields, "heartbeat_interval")?,
        heartbeat_idle: read_duration(fields, "heartbeat_idle")?,
        heartbeat_timeout: read_duration(fields, "heartbeat_timeout")?,
        restart_after: read_duration(fields, "restart_after")?,
        retry_min: read_duration(fields, "retry_min")?,
        retry_max: read_duration(fields, "retry_max")?,
        hold: read_duration(fields, "hold")?,
    })
}

pub(super) fn write_event(id: LinkId, event: &LinkEvent, notes: &mut Notes) -> Value {
    let fields = match event {
        LinkEvent::Described(attempt, sdp) => {
            json!({ "event": "described", "attempt": attempt, "sdp": sdp.as_str() })
        }
        LinkEvent::Gathered(candidate) => {
            let signal = Signal { attempt: None, step: Step::Candidate(candidate.clone()) };
            json!({ "event": "gathered", "candidate": signal.to_value()["candidate"] })
        }
        LinkEvent::Opened => json!({ "event": "opened" }),
        LinkEvent::Received(message) => {
            let mut fields = json!({ "event": "received" });
            merge(&mut fields, write_message(message));
            fields
        }
        LinkEvent::Heard => json!({ "event": "heard" }),
        LinkEvent::Sent => json!({ "event": "sent" }),
        LinkEvent::Closed => json!({ "event": "closed" }),
    };
    let mut line = json!({ "in": "link", "link": notes.link(id) });
    merge(&mut line, fields);
    line
}

pub(super) fn read_event(
    fields: &Fields<'_>,
    notes: &Notes,
) -> Result<(LinkId, LinkEvent), String> {
    let name = fields.text("link")?;
    let id = *notes.links.get(name).ok_or_else(|| format!("no output named the link {name:?}"))?;
    let event = match fields.text("event")? {
        "described" => {
            let event = LinkEvent::described(fields.number("attempt")?, fields.text("sdp")?);
            event.map_err(|error| error.to_string())?
        }
        "gathered" => {
            let signal = json!({ "type": "candidate", "candidate": fields.object("candidate")? });
            match Signal::from_value(&signal) {
                Ok(Signal { step: Step::Candidate(candidate), .. }) => {
                    LinkEvent::Gathered(candidate)
                }
                Ok(_) => return Err("not a candidate".to_owned()),
                Err(error) => return Err(error.to_string()),
            }
        }
        "opened" => LinkEvent::Opened,
        "received" => LinkEvent::Received(read_message(fields)?),
        "heard" => LinkEvent::Heard,
        "sent" => LinkEvent::Sent,
        "closed" => LinkEvent::Closed,
        other => return Err(format!("no event of a link is called {other:?}")),
    };
    Ok((id, event))
}

pub(super) fn write_command(id: LinkId, command: &LinkCommand, notes: &mut Notes) -> Value {
    let fields = match command {
        LinkCommand::Offer(attempt) => json!({ "command": "offer", "attempt": attempt }),
        LinkCommand::Restart(attempt) => json!({ "command": "restart", "attempt": attempt }),
        LinkCommand::Answer(attempt, sdp) => {
            json!({ "command": "answer", "attempt": attempt, "sdp": sdp.as_str() })
        }
        LinkCommand::Accept(sdp) => json!({ "command": "accept", "sdp": sdp.as_str() }),
        LinkCommand::Add(candidate) => {
            let signal = Signal { attempt: None, step: Step::Candidate(candidate.clone()) };
            json!({ "command": "add", "candidate": signal.to_value()["candidate"] })
        }
        LinkCommand::Send(message) => {
            let mut fields = json!({ "command": "send" });
            merge(&mut fields, write_message(message));
            fields
        }
        LinkCommand::Close => json!({ "command": "close" }),
    };
    let mut line = json!({ "out": "link", "link": notes.link(id) });
    merge(&mut line, fields);
    line
}

/// Returns a message as `text`, or as `binary` in base64.
fn write_message(message: &LinkMessage) -> Value {
    match message {
        LinkMessage::Text(text) => json!({ "text": text }),
        LinkMessage::Binary(bytes) => json!({ "binary": BASE64.encode(bytes) }),
    }
}

fn read_message(fields: &Fields<'_>) -> Result<LinkMessage, String> {
    if fields.has("text") {
        return Ok(LinkMessage::Text(fields.text("text")?.to_owned()));
    }
    let bytes = BASE64.decode(fields.text("binary")?).map_err(|error| error.to_string())?;
    Ok(LinkMessage::Binary(bytes.into()))
}

pub(super) fn write_complaint(complaint: &Complaint) -> Value {
    match complaint {
        Complaint::Partner(violation) => json!({ "partner": violation.to_string() }),
        Complaint::Direct(error) => json!({ "direct": error }),
        Complaint::Signal(error) => json!({ "signal": error.to_string() }),
        Complaint::Server(refusal) => json!({ "server": write_refusal(refusal) }),
        Complaint::UnknownEvent => json!({ "server": "unknown event" }),
        Complaint::Refused(refusal) => json!({ "refused": write_refusal(refusal) }),
    }
}
