//! The parts of the partner's value that have come so far: one value at a time.

use super::Violation;
use crate::{Body, limits::VALUE_BYTES};

/// Bytes of a value beside its arguments: the event's name, fields and punctuation.
pub(super) const OVERHEAD: usize = 1024;

/// Bytes of a value at most.
pub(super) const MOST: usize = VALUE_BYTES + OVERHEAD;

#[derive(Debug, Default)]
pub(super) struct Reassembly {
    text: String,
    /// It became too long: the rest of it is ignored.
    spoilt: bool,
}

impl Reassembly {
    /// Bytes that it keeps.
    pub(super) const fn size(&self) -> usize {
        self.text.len()
    }

    /// Adds what came next.
    pub(super) fn add(&mut self, piece: &str) -> Result<(), Violation> {
        if self.spoilt {
            return Ok(());
        }
        if self.text.len() + piece.len() > MOST {
            *self = Self { text: String::new(), spoilt: true };
            return Err(Violation::Value);
        }
        self.text.push_str(piece);
        Ok(())
    }

    /// The value whose last part was added; none if it was too long.
    pub(super) fn finish(&mut self) -> Result<Option<Body>, Violation> {
        let Self { text, spoilt } = std::mem::take(self);
        if spoilt {
            return Ok(None);
        }
        // Its parts looked like any text to whoever relayed them.
        let body = Body::from_json(&text).map_err(|_| Violation::Value)?;
        if body.size() > MOST || !body.can_be_read() {
            return Err(Violation::Value);
        }
        Ok(Some(body))
    }

    /// There will be no more parts of it.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
