//! The frames of a websocket, followed to find the gaps between messages: there its reading can wait.

/// The longest header of a frame, without its mask.
const HEADER_BYTES: usize = 10;

/// The bytes of a mask.
pub(super) const MASK_BYTES: usize = 4;

/// The position in a websocket.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; HEADER_BYTES],
    /// The bytes of the header that were read.
    has: usize,
    /// `true` if they were handed over.
    is_out: bool,
    /// The bytes that are left of the frame whose header is read, its mask included.
    left: u64,
    /// `true` between the frames of one message.
    is_split: bool,
    /// The messages that began, at most 255.
    messages: u8,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// `true` for the first frame of a message.
    pub(super) is_first: bool,
    /// `true` for the last frame of a message.
    pub(super) is_last: bool,
    pub(super) kind: Kind,
    /// The length of the payload.
    pub(super) payload: u64,
    pub(super) has_mask: bool,
}

/// Kinds of frames.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// It may come between the frames of a message.
    Control,
    Text,
    Binary,
    /// A frame of the same message as the one before.
    Continuation,
}

/// Bytes that were followed, from the first.
#[derive(Debug)]
pub(super) enum Step {
    /// So many bytes of a header that is not whole.
    Part(usize),
    /// So many bytes, the last of a header. `true` if its first bytes were handed over before.
    Header(usize, Header, bool),
    /// So many bytes of a mask and a payload.
    Payload(usize),
}

/// A text in one frame.
#[derive(Debug)]
pub(super) struct WholeText {
    /// Its first bytes.
    pub(super) start: [Option<u8>; 2],
    /// The length of its payload.
    pub(super) payload: usize,
    /// The length of its frame.
    pub(super) frame: usize,
}

impl Frames {
    /// Follows bytes that are handed over as they are.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (Step::Part(read) | Step::Header(read, ..) | Step::Payload(read)) =
                self.step(bytes);
            self.is_out = self.has > 0;
            bytes = &bytes[read..];
        }
    }

    /// Returns the text with which these bytes begin, if all of it is in one frame and in them. Nothing is followed.
    pub(super) fn whole_text(&self, bytes: &[u8]) -> Option<WholeText> {
        const LAST_TEXT: u8 = 0x81;
        let (&[LAST_TEXT, second], _) = bytes.split_first_chunk()? else { return None };
        let (payload, header) = match second {
            0x80..0xfe => (usize::from(second & 0x7f), 2),
            0xfe => (u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]).into(), 4),
            _ => return None,
        };
        let (mask, text) = bytes.get(header..)?.split_first_chunk::<MASK_BYTES>()?;
        let text = text.get(..payload).filter(|_| self.to_gap() == 0)?;
        let start = [0, 1].map(|at| text.get(at).map(|byte| byte ^ mask[at]));
        Some(WholeText { start, payload, frame: header + MASK_BYTES + payload })
    }

    /// Notes that a message is handed over which is not followed.
    pub(super) const fn passed(&mut self) {
        self.messages = self.messages.saturating_add(1);
    }

    /// Follows bytes up to the end of a header or of a payload.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Step {
        if self.left > 0 {
            let part = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= part as u64;
            return Step::Payload(part);
        }
        let mut read = 0;
        while read < bytes.len() && self.has < self.header_len() {
            let part = (self.header_len() - self.has).min(bytes.len() - read);
            self.header[self.has..self.has + part].copy_from_slice(&bytes[read..read + part]);
            self.has += part;
            read += part;
        }
        if self.has < self.header_len() {
            return Step::Part(read);
        }
        let was_out = self.is_out;
        (self.has, self.is_out) = (0, false);
        let header = self.end_header();
        Step::Header(read, header, was_out)
    }

    /// Returns the first bytes of a header that were not handed over.
    pub(super) fn kept(&self) -> &[u8] {
        if self.is_out { &[] } else { &self.header[..self.has] }
    }

    /// Takes back that these bytes were followed: they come again.
    pub(super) fn take_back_kept(&mut self) {
        if !self.is_out {
            self.has = 0;
        }
    }

    /// Notes that these bytes are handed over after all.
    pub(super) const fn let_out(&mut self) {
        self.is_out = self.has > 0;
    }

    /// Returns a number of bytes, of which none is behind the next gap between two messages: 0 in a gap.
    pub(super) fn to_gap(&self) -> usize {
        match (self.left, self.has) {
            (0, 0) if !self.is_split => 0,
            (0, has) => self.header_len() - has,
            (left, _) => usize::try_from(left).unwrap_or(usize::MAX),
        }
    }

    /// Returns the number of messages that began, at most 255.
    pub(super) const fn messages(&self) -> u8 {
        self.messages
    }

    /// Returns whether the present frame has been read.
    pub(super) const fn has_ended(&self) -> bool {
        self.left == 0
    }

    /// Returns whether more frames of the present message follow.
    pub(super) const fn is_split(&self) -> bool {
        self.is_split
    }

    /// Returns the length of the present header, as far as that is known.
    const fn header_len(&self) -> usize {
        match (self.has, self.header[1] & 0x7f) {
            (2.., 126) => 4,
            (2.., 127) => HEADER_BYTES,
            _ => 2,
        }
    }

    fn end_header(&mut self) -> Header {
        let [first, second, extended @ ..] = self.header;
        let payload = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([extended[0], extended[1]])),
            127 => u64::from_be_bytes(extended),
            short => short.into(),
        };
        let has_mask = second & 0x80 != 0;
        self.left = payload.saturating_add(if has_mask { MASK_BYTES as u64 } else { 0 });
        let kind = match first & 0x0f {
            0 => Kind::Continuation,
            1 => Kind::Text,
            8.. => Kind::Control,
            _ => Kind::Binary,
        };
        let (is_first, is_last) = (!self.is_split, first & 0x80 != 0);
        if kind != Kind::Control {
            self.messages = self.messages.saturating_add(is_first.into());
            self.is_split = !is_last;
        }
        Header { is_first, is_last, kind, payload, has_mask }
    }
}

#[cfg(test)]
pub(super) mod tests;
