//! Two sessions over paths that lose, repeat and reorder frames, and that come and go.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use socketio_p2p_protocol::{
    Path,
    session::Input,
    sim::{Returns, SessionPair},
};

use super::{
    application::{some_call, some_emit, some_result, some_time},
    some_route, steps,
};

/// Plays the history. In the end the path is sound and everything arrives, or the pairing ends.
pub(super) fn run(bytes: &mut Unstructured<'_>, settles: bool) {
    let mut pair = SessionPair::new();
    steps(bytes, |bytes| {
        let result = step(&mut pair, bytes);
        assert_sound(&pair);
        result
    });
    if settles {
        settle(&mut pair);
    } else {
        pair.end();
    }
    assert_sound(&pair);
}

fn assert_sound(pair: &SessionPair) {
    if let Some(breach) = pair.oracle.breach() {
        panic!("{:?} is broken: {}", breach.rule, breach.what);
    }
}

fn step(pair: &mut SessionPair, bytes: &mut Unstructured<'_>) -> Result<()> {
    let choice: u8 = bytes.arbitrary()?;
    let at = usize::from(choice & 1);
    match (choice >> 1) % 24 {
        0..=4 => {
            for _ in 0..some_count(bytes)? {
                if let Some((size, options)) = some_emit(&pair.ends[at], bytes)? {
                    let call = pair.call(at, size, options, true);
                    pair.emit(at, call);
                }
            }
        }
        5..=10 => {
            for _ in 0..some_count(bytes)? {
                arrive(pair, at, 0, true);
            }
        }
        11..=12 => {
            let which = some_frame(pair, at, bytes)?;
            arrive(pair, at, which, true);
        }
        13 => {
            let which = some_frame(pair, at, bytes)?;
            arrive(pair, at, which, false);
        }
        14 => {
            let which = some_frame(pair, at, bytes)?;
            pair.ways[at].remove(which);
        }
        15..=17 => {
            for _ in 0..some_count(bytes)? {
                if let Some((seq, returns)) = some_result(&pair.ends[at], bytes)? {
                    pair.finish(at, seq, returns);
                }
            }
        }
        18 => {
            if let Some(call) = some_call(&pair.ends[at], bytes)? {
                pair.cancel(at, call as usize);
            }
        }
        19 => {
            pair.handle(at, Input::Closed(some_route(bytes)?));
            // What is under way may be lost with it.
            if bytes.arbitrary()? {
                pair.ways[1 - at].clear();
            }
        }
        20 => pair.handle(at, Input::Opened(some_route(bytes)?)),
        21 => pair.handle(at, Input::Refused(some_route(bytes)?)),
        22 => pair.pass(at, some_time(bytes)?),
        // A host whose timers are late.
        _ => pair.ends[at].now += some_time(bytes)?,
    }
    Ok(())
}

fn some_frame(pair: &SessionPair, at: usize, bytes: &mut Unstructured<'_>) -> Result<usize> {
    bytes.int_in_range(0..=pair.ways[at].len().saturating_sub(1))
}

/// A frame under way reaches an end.
fn arrive(pair: &mut SessionPair, at: usize, which: usize, once: bool) {
    let Some((path, frame)) = pair.ways[at].get(which).cloned() else { return };
    if once {
        pair.ways[at].remove(which);
    }
    pair.receive(at, path, frame);
}

/// A new path, that loses nothing.
fn settle(pair: &mut SessionPair) {
    for at in 0..2 {
        for path in [Path::Direct, Path::Relay] {
            pair.handle(at, Input::Closed(path));
        }
    }
    pair.ways = Default::default();
    for at in 0..2 {
        pair.handle(at, Input::Opened(Path::Relay));
    }
    while exchange(pair) {}
    pair.settle();
    for at in 0..2 {
        pair.pass(at, Duration::from_secs(20));
    }
    pair.check_idle();
}

/// Delivers everything, ends every handler, and passes some time. Returns whether that led to more.
fn exchange(pair: &mut SessionPair) -> bool {
    let mut busy = false;
    for at in 0..2 {
        while !pair.ways[at].is_empty() {
            busy = true;
            arrive(pair, at, 0, true);
        }
        while let Some((&seq, _)) = pair.ends[at].running().first_key_value() {
            busy = true;
            pair.finish(at, seq, Returns::Value(0));
        }
        pair.pass(at, Duration::from_millis(60));
    }
    busy || pair.ways.iter().any(|way| !way.is_empty())
}

fn some_count(bytes: &mut Unstructured<'_>) -> Result<usize> {
    Ok(*bytes.choose(&[1, 1, 1, 1, 2, 8, 64, 300])?)
}
