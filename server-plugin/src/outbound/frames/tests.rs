use super::*;

pub(in crate::outbound) const TEXT: u8 = 0x81;

pub(in crate::outbound) fn frame(first: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(0x80 | length as u8),
        126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.resize(bytes.len() + 4 + length, 0xff);
    bytes
}

/// Returns the places of all gaps, found by reading no more than allowed at a time.
fn gaps(bytes: &[u8]) -> Vec<usize> {
    let (mut frames, mut at, mut gaps) = (Frames::default(), 0, Vec::new());
    while at < bytes.len() {
        let allowed = match frames.to_gap() {
            0 => {
                gaps.push(at);
                1
            }
            allowed => allowed,
        };
        frames.read(&bytes[at..at + allowed]);
        at += allowed;
    }
    assert_eq!((at, frames.to_gap()), (bytes.len(), 0));
    gaps
}

#[test]
fn a_gap_is_between_two_messages_of_any_length() {
    for length in [0, 1, 125, 126, 65_535, 65_536] {
        let message = frame(TEXT, length);

        let bytes = [&message[..], &message, &message].concat();

        assert_eq!(gaps(&bytes), [0, message.len(), 2 * message.len()], "{length}");
    }
}

#[test]
fn there_is_no_gap_within_a_message_of_several_frames() {
    let (first, ping, last) = (frame(0x01, 10), frame(0x89, 3), frame(0x80, 200));
    let message = [&first[..], &ping, &last].concat();

    let bytes = [&message[..], &frame(TEXT, 1)].concat();

    assert_eq!(gaps(&bytes), [0, message.len()]);
}

#[test]
fn bytes_are_followed_however_they_are_cut() {
    let bytes = [frame(TEXT, 3), frame(TEXT, 300), frame(TEXT, 70_000)].concat();
    for piece in [1, 2, 3, 7, 4096, usize::MAX] {
        let mut frames = Frames::default();

        bytes.chunks(piece).for_each(|piece| frames.read(piece));

        assert_eq!(frames.to_gap(), 0, "{piece}");
    }
}

#[test]
fn a_length_that_no_frame_has_is_followed_without_a_panic() {
    let mut frames = Frames::default();

    frames.read(&[TEXT, 0xff]);
    frames.read(&[0xff; 8]);

    assert!(frames.to_gap() > 0);
    frames.read(&[0; 64]);
}
