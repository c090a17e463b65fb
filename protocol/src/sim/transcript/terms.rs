//! Terms that several lines share: arguments, refusals, outcomes, frames and times.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};

use super::{
    fields::Fields,
    notes::{Notes, micros},
};
use crate::{
    Args, Cause, Frame, Outcome, Path, Refusal,
    frame::{self, Batch},
    session::{Delivery, EmitOptions},
};

/// Returns an object of the fields that are there.
pub(super) fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    fields.collect::<Map<_, _>>().into()
}

/// Returns `args`, and `blobs` if there are any.
pub(super) fn write_args(args: &Args) -> [(&'static str, Option<Value>); 2] {
    let blobs: Vec<_> = args.blobs().iter().map(|blob| BASE64.encode(blob)).collect();
    let values = args.parse::<Value>().unwrap_or_default();
    [("args", Some(values)), ("blobs", (!blobs.is_empty()).then(|| json!(blobs)))]
}

fn read_args(fields: &Fields<'_>) -> Result<Args, String> {
    let text = Value::Array(fields.array("args")?.clone()).to_string();
    let blobs: Vec<String> = fields.read_some("blobs")?.unwrap_or_default();
    let blobs = blobs.into_iter().map(|blob| BASE64.decode(blob).map(Into::into));
    let blobs = blobs.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    Args::from_text(text, blobs).map_err(|error| error.to_string())
}

/// Returns the fields of an emit: `event`, `args`, and those of the options that are there.
pub(super) fn write_emit(event: &str, args: &Args, options: &EmitOptions, notes: &Notes) -> Value {
    let EmitOptions { reply_by, expires, via } = options;
    let [args, blobs] = write_args(args);
    object([
        ("event", Some(json!(event))),
        args,
        blobs,
        ("reply_by", reply_by.map(|at| notes.micros(at).into())),
        ("expires", expires.map(|at| notes.micros(at).into())),
        ("via", via.and_then(path_of)),
    ])
}

pub(super) fn read_emit(
    fields: &Fields<'_>,
    notes: &Notes,
) -> Result<(String, Args, EmitOptions), String> {
    let optional = |name| fields.has(name).then(|| read_moment(fields, name, notes)).transpose();
    let options = EmitOptions {
        reply_by: optional("reply_by")?,
        expires: optional("expires")?,
        via: read_path(fields, "via")?,
    };
    Ok((fields.text("event")?.to_owned(), read_args(fields)?, options))
}

pub(super) fn write_refusal(refusal: &Refusal) -> Value {
    json!({ "code": refusal.code, "message": refusal.message })
}

pub(super) fn read_refusal(fields: &Fields<'_>) -> Result<Refusal, String> {
    let refusal = Fields::new(fields.object("refusal")?);
    Ok(Refusal::new(refusal.read("code")?, refusal.text("message")?))
}

/// Returns the result of a handler: its arguments, or its refusal.
pub(super) fn write_result(result: &Result<Args, Refusal>) -> [(&'static str, Option<Value>); 3] {
    match result {
        Ok(args) => {
            let [args, blobs] = write_args(args);
            [args, blobs, ("refusal", None)]
        }
        Err(refusal) => {
            [("args", None), ("blobs", None), ("refusal", Some(write_refusal(refusal)))]
        }
    }
}

pub(super) fn read_result(fields: &Fields<'_>) -> Result<Result<Args, Refusal>, String> {
    if fields.has("refusal") {
        return read_refusal(fields).map(Err);
    }
    read_args(fields).map(Ok)
}

pub(super) fn write_outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Replied(args, path) => {
            let [args, blobs] = write_args(args);
            object([("outcome", Some("replied".into())), args, blobs, ("path", path_of(*path))])
        }
        Outcome::Failed(refusal) => {
            json!({ "outcome": "failed", "refusal": write_refusal(refusal) })
        }
        Outcome::NotExecuted(cause) => {
            json!({ "outcome": "not-executed", "cause": write_cause(cause) })
        }
        Outcome::Unknown(cause) => json!({ "outcome": "unknown", "cause": write_cause(cause) }),
    }
}

fn write_cause(cause: &Cause) -> Value {
    match cause {
        Cause::Ended(reason) => json!({ "ended": reason }),
        coded => json!({ "code": coded.as_str() }),
    }
}

fn path_of(path: Path) -> Option<Value> {
    Some(path.to_string().into())
}

/// Returns the fields of another path: `path`, unless there is none, and `rtt`, if it is known.
pub(super) fn write_path(path: Option<Path>, rtt: Option<Duration>) -> Value {
    object([("path", path.and_then(path_of)), ("rtt", rtt.map(|rtt| micros(rtt).into()))])
}

fn read_path(fields: &Fields<'_>, name: &str) -> Result<Option<Path>, String> {
    match fields.value(name).map(|path| path.as_str()) {
        None => Ok(None),
        Some(Some("relay")) => Ok(Some(Path::Relay)),
        Some(Some("direct")) => Ok(Some(Path::Direct)),
        Some(_) => Err(format!("{name:?} is not a path")),
    }
}

pub(super) fn write_frames(frames: &[Frame]) -> Value {
    frames.iter().map(Frame::to_value).collect()
}

pub(super) fn read_frames(fields: &Fields<'_>) -> Result<Vec<Frame>, String> {
    let frames = Value::Array(fields.array("frames")?.clone());
    let frames = frame::batch_from_text(&frames.to_string()).and_then(Batch::all);
    frames.map_err(|error| error.to_string())
}

pub(super) fn write_delivery(delivery: &Delivery) -> [(&'static str, Option<Value>); 5] {
    let Delivery { seq, event, args, wants_reply } = delivery;
    let [args, blobs] = write_args(args);
    let (seq, event) = (("seq", Some(json!(seq))), ("event", Some(json!(event))));
    [seq, event, args, blobs, ("wants_reply", Some(json!(wants_reply)))]
}

pub(super) fn read_moment(
    fields: &Fields<'_>,
    name: &str,
    notes: &Notes,
) -> Result<std::time::Instant, String> {
    notes.moment(fields.number(name)?)
}
