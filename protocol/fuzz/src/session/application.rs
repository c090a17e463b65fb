//! The acts of applications, drawn from bytes.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use socketio_p2p_protocol::{
    session::EmitOptions,
    sim::{Returns, SessionEnd},
};

/// Draws an emit: its size and its options. The caller should wait for room; who does not is refused.
pub(super) fn some_emit(
    end: &SessionEnd,
    bytes: &mut Unstructured<'_>,
) -> Result<Option<(usize, EmitOptions)>> {
    let size = some_size(bytes)?;
    if !end.session.has_room() && bytes.ratio(15, 16)? {
        return Ok(None);
    }
    let in_seconds: u8 = bytes.int_in_range(0..=12)?;
    let deadline = end.now + Duration::from_secs(in_seconds.into());
    let reply_by = bytes.ratio(2, 3)?.then_some(deadline);
    let expires = if bytes.ratio(1, 4)? { Some(end.now + some_time(bytes)?) } else { None };
    Ok(Some((size, EmitOptions { reply_by, expires, via: None })))
}

/// Draws one of the handlers that run, mostly the first, and its result.
pub(super) fn some_result(
    end: &SessionEnd,
    bytes: &mut Unstructured<'_>,
) -> Result<Option<(u64, Returns)>> {
    let running = end.running();
    if running.is_empty() {
        return Ok(None);
    }
    let at = if bytes.arbitrary()? { 0 } else { bytes.choose_index(running.len())? };
    let returns = match bytes.int_in_range(0..=7_u8)? {
        0 => Returns::Failure,
        1 => Returns::Nothing,
        _ => Returns::Value(some_size(bytes)?),
    };
    Ok(running.keys().nth(at).map(|seq| (*seq, returns)))
}

/// Draws a call that waits.
pub(super) fn some_call(end: &SessionEnd, bytes: &mut Unstructured<'_>) -> Result<Option<u64>> {
    if end.pending().is_empty() {
        return Ok(None);
    }
    let at = bytes.choose_index(end.pending().len())?;
    Ok(end.pending().iter().nth(at).copied())
}

/// Mostly short; some travel in parts.
fn some_size(bytes: &mut Unstructured<'_>) -> Result<usize> {
    Ok(*bytes
        .choose(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 2_000, 20_000, 70_000])?)
}

pub(super) fn some_time(bytes: &mut Unstructured<'_>) -> Result<Duration> {
    let times = [0, 1, 10, 24, 25, 49, 50, 1_000, 10_000];
    Ok(Duration::from_millis(*bytes.choose(&times)?))
}
