//! The hot path: forwarding what paired clients say to each other.
//!
//! It asks its own connection for the route, compares the pairing's id as text, and hands the
//! payload on as it came. Two pairs share no lock.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::{Value, value::RawValue};
use socketio_p2p_protocol::{
    Body, Code, Dialect, Frame, PairingId, Partner, ServerMessage,
    frame::batch_from_text,
    limits::{JSON_DEPTH, RELAYED_FRAME_BYTES, SIGNAL_BYTES},
    wire::{FRAME, SIGNAL, Shape},
};

use crate::{
    bridge::{Bridge, Side},
    connection::Connection,
    counters::Counted,
    server::Shared,
    slot::News,
    socket::{Arguments, SendFailure},
};

/// Where what a paired client says goes.
pub(crate) struct Route {
    pub(crate) pairing: PairingId,
    /// The same as JSON, to be compared with what a message says.
    pairing_json: String,
    pub(crate) partner: Arc<Connection>,
    pub(crate) way: Way,
    /// Whether signals go this way.
    direct: bool,
    news: News,
    _counted: Counted,
}

/// How it gets there.
pub(crate) enum Way {
    /// Both ends speak v2: as it came.
    Straight,
    /// One end speaks v1: through the session that the server keeps for it.
    Bridged(Arc<Bridge>, Side),
}

impl Route {
    pub(crate) fn new(
        partner: &Partner,
        connection: Arc<Connection>,
        way: Way,
        counted: Counted,
    ) -> Self {
        let pairing = partner.pairing;
        Self {
            pairing,
            pairing_json: format!("\"{pairing}\""),
            partner: connection,
            way,
            direct: partner.direct,
            news: News::untold(),
            _counted: counted,
        }
    }
}

/// Where what a client says goes, if it is paired and both ends know that.
pub(crate) fn route(shared: &Shared, from: &Connection) -> Option<Arc<Route>> {
    let route = from.route()?;
    route.news.wait(|| shared.await_present_step());
    Some(route)
}

/// Relays the arguments of a `P2P_FRAME`: the whole text of the event, and its attachments.
pub(crate) fn frame(shared: &Arc<Shared>, from: &Connection, text: &str, attachments: &[Bytes]) {
    let relayed = match attachments {
        [] => frame_text(shared, from, text),
        [binary] => frame_binary(shared, from, text, binary),
        _ => Err(Refused::from(Code::BadArgs)),
    };
    if let Err(Refused { code, pairing }) = relayed {
        refuse(shared, from, code, pairing);
    }
}

/// Tells a client that what it sent for this pairing is not relayed.
pub(crate) fn refuse(
    shared: &Arc<Shared>,
    from: &Connection,
    code: Code,
    pairing: Option<PairingId>,
) {
    let refusal = code.into();
    let told = from.send_v2(&ServerMessage::Error { refusal, req: None, pairing });
    if told == Err(SendFailure::Full) {
        // It would never learn that a frame of its is lost, and never send it again.
        shared.give_up(from.id);
    }
    shared.refused(from, code);
}

struct Refused {
    code: Code,
    pairing: Option<PairingId>,
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self { code, pairing: None }
    }
}

/// Forwards the arguments of a `P2P_SIGNAL`, unparsed, if both ends allow a direct path.
pub(crate) fn signal(shared: &Arc<Shared>, from: &Connection, text: &str, attachments: &[Bytes]) {
    let forwarded = if attachments.is_empty() {
        forward_signal(shared, from, text)
    } else {
        Err(Refused::from(Code::BadArgs))
    };
    if let Err(Refused { code, pairing }) = forwarded {
        refuse_signal(shared, from, code, pairing);
    }
}

/// Tells a client that a signal of its is not forwarded. If it misses that, the attempt fails.
pub(crate) fn refuse_signal(
    shared: &Arc<Shared>,
    from: &Connection,
    code: Code,
    pairing: Option<PairingId>,
) {
    from.send_v2(&ServerMessage::SignalRefused { refusal: code.into(), pairing }).ok();
    shared.refused(from, code);
}

fn forward_signal(shared: &Shared, from: &Connection, text: &str) -> Result<(), Refused> {
    let Checked { pairing, payload, route } = check(shared, from, text, SIGNAL_BYTES)?;
    let refused = |code| Refused { code, pairing: Some(route.pairing) };
    if !route.direct {
        return Err(refused(Code::Forbidden));
    }
    if !from.throttle.admits_signal() {
        return Err(refused(Code::RateLimited));
    }
    let sent = route.partner.outlet.emit(SIGNAL, Arguments::Raw(&[pairing, payload]));
    sent.map_err(|failure| refused(failure.into()))
}

