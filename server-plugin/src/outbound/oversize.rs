//! Messages on a websocket that are too long: each is left out, and a short one takes its place.
//!
//! Below a socket such a message ends the connection, and with it all that was under way. What takes its place
//! tells the plugin which event it was: it is the event [`TOO_LARGE`], or an acknowledgement that is no JSON.
//! What the application could not tell from whole data ends the connection as before: the attachments of
//! its own events, and of an acknowledgement.

use socketio_p2p_protocol::limits::{RELAYED_FRAME_BYTES, SKIPPED_BYTES};
use tokio::io::ReadBuf;

use super::frames::{Frames, Header, Kind, MASK_BYTES, Step};
use crate::inbound::{TOO_LARGE, salvage};

/// The first bytes of a text that are looked at: the type of its packet, its namespace, its number and the
/// name of its event.
const START_BYTES: usize = 512;

/// The beginning of an event with attachments.
const EVENT: &[u8] = b"45";

/// The longest header of a frame, with its mask.
const HEADER_BYTES: usize = 14;

/// What is left out of a websocket, and what takes its place.
#[derive(Debug, Default)]
pub(super) struct Oversize {
    message: Message,
    frame: Frame,
    /// The fragments of a message whose length is not known yet.
    held: Vec<u8>,
    /// Bytes to be handed over next.
    queue: Vec<u8>,
    /// `true` once the connection cannot go on.
    is_broken: bool,
}

/// The present message.
#[derive(Debug, Default)]
struct Message {
    is_text: bool,
    /// The bytes of its frames so far. The attachments of a text count together.
    bytes: u64,
    /// What `bytes` was before it: attachments only.
    bytes_before: u64,
    /// The first bytes of the last text: as many as are needed.
    start: Vec<u8>,
    /// `true` while nothing of it was handed over.
    is_untouched: bool,
    /// `true` if it is left out.
    is_out: bool,
    /// `true` until something has taken its place.
    is_to_be_replaced: bool,
    /// The attachments that belong to a text which was left out.
    attachments: usize,
}

/// The present frame.
#[derive(Debug, Default)]
struct Frame {
    fate: Fate,
    /// The bytes that were read behind its header.
    at: usize,
    mask: [u8; MASK_BYTES],
    mask_bytes: usize,
    begins_text: bool,
    /// `true` if all of [`START_BYTES`] are of interest, whatever the packet.
    is_of_interest: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Fate {
    #[default]
    On,
    Held,
    Out,
}

impl Oversize {
    /// Hands over what waits. Returns `false` if nothing does.
    pub(super) fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let bytes = self.queue.len().min(buf.remaining());
        buf.put_slice(&self.queue[..bytes]);
        self.queue.drain(..bytes);
        if self.queue.is_empty() {
            self.queue = Vec::new();
        }
        bytes > 0
    }

    /// Keeps the beginning of a header, to be handed over next. Its message cannot be left out.
    pub(super) fn give_up(&mut self, frames: &mut Frames) {
        self.queue.extend_from_slice(frames.kept());
        frames.let_out();
    }

    /// Returns whether the connection cannot go on: a message has no end, or nothing can take its place.
    pub(super) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Returns whether the reader has whole messages, and waits for the end of one that it does not see.
    pub(super) fn hides(&self, frames: &Frames) -> bool {
        self.frame.fate != Fate::On && self.queue.is_empty() && frames.to_gap() > 0
    }

    /// Follows bytes behind those that were [kept](Frames::kept). Moves those to hand over to the front, and
    /// returns their number. Others may be handed over later, by [`Self::give`].
    pub(super) fn screen(&mut self, frames: &mut Frames, bytes: &mut [u8], limit: usize) -> usize {
        frames.take_back_kept();
        let (mut from, mut kept) = (0, 0);
        while from < bytes.len() {
            let step = frames.step(&bytes[from..]);
            let (read, fate) = match step {
                // It comes again with the rest, unless its beginning is out.
                Step::Part(read) if frames.kept().is_empty() => (read, Fate::On),
                Step::Part(read) => (read, Fate::Out),
                Step::Header(read, header, was_out) => {
                    self.decide(header, limit as u64, was_out);
                    (read, self.frame.fate)
                }
                Step::Payload(read) => {
                    self.look_at(&bytes[from..from + read]);
                    (read, self.frame.fate)
                }
            };
            match fate {
                Fate::On if self.queue.is_empty() => {
                    bytes.copy_within(from..from + read, kept);
                    kept += read;
                }
                Fate::On => self.queue.extend_from_slice(&bytes[from..from + read]),
                Fate::Held => self.held.extend_from_slice(&bytes[from..from + read]),
                Fate::Out => {}
            }
            from += read;
            if !matches!(step, Step::Part(_)) {
                self.settle(frames);
            }
        }
        kept
    }

