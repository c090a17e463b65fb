//! A frame as a JSON object.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use super::{
    body::{Body, Frame},
    error::FrameError,
};
use crate::{
    Args, Code, Refusal, limits,
    wire::{self, labels},
};

labels! {
    /// The kind of a frame.
    pub(super) FrameKind {
        /// See [`Body::Emit`].
        Emit = "emit",
        /// See [`Body::Reply`].
        Reply = "reply",
        /// See [`Body::Part`].
        Part = "part",
        /// See [`Body::Drop`].
        Drop = "drop",
        /// See [`Body::Cancel`].
        Cancel = "cancel",
        /// See [`Body::Ack`].
        Ack = "ack",
    }
}

impl FrameKind {
    /// Returns true if frames of this kind have a field of this name. Any other field is ignored,
    /// whatever its value is.
    fn has(self, field: &str) -> bool {
        match field {
            "k" | "g" | "t" => true,
            "s" => self != Self::Ack,
            "e" | "r" => self == Self::Emit,
            "to" => matches!(self, Self::Reply | Self::Cancel),
            "err" => self == Self::Reply,
            "a" | "b" => matches!(self, Self::Emit | Self::Reply),
            "x" => matches!(self, Self::Emit | Self::Part),
            "d" | "z" => self == Self::Part,
            _ => false,
        }
    }
}

/// Refuses what is not an object. Serde alone would also read an array as the fields in their order.
pub(super) fn check_object(is_object: bool) -> Result<(), FrameError> {
    if is_object {
        Ok(())
    } else {
        Err(FrameError::Json(serde::de::Error::custom("not an object")))
    }
}

/// Removes the fields of a JSON object that its kind does not have.
pub(super) fn keep_own_fields(frame: &mut Value) {
    let kind = frame.get("t").and_then(Value::as_str).map(FrameKind::from);
    if let (Some(kind), Some(fields)) = (kind, frame.as_object_mut()) {
        fields.retain(|field, _| kind.has(field));
    }
}

/// Returns the text of a JSON object without the fields that its kind does not have; `None` if it
/// has no such fields.
fn own_fields(text: &str) -> Option<String> {
    let mut fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text).ok()?;
    let kind: FrameKind = serde_json::from_str(fields.get("t")?.get()).ok()?;
    let count = fields.len();
    fields.retain(|field, _| kind.has(field));
    (fields.len() < count).then(|| serde_json::to_string(&fields).ok())?
}

#[derive(Deserialize, Serialize)]
struct ReplyError {
    code: Code,
    #[serde(default)]
    message: String,
}

/// The JSON object. `B` stands for the blobs: base64, or their lengths.
#[derive(Deserialize, Serialize)]
pub(super) struct WireFrame<'a, A, B> {
    #[serde(default, skip_serializing_if = "is_zero")]
    s: u64,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    k: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    g: u64,
    t: FrameKind,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    e: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    r: bool,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    x: Option<u64>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    a: Option<A>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    err: Option<ReplyError>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    b: Vec<B>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    d: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    z: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

const fn none<T>() -> Option<T> {
    None
}

fn missing(field: &'static str) -> FrameError {
    FrameError::Json(serde::de::Error::missing_field(field))
}

