//! The beginning of a packet of Socket.IO, which is all that is read of it here, and the frame of one.

use bytes::BytesMut;

use crate::outbound::frames::MASK_BYTES;

/// The longest header of a frame, with its mask.
const HEADER_BYTES: usize = 14;

/// The beginnings of an event and of an acknowledgement with attachments.
pub(super) const WITH_ATTACHMENTS: [&[u8]; 2] = [b"45", b"46"];

/// Returns the number of attachments that a packet announces in its first bytes.
pub(super) fn attachments_of(start: &[u8]) -> Option<usize> {
    let number = WITH_ATTACHMENTS.iter().find_map(|with| start.strip_prefix(*with))?;
    let end = number.iter().position(|byte| *byte == b'-')?;
    // A number that is too large for it is too large in any case.
    let number = std::str::from_utf8(&number[..end]).ok()?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().unwrap_or(usize::MAX))
}

/// The beginning of a packet of Socket.IO.
pub(super) struct Packet<'a> {
    pub(super) kind: &'a str,
    pub(super) attachments: usize,
    /// Its namespace, unless that is `/`, and its number.
    pub(super) address: &'a str,
    pub(super) args: &'a str,
}

impl<'a> Packet<'a> {
    /// Reads the beginning of a packet of this namespace.
    pub(super) fn read(start: &'a str, ours: &str) -> Option<Self> {
        let (kind, rest) = start.strip_prefix('4')?.split_at_checked(1)?;
        let (attachments, rest) = match kind {
            "5" | "6" => rest.split_once('-')?,
            _ => ("0", rest),
        };
        let (address, args) = rest.split_at(rest.find('[')?);
        let (namespace, number) = match address.split_once(',') {
            Some(parts) if address.starts_with('/') => parts,
            _ => ("/", address),
        };
        let is_ours = namespace == ours;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let attachments = attachments.parse().ok()?;
        (is_ours && is_number).then_some(Self { kind, attachments, address, args })
    }
}

/// Writes a frame, as a client sends it.
pub(super) fn write(queue: &mut BytesMut, opcode: u8, payload: &[u8]) {
    queue.reserve(HEADER_BYTES + payload.len());
    queue.extend_from_slice(&[0x80 | opcode]);
    match payload.len() {
        length @ 0..126 => queue.extend_from_slice(&[0x80 | length as u8]),
        length @ 126..0x1_0000 => {
            queue.extend_from_slice(&[0x80 | 126]);
            queue.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            queue.extend_from_slice(&[0x80 | 127]);
            queue.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    queue.extend_from_slice(&[0; MASK_BYTES]);
    queue.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attachments_of_an_event_and_of_an_acknowledgement_are_counted() {
        for (start, expected) in [
            ("451-[\"e\"]", Some(1)),
            ("46300-7[", Some(300)),
            ("4599999999999999999999999-[", Some(usize::MAX)),
            ("42[\"e\"]", None),
            ("45", None),
            ("451", None),
            ("45-[", None),
            ("45+1-[", None),
        ] {
            assert_eq!(attachments_of(start.as_bytes()), expected, "{start}");
        }
    }
}
