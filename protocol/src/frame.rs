//! What a session sends: one codec for every path, in two spellings.
//!
//! As text a frame is a JSON object, with blobs as base64 under `b`. As one binary value it is
//!
//! ```text
//! length of the pairing id: 1 byte | pairing id | length of the header: 4 bytes, big-endian
//! | header: the JSON object, its `b` the lengths of the blobs | the blobs, one after another
//! ```

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{Args, Code, PairingId, Refusal, limits, wire};

/// Why arguments, a frame or a batch of them could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("not a frame")]
    Json(#[from] serde_json::Error),
    /// The arguments are not an array.
    #[error("the arguments are not an array")]
    NotAnArray,
    /// The arguments are nested deeper than [`limits::JSON_DEPTH`].
    #[error("the arguments are nested too deep")]
    Depth,
    /// The blobs are not base64.
    #[error("a blob is not base64")]
    Base64(#[from] base64::DecodeError),
    /// The binary spelling ends too early or its lengths do not add up.
    #[error("the lengths of a binary frame do not add up")]
    Lengths,
    /// The binary spelling names no pairing.
    #[error("a binary frame without a pairing id")]
    Pairing,
    /// None, or more than [`limits::BATCH_FRAMES`].
    #[error("a batch of no frames or of too many")]
    Batch,
}

/// One frame of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its number, counted from 1 in each direction; 0 for one that is not in the window.
    pub seq: u64,
    /// The highest number up to which everything of the partner was taken: emits whose handlers
    /// have started, and replies.
    pub ack: u64,
    /// The highest number up to which everything of the partner arrived; at least `ack`.
    pub got: u64,
    /// What it says. Shared with the window, from which it may be sent again.
    pub body: Arc<Body>,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Run the handler of an event.
    Emit {
        /// Its name.
        event: String,
        /// For the handler.
        args: Args,
        /// Whether the sender waits for a reply.
        reply: bool,
    },
    /// What a handler said.
    Reply {
        /// The number of the emit.
        to: u64,
        /// Its arguments, or why there are none.
        result: Result<Args, Refusal>,
    },
    /// Nothing but [`Frame::ack`].
    Ack,
}

impl Body {
    /// Bytes that it keeps in a window, roughly as many as it takes on the wire.
    #[must_use]
    pub fn size(&self) -> usize {
        const FRAME: usize = 64;
        let args = |args: &Args| args.size() + size_of_val(args.blobs());
        FRAME
            + match self {
                Self::Emit { event, args: list, .. } => event.len() + args(list),
                Self::Reply { result: Ok(list), .. } => args(list),
                Self::Reply { result: Err(refusal), .. } => refusal.message.len(),
                Self::Ack => 0,
            }
    }
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Emit,
    Reply,
    Ack,
}

#[derive(Deserialize, Serialize)]
struct WireError {
    code: Code,
    #[serde(default)]
    message: String,
}

/// The JSON object, with `B` for the blobs: base64 or their lengths.
#[derive(Deserialize, Serialize)]
struct WireFrame<A, B> {
    #[serde(default, skip_serializing_if = "is_zero")]
    s: u64,
    k: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    g: u64,
    t: Kind,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    r: bool,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    a: Option<A>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    err: Option<WireError>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    b: Vec<B>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

const fn none<T>() -> Option<T> {
    None
}

impl Frame {
    fn to_wire<B>(&self, blob: impl Fn(&Bytes) -> B) -> WireFrame<&RawValue, B> {
        let mut wire = WireFrame {
            s: self.seq,
            k: self.ack,
            g: if self.got > self.ack { self.got } else { 0 },
            t: Kind::Ack,
            e: None,
            r: false,
            to: None,
            a: None,
            err: None,
            b: Vec::new(),
        };
        let args = match &*self.body {
            Body::Emit { event, args, reply } => {
                wire.t = Kind::Emit;
                wire.e = Some(event.clone());
                wire.r = *reply;
                Some(args)
            }
            Body::Reply { to, result } => {
                wire.t = Kind::Reply;
                wire.to = Some(*to);
                match result {
                    Ok(args) => Some(args),
                    Err(refusal) => {
                        let message = refusal.message.clone().into_owned();
                        wire.err = Some(WireError { code: refusal.code, message });
                        None
                    }
                }
            }
            Body::Ack => None,
        };
        if let Some(args) = args {
            wire.a = Some(args.raw());
            wire.b = args.blobs().iter().map(blob).collect();
        }
        wire
    }

    fn from_wire<B>(
        frame: WireFrame<Box<RawValue>, B>,
        blobs: impl FnOnce(Vec<B>) -> Result<Vec<Bytes>, FrameError>,
    ) -> Result<Self, FrameError> {
        let missing = |field| FrameError::Json(serde::de::Error::missing_field(field));
        let args = |a: Option<Box<RawValue>>, b| {
            let a = a.ok_or(missing("a"))?;
            if wire::depth(a.get()) > limits::JSON_DEPTH {
                return Err(FrameError::Depth);
            }
            Args::new(a, blobs(b)?)
        };
        let body = match frame.t {
            Kind::Emit => Body::Emit {
                event: frame.e.ok_or(missing("e"))?,
                args: args(frame.a, frame.b)?,
                reply: frame.r,
            },
            Kind::Reply => Body::Reply {
                to: frame.to.ok_or(missing("to"))?,
                result: match frame.err {
                    Some(error) => Err(Refusal::new(error.code, &error.message)),
                    None => Ok(args(frame.a, frame.b)?),
                },
            },
            Kind::Ack => Body::Ack,
        };
        let seq = match body {
            Body::Ack => 0,
            _ if frame.s == 0 => return Err(missing("s")),
            _ => frame.s,
        };
        Ok(Self { seq, ack: frame.k, got: frame.g.max(frame.k), body: Arc::new(body) })
    }

