use super::*;
use crate::outbound::frames::tests::{TEXT, frame};

mod attachments;

const LIMIT: usize = RELAYED_FRAME_BYTES + 100_000;

fn mask(bytes: &mut [u8], key: [u8; 4]) {
    bytes.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(first, payload.len());
    let at = bytes.len() - payload.len();
    let key = [1, 0x82, 0x55, 0xf0];
    bytes[at - 4..at].copy_from_slice(&key);
    bytes[at..].copy_from_slice(payload);
    mask(&mut bytes[at..], key);
    bytes
}

fn longest_in(namespace: &str) -> Longest {
    Longest { bytes: LIMIT, namespace: namespace.into() }
}

fn longest() -> Longest {
    longest_in("/ns")
}

/// A reader of a websocket.
#[derive(Default)]
struct Reader {
    frames: Frames,
    oversize: Oversize,
}

impl Reader {
    /// Returns what is handed over of these bytes, which come in pieces.
    fn read(&mut self, bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in bytes.chunks(piece) {
            let mut view = [self.frames.kept(), piece].concat();
            let left = self.oversize.screen(&mut self.frames, &mut view, &longest());
            out.extend_from_slice(&view[..left]);
            let mut queued = [0; 1000];
            let mut buf = ReadBuf::new(&mut queued);
            while self.oversize.give(&mut buf) {
                out.extend_from_slice(buf.filled());
                buf.clear();
            }
        }
        out
    }
}

fn read(bytes: &[u8], piece: usize) -> Vec<u8> {
    Reader::default().read(bytes, piece)
}

/// Returns the frames in these bytes: the first byte, and the payload.
fn frames_in(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (length, rest) = match second & 0x7f {
            126 => (u16::from_be_bytes([rest[0], rest[1]]).into(), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            short => (usize::from(short), rest),
        };
        let mut payload = rest[4..4 + length].to_vec();
        mask(&mut payload, rest[..4].try_into().unwrap());
        all.push((*first, payload));
        bytes = &rest[4 + length..];
    }
    all
}

const PIECES: [usize; 6] = [1, 3, 11, 4096, 65_536, usize::MAX];

fn text(text: &str) -> (u8, Vec<u8>) {
    (TEXT, text.as_bytes().to_vec())
}

fn long() -> String {
    "x".repeat(LIMIT)
}

#[test]
fn messages_up_to_the_limit_are_handed_over_as_they_are() {
    let largest = vec![b'x'; LIMIT];
    let bytes = [
        masked(TEXT, b"42[]"),
        masked(TEXT, &largest),
        masked(0x82, b"not ours"),
        masked(0x89, b"ping"),
        masked(TEXT, b"451-/ns,[\"P2P_EMIT\"]"),
        masked(0x82, &largest[..LIMIT - 100]),
    ]
    .concat();
    for piece in PIECES {
        assert!(read(&bytes, piece) == bytes, "{piece}");
    }
}

#[test]
fn a_message_of_several_frames_is_handed_over_at_its_end() {
    let half = vec![b'x'; LIMIT / 2];
    let parts = [masked(0x01, &half), masked(0x89, b"ping"), masked(0x80, &half)];
    for piece in PIECES {
        let out = frames_in(&read(&parts.concat(), piece));

        assert_eq!(out[0], (0x89, b"ping".to_vec()), "{piece}");
        assert_eq!(out[1..], [(TEXT, half.repeat(2))]);
    }
}

#[test]
fn an_event_that_is_too_long_is_replaced_by_its_name_and_its_length() {
    let cases = [
        ("42/ns,[\"P2P_LIST\",\"", "42/ns,[\"P2P_TOO_LARGE\",\"P2P_LIST\","),
        ("42/ns,17[\"P2P_REGISTER\",\"é", "42/ns,17[\"P2P_TOO_LARGE\",\"P2P_REGISTER\","),
        ("42/ns,[\"up\\nload\",\"", "42/ns,[\"P2P_TOO_LARGE\",\"up\\nload\","),
        ("42/ns,5[\"upload\",\"", "42/ns,5[\"P2P_TOO_LARGE\",\"upload\","),
    ];
    for (start, expected) in cases {
        let message = format!("{start}{}\"]", long());
        let expected = format!("{expected}{}]", message.len());
        let bytes =
            [masked(TEXT, message.as_bytes()), masked(0x89, b"ping"), masked(TEXT, b"42[]")];
        for piece in PIECES {
            let out = frames_in(&read(&bytes.concat(), piece));

            assert_eq!(out, [text(&expected), (0x89, b"ping".to_vec()), text("42[]")], "{piece}");
        }
    }
}

