//! The hot path: forwarding the messages of paired clients.
//!
//! It asks its own connection for the route, compares the pairing's id as text, and hands the
//! payload on as it came. The verdicts are those of [`socketio_p2p_protocol::relay`]. Two pairs share
//! no lock.

pub(crate) mod room_cell;
pub(crate) mod route_cell;
pub(crate) mod v1;

use std::sync::Arc;

use bytes::Bytes;
use socketio_p2p_protocol::{
    Code, FrameError,
    frame::{Batch, batch_from_text},
    limits::{RELAYED_FRAME_BYTES, SIGNAL_BYTES},
    relay::{
        Message, Named, Refused, SendFailure, admit_any, admit_signal, read_binary,
        salvaged_pairing,
    },
    wire::{FRAME, SIGNAL},
};

use crate::{
    connection::{Connection, Route, Way},
    outbound::{
        arguments::Arguments,
        socket::{send_frames, send_v2},
    },
    step::Shared,
};

/// Returns the route of a client to its partner, if it is paired and both clients know that.
fn route_to_partner(shared: &Shared, from: &Connection) -> Option<Arc<Route>> {
    let route = from.route()?;
    route.announced.wait(|| shared.await_present_step());
    Some(route)
}

/// Returns the route for a message that names this pairing, once both clients know the pairing.
fn route(shared: &Shared, from: &Connection, named: Named<'_>) -> Result<Arc<Route>, Refused> {
    let route = admit_any(from.route(), |named| from.rooms.find(named), named)?;
    route.announced.wait(|| shared.await_present_step());
    Ok(route)
}

/// Relays a `P2P_FRAME`, given the whole text of the event and its attachments.
pub(crate) fn frame(shared: &Arc<Shared>, from: &Connection, text: &str, attachments: &[Bytes]) {
    let relayed = match attachments {
        [] => frame_text(shared, from, text),
        [binary] => frame_binary(shared, from, text, binary),
        _ => Err(Code::BadArgs.into()),
    };
    if let Err(refused) = relayed {
        refuse(shared, from, with_pairing(refused, text, attachments));
    }
}

/// Adds the pairing that a message names to its refusal.
fn with_pairing(refused: Refused, text: &str, attachments: &[Bytes]) -> Refused {
    let Refused { refusal, pairing } = refused;
    Refused { refusal, pairing: pairing.or_else(|| salvaged_pairing(text, attachments)) }
}

/// Tells a client that a frame is not relayed.
pub(crate) fn refuse(shared: &Arc<Shared>, from: &Connection, refused: Refused) {
    let code = refused.refusal.code;
    if send_v2(&*from.outlet, &refused.of_frame()) == Err(SendFailure::Full) {
        shared.give_up(from.id);
    }
    shared.refused(from, code);
}

/// Forwards a `P2P_SIGNAL`, unparsed, if both clients allow a direct path.
pub(crate) fn signal(shared: &Arc<Shared>, from: &Connection, text: &str, attachments: &[Bytes]) {
    let forwarded = if attachments.is_empty() {
        forward_signal(shared, from, text)
    } else {
        Err(Code::BadArgs.into())
    };
    if let Err(refused) = forwarded {
        refuse_signal(shared, from, with_pairing(refused, text, attachments));
    }
}

/// Tells a client that a signal is not forwarded.
pub(crate) fn refuse_signal(shared: &Arc<Shared>, from: &Connection, refused: Refused) {
    let code = refused.refusal.code;
    // If it misses that, the attempt fails, and nothing else.
    send_v2(&*from.outlet, &refused.of_signal()).ok();
    shared.refused(from, code);
}

fn forward_signal(shared: &Shared, from: &Connection, text: &str) -> Result<(), Refused> {
    let Message { pairing, payload } = Message::read_signal(text, SIGNAL_BYTES)?;
    let route = route(shared, from, Named::Json(pairing))?;
    admit_signal(&route.verdicts, || match &route.signals {
        Some(signals) => signals.admits(),
        None => from.throttle.admits_signal(),
    })?;
    let sent = route.partner.outlet.emit(SIGNAL, Arguments::Raw(&[pairing, payload]));
    sent.map_err(|failure| route.refused(failure))
}

fn frame_text(shared: &Shared, from: &Connection, text: &str) -> Result<(), Refused> {
    let Message { pairing, payload } = Message::read(text, RELAYED_FRAME_BYTES)?;
    let route = route(shared, from, Named::Json(pairing))?;
    match &route.way {
        Way::Straight => {
            let sent = route.partner.outlet.emit(FRAME, Arguments::Raw(&[pairing, payload]));
            sent.map_err(|failure| route.refused(failure))
        }
        Way::Bridged(bridge, side) => {
            let unreadable =
                |error: &FrameError| Refused::unreadable(error, route.verdicts.pairing());
            admit_to_bridge(&route)?;
            let batch = batch_from_text(payload.get());
            let Batch { frames, unread } = batch.map_err(|error| unreadable(&error))?;
            bridge.receive(*side, frames);
            unread.map_or(Ok(()), |error| Err(unreadable(&error)))
        }
    }
}

fn frame_binary(
    shared: &Shared,
    from: &Connection,
    text: &str,
    binary: &Bytes,
) -> Result<(), Refused> {
    let (id, frame) = read_binary(text, binary)?;
    let route = route(shared, from, Named::Id(id))?;
    match &route.way {
        Way::Straight => {
            let outlet = &*route.partner.outlet;
            let sent = if route.partner.binary {
                outlet.emit(FRAME, Arguments::Binary(binary))
            } else {
                send_frames(outlet, id, &[frame])
            };
            sent.map_err(|failure| route.refused(failure))
        }
        Way::Bridged(bridge, side) => {
            admit_to_bridge(&route)?;
            bridge.receive(*side, vec![frame]);
            Ok(())
        }
    }
}

/// Refuses frames for a v1 client for which too many answers wait: they may contain more of them.
fn admit_to_bridge(route: &Route) -> Result<(), Refused> {
    if route.partner.outlet.is_full() { Err(route.refused(Code::Congested)) } else { Ok(()) }
}
