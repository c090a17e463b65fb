//! Messages in pieces: cut by an honest sender and carried in any order, with losses; or pieces of a stranger.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use socketio_p2p_protocol::{
    limits::{CHANNEL_MESSAGE_BYTES, CHANNEL_PARTS, CHANNEL_PIECE_BYTES},
    peer::channel::{Kind, Pieces, pieces},
};

/// Bytes of a piece besides its content.
const HEADER: usize = 8;
/// Messages of a history.
const MESSAGES: u32 = 12;
/// Pieces of a stranger.
const STRANGE: usize = 200;

/// Plays a history of either kind.
pub fn run(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(kind) = bytes.arbitrary::<u8>() else { return };
    let in_order = kind & 2 == 0;
    // A history ends with its bytes.
    let _ =
        if kind & 1 == 0 { honest(&mut bytes, in_order) } else { strange(&mut bytes, in_order) };
}

/// A message of the honest sender. Its content tells its number.
struct Message {
    number: u32,
    kind: Kind,
    content: Vec<u8>,
    /// Pieces that have not been carried.
    pieces: Vec<Bytes>,
    is_whole: bool,
    is_delivered: bool,
}

impl Message {
    fn some(bytes: &mut Unstructured<'_>, number: u32) -> Result<Self> {
        let length = match bytes.int_in_range(0..=15)? {
            0 => CHANNEL_MESSAGE_BYTES,
            1 => CHANNEL_PIECE_BYTES,
            2 => CHANNEL_PIECE_BYTES + 1,
            _ => bytes.int_in_range(4..=5 * CHANNEL_PIECE_BYTES)?,
        };
        let kind = if bytes.arbitrary()? { Kind::Text } else { Kind::Binary };
        let content: Vec<u8> = number.to_be_bytes().into_iter().cycle().take(length).collect();
        let pieces: Vec<_> = pieces(number, kind, &content).collect();
        assert_eq!(pieces.len(), length.div_ceil(CHANNEL_PIECE_BYTES));
        assert!(pieces.iter().all(|piece| piece.len() <= HEADER + CHANNEL_PIECE_BYTES));
        Ok(Self { number, kind, content, pieces, is_whole: true, is_delivered: false })
    }
}

/// What arrives is what was sent, at most once; in order if that is promised. A message of which all pieces arrive is
/// delivered, unless the order or too many others forbid it.
fn honest(bytes: &mut Unstructured<'_>, in_order: bool) -> Result<()> {
    let first = bytes.arbitrary::<u32>()?;
    let count = bytes.int_in_range(1..=MESSAGES)?;
    let is_one_by_one = bytes.arbitrary::<bool>()?;
    let mut messages = (0..count)
        .map(|index| Message::some(bytes, first.wrapping_add(index)))
        .collect::<Result<Vec<_>>>()?;
    let mut collector = Pieces::new(in_order);
    let mut last = None;
    loop {
        let left: Vec<_> =
            (0..messages.len()).filter(|&at| !messages[at].pieces.is_empty()).collect();
        let at = match left.first() {
            None => break,
            Some(&at) if is_one_by_one => at,
            Some(_) => *bytes.choose(&left)?,
        };
        let index = bytes.choose_index(messages[at].pieces.len())?;
        let piece = messages[at].pieces.swap_remove(index);
        if !is_one_by_one && bytes.ratio(1, 16)? {
            messages[at].is_whole = false; // It is lost.
            continue;
        }
        let Some((kind, content)) = collector.received(piece) else { continue };
        let message = &mut messages[at];
        assert!(message.pieces.is_empty() && message.is_whole && !message.is_delivered);
        assert_eq!((kind, &content[..]), (message.kind, &message.content[..]));
        message.is_delivered = true;
        let position = message.number.wrapping_sub(first);
        assert!(!in_order || last.is_none_or(|last| last < position), "overtaken");
        last = Some(position);
    }
    if is_one_by_one || !in_order && messages.len() <= CHANNEL_PARTS {
        assert!(messages.iter().all(|message| message.is_delivered == message.is_whole));
    }
    Ok(())
}

/// Whatever comes, no message is longer than one may be, nor than what came.
fn strange(bytes: &mut Unstructured<'_>, in_order: bool) -> Result<()> {
    let mut collector = Pieces::new(in_order);
    let mut received = 0;
    for _ in 0..STRANGE {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut piece = Vec::new();
        // Few numbers, so that pieces meet.
        let number =
            if bytes.ratio(7, 8)? { bytes.int_in_range(0..=5)? } else { bytes.arbitrary()? };
        piece.extend(u32::to_be_bytes(number));
        let (index, last) = if bytes.ratio(7, 8)? {
            (
                bytes.int_in_range(0..=3)?,
                bytes.int_in_range(0..=3)? | (bytes.arbitrary::<u16>()? & 1 << 15),
            )
        } else {
            (bytes.arbitrary()?, bytes.arbitrary()?)
        };
        piece.extend(u16::to_be_bytes(index));
        piece.extend(u16::to_be_bytes(last));
        let length = bytes.int_in_range(0..=CHANNEL_PIECE_BYTES + 1)?;
        piece.resize(HEADER + length, index as u8);
        if bytes.ratio(1, 16)? {
            piece.truncate(bytes.choose_index(HEADER)?);
        }
        received += piece.len();
        if let Some((_, message)) = collector.received(piece.into()) {
            assert!(message.len() <= CHANNEL_MESSAGE_BYTES && message.len() <= received);
        }
    }
    Ok(())
}
