//! Sessions: two that are honest over a path that is not, and one whose partner is hostile.

mod application;
mod hostile;
mod pair;

use arbitrary::{Result, Unstructured};
use socketio_p2p_protocol::Path;

/// Longer histories find nothing that shorter ones do not.
const STEPS: usize = 400;

/// Plays a history of either kind.
pub fn run(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    match bytes.arbitrary::<u8>() {
        Ok(kind) if kind % 2 == 0 => pair::run(&mut bytes, kind % 8 != 6),
        Ok(_) => hostile::run(&mut bytes),
        Err(_) => {}
    }
}

/// Takes steps while there are bytes.
fn steps(bytes: &mut Unstructured<'_>, mut step: impl FnMut(&mut Unstructured<'_>) -> Result<()>) {
    for _ in 0..STEPS {
        if bytes.is_empty() || step(bytes).is_err() {
            return;
        }
    }
}

fn some_route(bytes: &mut Unstructured<'_>) -> Result<Path> {
    Ok(if bytes.ratio(1, 4)? { Path::Direct } else { Path::Relay })
}