#[test]
fn what_takes_the_place_of_an_emit_has_its_beginning() {
    for event in [EMIT, EMIT_ACKNOWLEDGE] {
        let emit = format!(r#"["{event}",{{"targetClientId":"B","event":"chat","args":["é"#);
        let message = format!("42/ns,7{emit}{}\"]}}]", long());
        for piece in PIECES {
            let out = frames_in(&read(&masked(TEXT, message.as_bytes()), piece));

            let [(TEXT, replacement)] = &out[..] else { panic!("{out:?}") };
            let text = std::str::from_utf8(replacement).unwrap().strip_prefix("42/ns,7").unwrap();
            let Unread { event: name, bytes, start, .. } = Unread::read(text);
            assert_eq!((&*name, bytes), (event, message.len() as u64));
            assert!(start.starts_with(&emit) && start.len() <= START_BYTES, "{start}");
        }
    }
}

#[test]
fn an_acknowledgement_that_is_too_long_is_replaced_by_one_that_says_so() {
    let message = format!("43/ns,17[\"{}\"]", long());
    for piece in PIECES {
        let out = frames_in(&read(&masked(TEXT, message.as_bytes()), piece));

        let expected = format!("43/ns,17[\"P2P_TOO_LARGE\",{}]", message.len());
        assert_eq!(out, [text(&expected)], "{piece}");
    }
}

#[test]
fn a_message_of_several_frames_that_are_too_long_together_is_replaced() {
    for first in [20, LIMIT - 1, LIMIT, LIMIT + 1] {
        let start = format!("42/ns,1[\"upload\",\"{}", long());
        let parts = [
            masked(0x01, &start.as_bytes()[..first]),
            masked(0x00, &vec![b'b'; LIMIT]),
            masked(0x89, b"ping"),
            masked(0x00, &vec![b'c'; LIMIT]),
            masked(0x80, b"d"),
            masked(TEXT, b"42[]"),
        ];
        for piece in PIECES {
            let out = frames_in(&read(&parts.concat(), piece));

            let length = if first > LIMIT { first } else { first + LIMIT };
            let replaced = text(&format!("42/ns,1[\"P2P_TOO_LARGE\",\"upload\",{length}]"));
            assert_eq!(out, [replaced, (0x89, b"ping".to_vec()), text("42[]")], "{first} {piece}");
        }
    }
}

#[test]
fn nothing_takes_the_place_of_what_is_no_event_and_no_acknowledgement() {
    let message = |start: &str| format!("{start}{}", long());
    for start in [
        "40/ns,{",
        "4",
        "2",
        "42/ns,",
        "42/ns,[7,",
        "42/ns,x[\"e\",",
        "45/ns,[\"e\"",
        "45-/ns,[\"e\"",
        "x",
        "42[\"P2P_EMIT\",",
        "42/other,5[\"e\",",
        "43[",
        "42,[\"e\",",
    ] {
        let mut reader = Reader::default();
        reader.read(&masked(TEXT, message(start).as_bytes()), 4096);
        assert!(reader.oversize.is_broken(), "{start}");
    }
    // Neither can a message be replaced that has begun.
    let mut reader = Reader::default();
    let bytes = masked(TEXT, message("42/ns,[\"e\",\"").as_bytes());
    reader.frames.read(&bytes[..3]);
    reader.read(&bytes[3..], 4096);
    assert!(reader.oversize.is_broken());
}

#[test]
fn a_message_that_has_no_end_ends_the_connection() {
    let mut reader = Reader::default();
    let mut header = [TEXT, 0xff, 0, 0, 0, 0, 1, 0, 0, 1];
    reader.oversize.screen(&mut reader.frames, &mut header, &longest());
    assert!(reader.oversize.is_broken());

    let (mut reader, mut part) = (Reader::default(), b"42/ns,[\"e\",\"".to_vec());
    part.resize(1 << 20, b'x');
    let mut parts = 0;
    while !reader.oversize.is_broken() {
        reader.read(&masked(if parts == 0 { 0x01 } else { 0x00 }, &part), usize::MAX);
        parts += 1;
    }
    assert_eq!(parts, 17);
}

#[test]
fn a_reader_that_waits_for_hidden_bytes_is_told_so() {
    let mut reader = Reader::default();
    let mut hides = Vec::new();
    let mut first = b"42/ns,[\"e\",\"".to_vec();
    first.resize(LIMIT + 10, b'a');
    let first = masked(0x01, &first);
    let (half, last) = (&masked(0x00, b"more"), &masked(0x80, b""));
    for bytes in [&first[..LIMIT], &first[LIMIT..], half, last, &masked(0x01, b"held")] {
        reader.read(bytes, usize::MAX);
        hides.push(reader.oversize.hides(&reader.frames));
    }
    assert_eq!(hides, [true, true, true, false, true]);
    reader.read(&masked(0x80, b"")[..], usize::MAX);
    reader.read(&masked(TEXT, b"42[]")[..8], usize::MAX);
    assert!(!reader.oversize.hides(&reader.frames));
}

#[test]
fn without_a_namespace_an_event_is_one_of_the_first() {
    for (number, expected) in [("", "42[\"P2P_TOO_LARGE\""), ("7", "427[\"P2P_TOO_LARGE\"")] {
        let message = masked(TEXT, format!("42{number}[\"e\",\"{}\"]", long()).as_bytes());
        let (mut frames, mut oversize) = (Frames::default(), Oversize::default());

        oversize.screen(&mut frames, &mut message.clone(), &longest_in("/"));

        let out = String::from_utf8_lossy(&frames_in(&oversize.queue)[0].1).into_owned();
        assert!(out.starts_with(expected), "{out}");
    }
}

#[test]
fn fragments_without_a_payload_cost_no_memory() {
    let mut reader = Reader::default();
    reader.read(&masked(0x01, b""), usize::MAX);
    for _ in 0..1_000 {
        reader.read(&masked(0x00, b"").repeat(1_000), usize::MAX);
    }
    assert!(reader.oversize.held.capacity() < 1_000 && !reader.oversize.has_queue());

    let out = reader.read(&masked(0x80, b"42[]"), usize::MAX);

    assert_eq!(frames_in(&out), [text("42[]")]);
}

#[test]
fn it_does_not_matter_how_many_messages_come_at_once() {
    let short = masked(TEXT, br#"42/ns,["e",1]"#);
    let engine = masked(TEXT, b"3");
    let with_blob = masked(TEXT, br#"451-/ns,["P2P_FRAME",{"_placeholder":true,"num":0}]"#);
    let blob = masked(0x82, &[4; 300]);
    let too_long = masked(TEXT, long().as_bytes());
    let split = [masked(0x01, b"42/ns,"), masked(0x80, br#"["e"]"#)].concat();
    let messages = [&short, &engine, &with_blob, &engine, &blob, &short, &too_long, &split];
    let all: Vec<_> = messages.into_iter().chain(messages).flatten().copied().collect();

    let at_once = read(&all, all.len());

    assert!(at_once.len() > 2 * blob.len());
    for piece in [1, 2, 5, 64, 1000] {
        assert_eq!(frames_in(&read(&all, piece)), frames_in(&at_once), "{piece}");
    }
}

#[test]
fn what_takes_the_place_of_a_frame_or_a_signal_names_its_pairing() {
    for (start, named) in [
        (r#"42/ns,["P2P_FRAME","1f-2",{"a":""#, r#""P2P_FRAME",BYTES,"1f-2""#),
        (r#"42/ns,["P2P_SIGNAL", "1f-2",{"a":""#, r#""P2P_SIGNAL",BYTES,"1f-2""#),
        (r#"42/ns,["P2P_FRAME","?",{"a":""#, r#""P2P_FRAME",BYTES"#),
        (r#"42/ns,["P2P_LIST","1f-2",{"a":""#, r#""P2P_LIST",BYTES"#),
    ] {
        let message = format!("{start}{}\"}}]", long());

        let out = frames_in(&read(&masked(TEXT, message.as_bytes()), 1000));

        let named = named.replace("BYTES", &message.len().to_string());
        assert_eq!(out, [text(&format!(r#"42/ns,["P2P_TOO_LARGE",{named}]"#))]);
    }
}
