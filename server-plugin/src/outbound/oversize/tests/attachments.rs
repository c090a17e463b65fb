//! Messages with attachments.

use super::*;

#[test]
fn attachments_are_left_out_with_the_text_that_announced_them() {
    let announced = format!("452-/ns,17[\"upload\",\"{}\"]", long());
    let parts = [
        masked(TEXT, announced.as_bytes()),
        masked(0x02, b"one, "),
        masked(0x80, b"in two frames"),
        masked(0x82, b"two"),
        masked(0x82, b"nobody's"),
    ];
    for piece in PIECES {
        let out = frames_in(&read(&parts.concat(), piece));

        let length = announced.len();
        let replaced = text(&format!("42/ns,17[\"P2P_TOO_LARGE\",\"upload\",{length}]"));
        assert_eq!(out, [replaced, (0x82, b"nobody's".to_vec())], "{piece}");
    }
}

#[test]
fn attachments_of_the_plugins_events_that_are_too_long_together_leave_too_many_bytes() {
    let limit = RELAYED_FRAME_BYTES;
    let start = "452-/ns,17[\"P2P_EMIT\",{}]";
    for (first, second) in [(LIMIT + 1, 1), (LIMIT / 2 + 10, LIMIT / 2), (10, 2 * LIMIT)] {
        for is_split in [true, false] {
            let (first, second) = (vec![1; first], vec![2; second]);
            let mut bytes = [masked(TEXT, start.as_bytes()), masked(0x82, &first)].concat();
            bytes.extend(if is_split {
                let (begin, end) = second.split_at(second.len() / 2);
                [masked(0x02, begin), masked(0x80, end)].concat()
            } else {
                masked(0x82, &second)
            });
            for piece in PIECES {
                let mut reader = Reader::default();

                let out = frames_in(&reader.read(&bytes, piece));

                let sizes: Vec<_> = out[1..].iter().map(|(_, payload)| payload.len()).collect();
                let sum = sizes.iter().sum::<usize>();
                assert_eq!(out[0].1, start.as_bytes());
                assert!(!reader.oversize.is_broken() && sum > limit && sum <= LIMIT, "{sizes:?}");
            }
        }
    }
}

#[test]
fn attachments_of_others_are_handed_over_whatever_their_length() {
    let bytes = [
        masked(TEXT, b"451-/ns,[\"upload\",[\"P2P_x\",{}]]"),
        masked(0x82, &vec![7; LIMIT + 1]),
        masked(TEXT, b"461-/ns,3[{}]"),
        masked(0x02, &vec![7; LIMIT]),
        masked(0x80, &vec![7; LIMIT]),
        masked(TEXT, b"451-[\"P2P_EMIT\",{}]"),
        masked(0x02, &vec![7; LIMIT]),
        masked(0x80, &vec![7; LIMIT]),
    ]
    .concat();
    for piece in PIECES {
        assert!(read(&bytes, piece) == bytes, "{piece}");
    }
}

#[test]
fn what_engine_io_says_may_come_between_a_text_and_its_attachments() {
    let parts = [
        masked(TEXT, b"452-/ns,17[\"P2P_EMIT\",{}]"),
        masked(0x82, &vec![1; LIMIT]),
        masked(TEXT, b"3"),
        masked(0x82, &vec![2; LIMIT]),
    ];
    for piece in PIECES {
        let mut reader = Reader::default();

        let out = frames_in(&reader.read(&parts.concat(), piece));

        assert_eq!(out[1..3], [(0x82, vec![1; LIMIT]), text("3")]);
        assert_eq!(out[3], (0x82, Vec::new()), "the event is too large already");
        assert!(!reader.oversize.is_broken());
    }
}

#[test]
fn a_message_with_too_many_attachments_is_noticed_once_and_handed_over() {
    for (start, expected) in
        [("45257-", Some(257)), ("46300-", Some(300)), ("45256-", None), ("42", None)]
    {
        let sent = masked(TEXT, format!(r#"{start}/ns,1["e",{}]"#, "1".repeat(1000)).as_bytes());
        for piece in [1, 5, 2000] {
            let mut reader = Reader::default();
            let (mut found, mut out) = (Vec::new(), Vec::new());
            for piece in sent.chunks(piece) {
                let mut view = [reader.frames.kept(), piece].concat();
                let left = reader.oversize.screen(&mut reader.frames, &mut view, &longest());
                out.extend_from_slice(&view[..left]);
                found.extend(reader.oversize.take_too_many());
            }
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{start} in {piece}");
            assert_eq!(out, sent);
        }
    }
}
