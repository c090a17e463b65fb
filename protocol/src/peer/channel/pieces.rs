//! Messages in pieces, for a channel that may lose them and sends nothing again.
//!
//! SCTP holds the later messages of an ordered channel back until it has given up a lost one, and rtc-sctp 0.21
//! may take a second for that. It also sends all of a long message that it has taken, however late. So each
//! piece travels as a message of its own, in any order, and the receiver puts them together.
//!
//! ```text
//!  0                  4         6         8
//!  number of message │ index   │ text?, index of the last piece │ up to 1,100 bytes
//! ```

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use super::Kind;
use crate::limits::{CHANNEL_MESSAGE_BYTES, CHANNEL_PARTS, CHANNEL_PIECE_BYTES};

/// Bytes before the content of a piece.
const HEADER: usize = 8;

/// Pieces of the longest message.
const MOST: usize = CHANNEL_MESSAGE_BYTES.div_ceil(CHANNEL_PIECE_BYTES);

/// The bit of the last index that marks a text.
const TEXT: u16 = 1 << 15;

/// Cuts a message into pieces. A message has one at least, and is not longer than [`CHANNEL_MESSAGE_BYTES`].
pub fn pieces(number: u32, kind: Kind, message: &[u8]) -> impl Iterator<Item = Bytes> {
    let last = message.len().saturating_sub(1) / CHANNEL_PIECE_BYTES;
    let mark = if kind == Kind::Text { TEXT } else { 0 };
    (0..=last).map(move |index| {
        let start = index * CHANNEL_PIECE_BYTES;
        let content = &message[start..message.len().min(start + CHANNEL_PIECE_BYTES)];
        let mut piece = BytesMut::with_capacity(HEADER + content.len());
        piece.put_u32(number);
        piece.put_u16(index as u16);
        piece.put_u16(last as u16 | mark);
        piece.put_slice(content);
        piece.freeze()
    })
}

/// The pieces of a channel that have come, until their messages are complete.
#[derive(Debug)]
pub struct Pieces {
    in_order: bool,
    /// The number of the last message that was delivered.
    delivered: Option<u32>,
    /// Messages that are not complete, at most [`CHANNEL_PARTS`], the oldest first.
    parts: VecDeque<PartialMessage>,
}

#[derive(Debug)]
struct PartialMessage {
    number: u32,
    kind: Kind,
    missing: usize,
    pieces: Vec<Option<Bytes>>,
}

impl Pieces {
    /// Creates the collector of a channel. If it keeps the order, a message that was overtaken is lost.
    #[must_use]
    pub const fn new(in_order: bool) -> Self {
        Self { in_order, delivered: None, parts: VecDeque::new() }
    }

    /// Takes a piece. Returns the message that it completes, if it does. What cannot be a piece is ignored.
    pub fn received(&mut self, mut piece: Bytes) -> Option<(Kind, Bytes)> {
        if piece.len() < HEADER || piece.len() > HEADER + CHANNEL_PIECE_BYTES {
            return None;
        }
        let header = piece.split_to(HEADER);
        let number = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let index = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let last = u16::from_be_bytes([header[6], header[7]]);
        let kind = if last & TEXT == 0 { Kind::Binary } else { Kind::Text };
        let count = usize::from(last & !TEXT) + 1;
        let is_late = self.delivered.is_some_and(|delivered| !is_after(number, delivered));
        if index >= count || count > MOST || (self.in_order && is_late) {
            return None;
        }
        let message =
            if count == 1 { piece } else { self.collect(number, kind, index, count, piece)? };
        if self.in_order {
            self.parts.retain(|part| is_after(part.number, number));
        }
        self.delivered = Some(number);
        (message.len() <= CHANNEL_MESSAGE_BYTES).then_some((kind, message))
    }

    /// Keeps one of several pieces. Returns the message if it was the last that was missing.
    fn collect(
        &mut self,
        number: u32,
        kind: Kind,
        index: usize,
        count: usize,
        piece: Bytes,
    ) -> Option<Bytes> {
        let at = match self.parts.iter().position(|part| part.number == number) {
            Some(at) => at,
            None => self.begin(number, kind, count)?,
        };
        let part = &mut self.parts[at];
        if part.pieces.len() != count || part.kind != kind || part.pieces[index].is_some() {
            return None;
        }
        part.pieces[index] = Some(piece);
        part.missing -= 1;
        if part.missing > 0 {
            return None;
        }
        let part = self.parts.remove(at)?;
        Some(part.pieces.into_iter().flatten().collect::<Vec<_>>().concat().into())
    }

    /// Makes room for a message, and returns its place. The oldest one gives way, or this one if it is older still.
    fn begin(&mut self, number: u32, kind: Kind, count: usize) -> Option<usize> {
        let mut at = self.parts.iter().take_while(|part| is_after(number, part.number)).count();
        if self.parts.len() == CHANNEL_PARTS {
            if at == 0 {
                return None;
            }
            self.parts.pop_front();
            at -= 1;
        }
        self.parts
            .insert(at, PartialMessage { number, kind, missing: count, pieces: vec![None; count] });
        Some(at)
    }
}

/// Returns true if one number comes after another. They wrap around (RFC 1982).
const fn is_after(number: u32, other: u32) -> bool {
    number != other && number.wrapping_sub(other) < 1 << 31
}
