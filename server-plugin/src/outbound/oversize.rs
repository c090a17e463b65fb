//! Messages on a websocket that are too long, or have too many attachments: each is left out, and a short one takes
//! its place.
//!
//! Below a socket such a message ends the connection, and with it all that was under way. What takes its place
//! has the name [`TOO_LARGE`], as an event or as the first argument of an acknowledgement, which the plugin
//! refuses. What the application could not tell from whole data ends the connection as before: attachments of
//! its own events and of acknowledgements, and messages of other namespaces.

mod packet;

use bytes::{Buf as _, BytesMut};
use socketio_p2p_protocol::{
    limits::{ATTACHMENTS, RELAYED_FRAME_BYTES, SKIPPED_BYTES},
    relay::{Unread, salvaged_event, salvaged_pairing},
    wire::{EMIT, EMIT_ACKNOWLEDGE, FRAME, PREFIX, SIGNAL},
};
use tokio::io::ReadBuf;

use self::packet::{Packet, WITH_ATTACHMENTS, attachments_of, write};
use super::frames::{Frames, Header, Kind, MASK_BYTES, Step, WholeText};

/// The first bytes of a text that are looked at: the type of its packet, its namespace, its number and the
/// name of its event.
const START_BYTES: usize = 512;

/// A shorter text is one of Engine.IO. It may come between a text and its attachments.
const SHORTEST: u64 = 3;

/// The longest message that a websocket takes, and the namespace in which a longer one is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Longest {
    pub(crate) bytes: usize,
    pub(crate) namespace: Box<str>,
}

