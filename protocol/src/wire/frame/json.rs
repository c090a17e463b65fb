//! A frame as a JSON object.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{Body, Frame, FrameError};
use crate::{
    Args, Code, Refusal, limits,
    wire::{self, Label, labels},
};

labels! {
    /// The kind of a frame.
    pub(super) Kind {
        /// See [`Body::Emit`].
        Emit = "emit",
        /// See [`Body::Reply`].
        Reply = "reply",
        /// See [`Body::Part`].
        Part = "part",
        /// See [`Body::Drop`].
        Drop = "drop",
        /// See [`Body::Ack`].
        Ack = "ack",
    }
}

impl Kind {
    /// Returns the kind of a frame; `None` if it has none.
    pub(super) fn of_value(frame: &Value) -> Option<Self> {
        Some(frame.get("t")?.as_str()?.into())
    }
}

/// A kind that this version does not know.
#[derive(Deserialize)]
#[serde(try_from = "Kind")]
pub(super) struct UnknownKind(pub(super) Label);

impl TryFrom<Kind> for UnknownKind {
    type Error = &'static str;

    fn try_from(kind: Kind) -> Result<Self, Self::Error> {
        match kind {
            Kind::Other(label) => Ok(Self(label)),
            _ => Err("a known kind"),
        }
    }
}

/// A frame of an unknown kind: the fields that every version can read.
#[derive(Deserialize)]
pub(super) struct UnknownFrame {
    #[serde(default)]
    s: u64,
    k: u64,
    #[serde(default)]
    g: u64,
    t: UnknownKind,
}

impl From<UnknownFrame> for Frame {
    fn from(frame: UnknownFrame) -> Self {
        let UnknownFrame { s: seq, k: ack, g, t: UnknownKind(label) } = frame;
        Self { seq, ack, got: g.max(ack), ttl: None, body: Body::Other(label).into() }
    }
}

#[derive(Deserialize, Serialize)]
struct ErrorFields {
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
    t: Kind,
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
    err: Option<ErrorFields>,
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
            t: Kind::Ack,
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
                t: Kind::Emit,
                e: Some(event.into()),
                r: *wants_reply,
                a: Some(args.raw()),
                b: blobs(args),
                ..empty
            },
            Body::Reply { to, result: Ok(args) } => {
                Self { t: Kind::Reply, to: Some(*to), a: Some(args.raw()), b: blobs(args), ..empty }
            }
            Body::Reply { to, result: Err(Refusal { code, message }) } => {
                let err = ErrorFields { code: *code, message: message.clone().into_owned() };
                Self { t: Kind::Reply, to: Some(*to), err: Some(err), ..empty }
            }
            Body::Part { text, last } => {
                Self { t: Kind::Part, d: Some(text.into()), z: *last, ..empty }
            }
            Body::Drop => Self { t: Kind::Drop, ..empty },
            Body::Other(label) => Self { t: Kind::Other(*label), ..empty },
            Body::Ack => empty,
        }
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
            Kind::Emit => Body::Emit {
                event: self.e.ok_or_else(|| missing("e"))?.into_owned(),
                args: args(self.a, self.b)?,
                wants_reply: self.r,
            },
            Kind::Reply => Body::Reply {
                to: self.to.ok_or_else(|| missing("to"))?,
                result: match self.err {
                    Some(error) => Err(Refusal::new(error.code, &error.message)),
                    None => Ok(args(self.a, self.b)?),
                },
            },
            Kind::Part => {
                Body::Part { text: self.d.ok_or_else(|| missing("d"))?.into_owned(), last: self.z }
            }
            Kind::Drop => Body::Drop,
            Kind::Ack => Body::Ack,
            Kind::Other(label) => Body::Other(label),
        })
    }
}