/// A text that may be handed on, and where it goes.
struct Checked<'a> {
    pairing: &'a RawValue,
    payload: &'a RawValue,
    route: Arc<Route>,
}

/// What is asked of all that is handed on unparsed.
fn check<'a>(
    shared: &Shared,
    from: &Connection,
    text: &'a str,
    bytes: usize,
) -> Result<Checked<'a>, Refused> {
    let Shape { depth, doubtful } = Shape::of(text);
    if text.len() > bytes || depth > JSON_DEPTH {
        return Err(Code::TooLarge.into());
    }
    // Checks the whole text: nothing that is not JSON is handed on.
    let (_, pairing, payload): (IgnoredAny, &RawValue, &RawValue) =
        serde_json::from_str(text).map_err(|_| Code::BadArgs)?;
    let refused = |code| Refused { code, pairing: serde_json::from_str(pairing.get()).ok() };
    // What its parser cannot take the receiver would drop, and its session wait for it for ever.
    if doubtful && serde_json::from_str::<Value>(text).is_err() {
        return Err(refused(Code::BadArgs));
    }
    let route = route(shared, from).ok_or_else(|| refused(Code::NotPaired))?;
    if pairing.get() != route.pairing_json {
        return Err(refused(Code::StalePairing));
    }
    Ok(Checked { pairing, payload, route })
}

fn frame_text(shared: &Arc<Shared>, from: &Connection, text: &str) -> Result<(), Refused> {
    let Checked { pairing, payload: frame, route } =
        check(shared, from, text, RELAYED_FRAME_BYTES)?;
    let refused = |code| Refused { code, pairing: Some(route.pairing) };
    match &route.way {
        Way::Straight => {
            let sent = route.partner.outlet.emit(FRAME, Arguments::Raw(&[pairing, frame]));
            sent.map_err(|failure| refused(failure.into()))
        }
        Way::Bridged(bridge, side) => {
            let frames = batch_from_text(frame.get()).map_err(|_| refused(Code::BadArgs))?;
            bridge.receive(shared, *side, frames);
            Ok(())
        }
    }
}

fn frame_binary(
    shared: &Arc<Shared>,
    from: &Connection,
    text: &str,
    binary: &Bytes,
) -> Result<(), Refused> {
    if binary.len() > RELAYED_FRAME_BYTES {
        return Err(Code::TooLarge.into());
    }
    let _: (IgnoredAny, IgnoredAny) = serde_json::from_str(text).map_err(|_| Code::BadArgs)?;
    let (id, frame) = Frame::from_binary(binary.clone()).map_err(|_| Code::BadArgs)?;
    let refused = |code| Refused { code, pairing: Some(id) };
    if let Body::Emit { args, .. } | Body::Reply { result: Ok(args), .. } = &*frame.body {
        let Shape { depth, doubtful } = Shape::of(args.as_json());
        if depth > JSON_DEPTH {
            return Err(refused(Code::TooLarge));
        }
        if doubtful && args.parse::<Vec<Value>>().is_err() {
            return Err(refused(Code::BadArgs));
        }
    }
    let route = route(shared, from).ok_or_else(|| refused(Code::NotPaired))?;
    if id != route.pairing {
        return Err(refused(Code::StalePairing));
    }
    match &route.way {
        Way::Straight if route.partner.binary => {
            let sent = route.partner.outlet.emit(FRAME, Arguments::Binary(binary));
            sent.map_err(|failure| refused(failure.into()))
        }
        Way::Straight => {
            let sent = send_frames(&route.partner, id, std::slice::from_ref(&frame));
            sent.map_err(|failure| refused(failure.into()))
        }
        Way::Bridged(bridge, side) => {
            bridge.receive(shared, *side, vec![frame]);
            Ok(())
        }
    }
}

/// Sends frames to a v2 client as text, each in a message of its own.
pub(crate) fn send_frames(
    to: &Connection,
    pairing: PairingId,
    frames: &[Frame],
) -> Result<(), SendFailure> {
    debug_assert_eq!(to.dialect, Dialect::V2);
    let raw = |text| RawValue::from_string(text).map_err(|_| SendFailure::Arguments);
    let pairing = raw(format!("\"{pairing}\""))?;
    for frame in frames {
        let frame = raw(frame.to_text())?;
        to.outlet.emit(FRAME, Arguments::Raw(&[&pairing, &frame]))?;
    }
    Ok(())
}