/// What is left out of a websocket, and what takes its place.
#[derive(Debug, Default)]
pub(super) struct Oversize {
    message: Message,
    frame: Frame,
    /// The payload of a message in several frames, as far as it came: its length is not known yet. Or the frame of a
    /// text, as it came: the number of its attachments is not known yet.
    held: BytesMut,
    /// Bytes to be handed over next.
    queue: BytesMut,
    /// `true` once the connection cannot go on.
    is_broken: bool,
    /// The number of attachments of a message that has too many, and that nothing can take the place of.
    too_many: Option<usize>,
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
    /// `true` until its attachments were counted.
    is_to_be_counted: bool,
    /// `true` if it is left out.
    is_out: bool,
    /// `true` if its payload is held.
    is_held: bool,
    /// `true` until something has taken its place.
    is_to_be_replaced: bool,
    /// The attachments that belong to a text which was left out.
    attachments: usize,
    /// The number of its attachments, if there are too many.
    too_many: usize,
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

impl Frame {
    /// Returns whether these bytes, which follow its header, may be the beginning of a text with attachments.
    fn may_have_attachments(&self, bytes: &[u8]) -> bool {
        let (mask, payload) = bytes.split_at(self.mask_bytes.min(bytes.len()));
        let start = payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
        WITH_ATTACHMENTS.iter().any(|with| start.clone().zip(*with).all(|(byte, of)| byte == *of))
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Fate {
    #[default]
    On,
    Held,
    /// It is held as it is, until the number of its attachments is known.
    Watched,
    Out,
}

impl Oversize {
    /// Hands over what waits. Returns `false` if nothing does.
    pub(super) fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let bytes = self.queue.len().min(buf.remaining());
        buf.put_slice(&self.queue[..bytes]);
        self.queue.advance(bytes);
        if self.queue.is_empty() {
            self.queue = BytesMut::new();
        }
        bytes > 0
    }

    /// Returns whether something waits to be handed over.
    pub(super) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Keeps the beginning of a header, to be handed over next. Its message cannot be left out.
    pub(super) fn give_up(&mut self, frames: &mut Frames) {
        self.is_broken |= self.message.is_held;
        self.queue.extend_from_slice(frames.kept());
        frames.let_out();
    }

    /// Returns whether the connection cannot go on: a message has no end, or nothing can take its place.
    pub(super) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Returns the number of attachments of a message that has more than [`ATTACHMENTS`], once. Its connection ends.
    pub(super) const fn take_too_many(&mut self) -> Option<usize> {
        self.too_many.take()
    }

    /// Returns whether the reader has whole messages, and waits for the end of one that it does not see.
    pub(super) fn hides(&self, frames: &Frames) -> bool {
        self.frame.fate != Fate::On && self.queue.is_empty() && frames.to_gap() > 0
    }

    /// Follows bytes behind those that were [kept](Frames::kept). Moves those to hand over to the front, and
    /// returns their number. Others may be handed over later, by [`Self::give`].
    pub(super) fn screen(
        &mut self,
        frames: &mut Frames,
        bytes: &mut [u8],
        longest: &Longest,
    ) -> usize {
        frames.take_back_kept();
        let (mut from, mut kept) = (0, 0);
        while from < bytes.len() {
            if from == kept
                && let Some(read) = self.pass(frames, &bytes[from..], longest)
            {
                (from, kept) = (from + read, kept + read);
                continue;
            }
            let step = frames.step(&bytes[from..]);
            let (read, fate) = match step {
                // It comes again with the rest, unless its beginning is out.
                Step::Part(read) if frames.kept().is_empty() => (read, Fate::On),
                Step::Part(read) => (read, Fate::Out),
                Step::Header(read, header, was_out) => {
                    self.decide(header, longest, was_out);
                    if self.is_to_be_watched(&bytes[from + read..], was_out) {
                        self.frame.fate = Fate::Watched;
                        self.message.is_untouched = true;
                        self.held.extend_from_slice(&bytes[from..from + read]);
                    }
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
                Fate::Held | Fate::Watched | Fate::Out => {}
            }
            from += read;
            if !matches!(step, Step::Part(_)) {
                self.settle(frames, longest);
            }
        }
        kept
    }

    /// Passes a message of which nothing has to be known, if all of it is there: most are of this kind. Returns its
    /// length.
    fn pass(&mut self, frames: &mut Frames, bytes: &[u8], longest: &Longest) -> Option<usize> {
        let WholeText { start, payload, frame } = frames.whole_text(bytes)?;
        let has_attachments = WITH_ATTACHMENTS.iter().any(|with| start.iter().flatten().eq(*with));
        let is_short = (SHORTEST as usize..=longest.bytes).contains(&payload);
        if has_attachments || !is_short || self.has_queue() {
            return None;
        }
        frames.passed();
        self.frame = Frame::default();
        self.begin(true);
        self.message.bytes = payload as u64;
        self.message.is_untouched = false;
        Some(frame)
    }

    fn decide(&mut self, header: Header, longest: &Longest, was_out: bool) {
        let Header { is_first, is_last, kind, payload, has_mask } = header;
        let mask_bytes = if has_mask { MASK_BYTES } else { 0 };
        self.frame = Frame { mask_bytes, ..Frame::default() };
        let is_of_engine = kind == Kind::Text && is_first && is_last && payload < SHORTEST;
        if kind == Kind::Control || is_of_engine {
            return;
        }
        let limit = longest.bytes as u64;
        if is_first {
            self.begin(kind == Kind::Text);
        }
        let message = &mut self.message;
        message.bytes = message.bytes.saturating_add(payload);
        message.is_untouched &= !was_out;
        self.frame.begins_text = is_first && message.is_text;
        self.frame.is_of_interest = !is_last || message.bytes > limit;
        let may_be_left_out = message.is_text || message.has_our_attachments(longest);
        if !message.is_out && message.bytes > limit && may_be_left_out {
            // What was handed over cannot be taken back.
            self.is_broken |= !message.is_untouched;
            message.is_out = true;
            message.is_to_be_replaced = true;
            message.is_held = false;
            self.held = BytesMut::new();
        }
        self.is_broken |= message.is_out && message.bytes > SKIPPED_BYTES;
        let is_whole_unknown = is_first && !is_last && !was_out && may_be_left_out;
        message.is_held |= is_whole_unknown && !message.is_out;
        self.frame.fate = match message.is_out {
            true => Fate::Out,
            false if message.is_held => Fate::Held,
            false => {
                message.is_untouched = false;
                Fate::On
            }
        };
    }

    /// Returns whether the frame that begins, of which these bytes are known, is held until the number of its
    /// attachments is known.
    fn is_to_be_watched(&self, bytes: &[u8], was_out: bool) -> bool {
        let frame = &self.frame;
        let is_whole_text = frame.fate == Fate::On && frame.begins_text && !frame.is_of_interest;
        is_whole_text && frame.mask_bytes > 0 && !was_out && frame.may_have_attachments(bytes)
    }

    fn begin(&mut self, is_text: bool) {
        let message = &mut self.message;
        let follows_text = std::mem::replace(&mut message.is_text, is_text);
        message.is_untouched = true;
        message.is_to_be_counted = is_text;
        message.is_held = false;
        message.is_out = !is_text && message.attachments > 0;
        message.attachments = message.attachments.saturating_sub(1);
        if is_text {
            message.attachments = 0;
            message.too_many = 0;
            message.start.clear();
        }
        if is_text || follows_text {
            message.bytes = 0;
        }
        message.bytes_before = message.bytes;
    }

    /// Looks at bytes behind a header: the mask, the first bytes of a text, and a payload that is held.
    fn look_at(&mut self, bytes: &[u8]) {
        let Self { frame, message, held, .. } = self;
        let at = frame.at;
        frame.at = at.saturating_add(bytes.len());
        let (of_mask, payload) =
            bytes.split_at(frame.mask_bytes.saturating_sub(at).min(bytes.len()));
        frame.mask[at.min(MASK_BYTES)..][..of_mask.len()].copy_from_slice(of_mask);
        let place = (at + of_mask.len()).saturating_sub(frame.mask_bytes);
        let mask = frame.mask;
        let clear = |at: usize, byte: &u8| byte ^ mask[(place + at) % MASK_BYTES];
        for (index, byte) in payload.iter().enumerate() {
            if !frame.begins_text || message.start.len() == START_BYTES {
                break;
            }
            let byte = clear(index, byte);
            // Of other packets there is nothing to know.
            let mut all = WITH_ATTACHMENTS.iter().map(|with| with.get(place + index));
            let expected = all.any(|expected| expected.is_none_or(|expected| *expected == byte));
            frame.begins_text = frame.is_of_interest || expected;
            message.start.push(byte);
        }
        if frame.fate == Fate::Watched {
            held.extend_from_slice(bytes);
        } else if frame.fate == Fate::Held {
            held.reserve(payload.len());
            held.extend(payload.iter().enumerate().map(|(index, byte)| clear(index, byte)));
        }
    }

    /// Hands over what takes the place of a message, or a message that was held, once that is clear.
    fn settle(&mut self, frames: &Frames, longest: &Longest) {
        let Self { message, frame, held, queue, .. } = self;
        let has_none = frame.fate == Fate::Watched && !frame.begins_text;
        let is_known = has_none || message.start.len() == START_BYTES || frames.has_ended();
        if message.is_to_be_counted && is_known {
            message.is_to_be_counted = false;
            let all = attachments_of(&message.start).filter(|all| *all > ATTACHMENTS);
            message.too_many = all.unwrap_or_default();
            if all.is_none() || message.is_out {
                // It is handed over, or left out in any case.
            } else if message.is_untouched && message.replacement(longest).is_some() {
                (message.is_out, message.is_held) = (true, false);
                message.is_to_be_replaced = true;
                frame.fate = Fate::Out;
                *held = BytesMut::new();
            } else {
                self.too_many = all;
            }
        }
        if frame.fate == Fate::Watched && is_known {
            queue.extend_from_slice(&std::mem::take(held));
            frame.fate = Fate::On;
            message.is_untouched = false;
        }
        let opcode = if message.is_text { 1 } else { 2 };
        if message.is_to_be_replaced && (is_known || !message.is_text) {
            message.is_to_be_replaced = false;
            match message.replacement(longest) {
                Some(payload) => write(queue, opcode, &payload),
                None => self.is_broken = true,
            }
        } else if message.is_held && frames.has_ended() && !frames.is_split() {
            message.is_held = false;
            write(queue, opcode, &std::mem::take(held));
        }
    }
}

impl Message {
    /// Returns whether the last text announced attachments of an event of the plugin.
    fn has_our_attachments(&self, longest: &Longest) -> bool {
        let start = String::from_utf8_lossy(&self.start);
        let packet = Packet::read(&start, &longest.namespace).filter(|packet| packet.kind == "5");
        let name = packet.and_then(|packet| salvaged_event(packet.args));
        name.is_some_and(|name| name.starts_with(PREFIX))
    }

    /// Returns the payload that takes its place.
    fn replacement(&mut self, longest: &Longest) -> Option<Vec<u8>> {
        if !self.is_text {
            // With this attachment, the relay refuses the event as too large.
            let missing = (RELAYED_FRAME_BYTES as u64 + 1).saturating_sub(self.bytes_before);
            return Some(vec![0; missing as usize]);
        }
        let start = String::from_utf8_lossy(&self.start);
        let Packet { kind, attachments, address, args } = Packet::read(&start, &longest.namespace)?;
        let packet = match kind {
            "2" | "5" => {
                let event = salvaged_event(args)?.into_owned();
                let is_of_pairing = matches!(&*event, FRAME | SIGNAL);
                let pairing = is_of_pairing.then(|| salvaged_pairing(args, &[])).flatten();
                let is_emit = matches!(&*event, EMIT | EMIT_ACKNOWLEDGE);
                let start = if is_emit { args.to_owned() } else { String::new() };
                let unread =
                    Unread { event, bytes: self.bytes, pairing, start, attachments: self.too_many };
                format!("42{address}{}", unread.to_event())
            }
            "3" | "6" => format!("43{address}{}", Unread::acknowledgement(self.bytes)),
            _ => return None,
        };
        self.attachments = attachments;
        Some(packet.into_bytes())
    }
}

#[cfg(test)]
mod tests;
