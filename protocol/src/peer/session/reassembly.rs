//! The parts of the partner's value that have arrived so far: one value at a time.

use super::Violation;
use crate::{Body, limits::VALUE_BYTES};

/// Bytes of a value beside its arguments: the event's name, fields and punctuation.
pub(super) const OVERHEAD: usize = 1024;

/// The most bytes of a value.
pub(super) const MOST: usize = VALUE_BYTES + OVERHEAD;

#[derive(Debug, Default)]
pub(super) struct Reassembly {
    text: String,
    /// True if the value became too long: the rest of it is ignored.
    spoilt: bool,
}

impl Reassembly {
    /// Returns the bytes that are kept.
    pub(super) const fn size(&self) -> usize {
        self.text.len()
    }

    /// Adds the next part.
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

    /// Returns the value whose last part was added, or `None` if it was too long.
    pub(super) fn finish(&mut self) -> Result<Option<Body>, Violation> {
        let Self { text, spoilt } = std::mem::take(self);
        if spoilt {
            return Ok(None);
        }
        // The relay saw its parts as any text.
        let body = Body::from_json(&text).map_err(|_| Violation::Value)?;
        if body.size() > MOST || !body.can_be_read() {
            return Err(Violation::Value);
        }
        Ok(Some(body))
    }

    /// Drops the parts: no more will follow.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