    fn decide(&mut self, header: Header, limit: u64, was_out: bool) {
        let Header { is_first, is_last, kind, payload, has_mask } = header;
        let mask_bytes = if has_mask { MASK_BYTES } else { 0 };
        self.frame = Frame { mask_bytes, ..Frame::default() };
        if kind == Kind::Control {
            return;
        }
        if is_first {
            self.begin(kind == Kind::Text);
        }
        let message = &mut self.message;
        message.bytes = message.bytes.saturating_add(payload);
        message.is_untouched &= !was_out;
        self.frame.begins_text = is_first && message.is_text;
        self.frame.is_of_interest = !is_last || message.bytes > limit;
        let may_be_left_out = message.is_text || message.has_our_attachments();
        if !message.is_out && message.bytes > limit && may_be_left_out {
            // What was handed over cannot be taken back.
            self.is_broken |= !message.is_untouched;
            message.is_out = true;
            message.is_to_be_replaced = true;
            self.held = Vec::new();
        }
        self.is_broken |= message.is_out && message.bytes > SKIPPED_BYTES;
        let is_held = !self.held.is_empty() || (is_first && !is_last && !was_out);
        self.frame.fate = match message.is_out {
            true => Fate::Out,
            false if is_held && may_be_left_out => Fate::Held,
            false => {
                message.is_untouched = false;
                Fate::On
            }
        };
    }

    fn begin(&mut self, is_text: bool) {
        let message = &mut self.message;
        let follows_text = std::mem::replace(&mut message.is_text, is_text);
        message.is_untouched = true;
        message.is_out = !is_text && message.attachments > 0;
        message.attachments = message.attachments.saturating_sub(1);
        if is_text {
            message.attachments = 0;
            message.start.clear();
        }
        if is_text || follows_text {
            message.bytes = 0;
        }
        message.bytes_before = message.bytes;
    }

    /// Keeps the first bytes of a text.
    fn look_at(&mut self, bytes: &[u8]) {
        let Frame { at, mask, mask_bytes, begins_text, is_of_interest, .. } = &mut self.frame;
        let before = *at;
        *at = at.saturating_add(bytes.len());
        if before >= *mask_bytes && !*begins_text {
            return;
        }
        for (place, byte) in (before..).zip(bytes) {
            match place.checked_sub(*mask_bytes) {
                None => mask[place] = *byte,
                Some(place) if *begins_text && place < START_BYTES => {
                    let byte = byte ^ mask[place % MASK_BYTES];
                    // Of other packets with attachments there is nothing to know.
                    *begins_text = *is_of_interest || EVENT.get(place).is_none_or(|e| *e == byte);
                    self.message.start.push(byte);
                }
                Some(_) => {
                    *begins_text = false;
                    break;
                }
            }
        }
    }

    /// Hands over what takes the place of a message, or a message that was held, once that is clear.
    fn settle(&mut self, frames: &Frames) {
        let Self { message, held, queue, .. } = self;
        let is_known = message.start.len() == START_BYTES || frames.has_ended();
        if message.is_to_be_replaced && (is_known || !message.is_text) {
            message.is_to_be_replaced = false;
            match message.replacement() {
                Some((kind, payload)) => write(queue, kind, &payload),
                None => self.is_broken = true,
            }
        } else if frames.has_ended() && !frames.is_split() && !message.is_out {
            queue.append(held);
            *held = Vec::new();
        }
    }
}

impl Message {
    /// Returns whether the last text announced attachments of an event of the plugin.
    fn has_our_attachments(&self) -> bool {
        const NAME: &[u8] = b"[\"P2P_";
        self.start.starts_with(EVENT) && self.start.windows(NAME.len()).any(|at| at == NAME)
    }

    /// Returns what takes its place: the opcode, and the payload.
    fn replacement(&mut self) -> Option<(u8, Vec<u8>)> {
        if !self.is_text {
            // With this attachment, the relay refuses the event as too large.
            let missing = (RELAYED_FRAME_BYTES as u64 + 1).saturating_sub(self.bytes_before);
            return Some((2, vec![0; missing as usize]));
        }
        let start = String::from_utf8_lossy(&self.start);
        let packet = start.strip_prefix('4')?;
        let (kind, rest) = packet.split_at_checked(1)?;
        let (attachments, rest) = match kind {
            "5" | "6" => rest.split_once('-')?,
            _ => ("0", rest),
        };
        let at = rest.find('[')?;
        let (address, args) = rest.split_at(at);
        // A namespace and a number.
        let is_address = address.ends_with(|last: char| last.is_ascii_digit() || last == ',');
        if !address.is_empty() && !is_address {
            return None;
        }
        let packet = match kind {
            "2" | "5" => {
                let name = salvage::event(args)?;
                let args = serde_json::json!([TOO_LARGE, name, self.bytes]);
                format!("42{address}{args}")
            }
            "3" | "6" => format!("43{address}["),
            _ => return None,
        };
        self.attachments = attachments.parse().ok()?;
        Some((1, packet.into_bytes()))
    }
}

/// Writes a frame, as a client sends it.
fn write(queue: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    queue.reserve(HEADER_BYTES + payload.len());
    queue.push(0x80 | opcode);
    match payload.len() {
        length @ 0..126 => queue.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            queue.push(0x80 | 126);
            queue.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            queue.push(0x80 | 127);
            queue.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    queue.extend_from_slice(&[0; MASK_BYTES]);
    queue.extend_from_slice(payload);
}

#[cfg(test)]
mod tests;