impl<'a, B> WireFrame<'a, &'a RawValue, B> {
    pub(super) fn of_frame(frame: &'a Frame, blob: impl Fn(&Bytes) -> B) -> Self {
        let Frame { seq, ack, got, ttl, ref body } = *frame;
        Self {
            s: seq,
            k: Some(ack),
            g: if got > ack { got } else { 0 },
            x: ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
            ..Self::of_body(body, blob)
        }
    }

    /// Returns the object without the numbers of a frame.
    pub(super) fn of_body(body: &'a Body, blob: impl Fn(&Bytes) -> B) -> Self {
        let empty = Self {
            s: 0,
            k: None,
            g: 0,
            t: FrameKind::Ack,
            e: None,
            r: false,
            to: None,
            x: None,
            a: None,
            err: None,
            b: Vec::new(),
            d: None,
            z: false,
        };
        let blobs = |args: &Args| args.blobs().iter().map(&blob).collect();
        match body {
            Body::Emit { event, args, wants_reply } => Self {
                t: FrameKind::Emit,
                e: Some(event.into()),
                r: *wants_reply,
                a: Some(args.raw()),
                b: blobs(args),
                ..empty
            },
            Body::Reply { to, result: Ok(args) } => Self {
                t: FrameKind::Reply,
                to: Some(*to),
                a: Some(args.raw()),
                b: blobs(args),
                ..empty
            },
            Body::Reply { to, result: Err(Refusal { code, message }) } => {
                let err = ReplyError { code: *code, message: message.clone().into_owned() };
                Self { t: FrameKind::Reply, to: Some(*to), err: Some(err), ..empty }
            }
            Body::Part { text, last } => {
                Self { t: FrameKind::Part, d: Some(text.into()), z: *last, ..empty }
            }
            Body::Drop => Self { t: FrameKind::Drop, ..empty },
            Body::Cancel { to } => Self { t: FrameKind::Cancel, to: Some(*to), ..empty },
            Body::Other(label) => Self { t: FrameKind::Other(*label), ..empty },
            Body::Ack => empty,
        }
    }
}

impl<B: DeserializeOwned> WireFrame<'_, Box<RawValue>, B> {
    /// Reads the text of a JSON object.
    pub(super) fn read(text: &str) -> Result<Self, FrameError> {
        check_object(text.trim_start().starts_with('{'))?;
        // A field of another kind of frame may have any value: only then it is read twice.
        Ok(serde_json::from_str(text).or_else(|error| match own_fields(text) {
            Some(text) => serde_json::from_str(&text),
            None => Err(error),
        })?)
    }
}

impl<B> WireFrame<'_, Box<RawValue>, B> {
    pub(super) fn frame(
        self,
        blobs: impl FnOnce(Vec<B>) -> Result<Vec<Bytes>, FrameError>,
    ) -> Result<Frame, FrameError> {
        let Self { s, k, g, x, .. } = self;
        let ack = k.ok_or_else(|| missing("k"))?;
        let body = self.body(blobs)?;
        let seq = match body {
            Body::Ack => 0,
            Body::Other(_) => s,
            _ if s == 0 => return Err(missing("s")),
            _ => s,
        };
        let may_expire = matches!(body, Body::Emit { .. } | Body::Part { last: true, .. });
        let ttl = x.filter(|_| may_expire).map(Duration::from_millis);
        Ok(Frame { seq, ack, got: g.max(ack), ttl, body: body.into() })
    }

    pub(super) fn body(
        self,
        blobs: impl FnOnce(Vec<B>) -> Result<Vec<Bytes>, FrameError>,
    ) -> Result<Body, FrameError> {
        let args = |a: Option<Box<RawValue>>, b| {
            let a = a.ok_or_else(|| missing("a"))?;
            if wire::depth(a.get()) > limits::JSON_DEPTH {
                return Err(FrameError::Depth);
            }
            Args::new(a, blobs(b)?)
        };
        Ok(match self.t {
            FrameKind::Emit => Body::Emit {
                event: self.e.ok_or_else(|| missing("e"))?.into_owned(),
                args: args(self.a, self.b)?,
                wants_reply: self.r,
            },
            FrameKind::Reply => Body::Reply {
                to: self.to.ok_or_else(|| missing("to"))?,
                result: match self.err {
                    Some(error) => Err(Refusal::new(error.code, &error.message)),
                    None => Ok(args(self.a, self.b)?),
                },
            },
            FrameKind::Part => {
                Body::Part { text: self.d.ok_or_else(|| missing("d"))?.into_owned(), last: self.z }
            }
            FrameKind::Drop => Body::Drop,
            FrameKind::Cancel => Body::Cancel { to: self.to.ok_or_else(|| missing("to"))? },
            FrameKind::Ack => Body::Ack,
            FrameKind::Other(label) => Body::Other(label),
        })
    }
}