    /// As the text of a JSON object.
    #[must_use]
    pub fn to_text(&self) -> String {
        let wire = self.to_wire(|blob| STANDARD.encode(blob));
        // Only a failing `Serialize` or a map without string keys can fail here: there is neither.
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// As a JSON value, for a host that takes nothing else.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let wire = self.to_wire(|blob| STANDARD.encode(blob));
        serde_json::to_value(&wire).unwrap_or_default()
    }

    /// Reads the text of a JSON object.
    ///
    /// # Errors
    ///
    /// Any of [`FrameError`] but those of the binary spelling.
    pub fn from_text(text: &str) -> Result<Self, FrameError> {
        check_object(text.trim_start().starts_with('{'))?;
        Self::from_wire(serde_json::from_str(text)?, from_base64)
    }

    /// Reads a JSON object.
    ///
    /// # Errors
    ///
    /// As [`Self::from_text`].
    pub fn from_value(value: Value) -> Result<Self, FrameError> {
        check_object(value.is_object())?;
        Self::from_wire(serde_json::from_value(value)?, from_base64)
    }

    /// As one binary value.
    #[must_use]
    pub fn to_binary(&self, pairing: PairingId) -> Bytes {
        let pairing = pairing.to_string();
        let header = serde_json::to_vec(&self.to_wire(Bytes::len)).unwrap_or_default();
        let mut binary =
            BytesMut::with_capacity(5 + pairing.len() + header.len() + self.body.size());
        // A pairing id is at most 33 bytes long, and a header is far shorter than 4 GiB.
        binary.put_u8(pairing.len() as u8);
        binary.put_slice(pairing.as_bytes());
        binary.put_u32(header.len() as u32);
        binary.put_slice(&header);
        if let Body::Emit { args, .. } | Body::Reply { result: Ok(args), .. } = &*self.body {
            for blob in args.blobs() {
                binary.put_slice(blob);
            }
        }
        binary.freeze()
    }

    /// Reads one binary value; the blobs share its memory.
    ///
    /// # Errors
    ///
    /// Any of [`FrameError`] but that of base64.
    pub fn from_binary(mut binary: Bytes) -> Result<(PairingId, Self), FrameError> {
        let length = usize::from(binary.try_get_u8().map_err(|_| FrameError::Lengths)?);
        let pairing = take(&mut binary, length)?;
        let pairing = std::str::from_utf8(&pairing).map_err(|_| FrameError::Pairing)?;
        let pairing = pairing.parse().map_err(|_| FrameError::Pairing)?;
        let length = binary.try_get_u32().map_err(|_| FrameError::Lengths)?;
        let header = take(&mut binary, usize::try_from(length).map_err(|_| FrameError::Lengths)?)?;
        check_object(header.starts_with(b"{"))?;
        let frame = Self::from_wire(serde_json::from_slice(&header)?, |lengths: Vec<usize>| {
            lengths.into_iter().map(|length| take(&mut binary, length)).collect()
        })?;
        if binary.is_empty() { Ok((pairing, frame)) } else { Err(FrameError::Lengths) }
    }
}

/// Serde would take an array for the fields in their order as well.
fn check_object(is_object: bool) -> Result<(), FrameError> {
    if is_object {
        Ok(())
    } else {
        Err(FrameError::Json(serde::de::Error::custom("not an object")))
    }
}

fn take(binary: &mut Bytes, length: usize) -> Result<Bytes, FrameError> {
    if binary.len() < length { Err(FrameError::Lengths) } else { Ok(binary.split_to(length)) }
}

fn from_base64(blobs: Vec<String>) -> Result<Vec<Bytes>, FrameError> {
    blobs.into_iter().map(|blob| Ok(STANDARD.decode(blob)?.into())).collect()
}

/// Reads the second argument of a `P2P_FRAME`: one frame, or an array of them.
///
/// # Errors
///
/// That of the first frame that cannot be read, or [`FrameError::Batch`].
pub fn batch_from_value(value: Value) -> Result<Vec<Frame>, FrameError> {
    match value {
        Value::Array(frames) if (1..=limits::BATCH_FRAMES).contains(&frames.len()) => {
            frames.into_iter().map(Frame::from_value).collect()
        }
        Value::Array(_) => Err(FrameError::Batch),
        frame => Ok(vec![Frame::from_value(frame)?]),
    }
}

/// Reads the text of the second argument of a `P2P_FRAME`.
///
/// # Errors
///
/// As [`batch_from_value`].
pub fn batch_from_text(text: &str) -> Result<Vec<Frame>, FrameError> {
    if !text.trim_start().starts_with('[') {
        return Ok(vec![Frame::from_text(text)?]);
    }
    let frames: Vec<&RawValue> = serde_json::from_str(text)?;
    if !(1..=limits::BATCH_FRAMES).contains(&frames.len()) {
        return Err(FrameError::Batch);
    }
    frames.into_iter().map(|frame| Frame::from_text(frame.get())).collect()
}
