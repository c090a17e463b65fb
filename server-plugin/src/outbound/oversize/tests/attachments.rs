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
fn a_message_with_more_attachments_than_are_taken_is_left_out_with_them() {
    let long = "1".repeat(1000);
    for (announced, replaced) in [
        (
            r#"45257-/ns,1["e",{}]"#.to_owned(),
            r#"42/ns,1["P2P_TOO_LARGE","e",19,"",257]"#.to_owned(),
        ),
        (
            format!(r#"45300-/ns,1["e",{long}]"#),
            format!(r#"42/ns,1["P2P_TOO_LARGE","e",{},"",300]"#, 17 + long.len()),
        ),
        (r#"46300-/ns,7[{}]"#.to_owned(), r#"43/ns,7["P2P_TOO_LARGE",15]"#.to_owned()),
    ] {
        let parts = [
            masked(TEXT, announced.as_bytes()),
            masked(0x82, b"one"),
            masked(TEXT, b"3"),
            masked(0x82, b"two"),
            masked(TEXT, b"42/ns,[\"on\"]"),
        ];
        for piece in PIECES {
            let mut reader = Reader::default();

            let out = frames_in(&reader.read(&parts.concat(), piece));

            assert_eq!(out, [text(&replaced), text("3"), text("42/ns,[\"on\"]")], "{piece}");
            assert!(!reader.oversize.is_broken() && reader.oversize.take_too_many().is_none());
        }
    }
}

#[test]
fn a_message_in_several_frames_with_too_many_attachments_is_left_out_with_them() {
    let parts = [
        masked(0x01, br#"45257-/ns,1["P2P_EMIT",{"#),
        masked(0x80, b"}]"),
        masked(0x82, b"one"),
        masked(TEXT, b"42/ns,[]"),
    ];
    for piece in PIECES {
        let out = frames_in(&read(&parts.concat(), piece));

        let [(TEXT, replacement), on] = &out[..] else { panic!("{out:?}") };
        assert_eq!(*on, text("42/ns,[]"));
        let replaced = std::str::from_utf8(replacement).unwrap().strip_prefix("42/ns,1").unwrap();
        let Unread { event, attachments, .. } = Unread::read(replaced);
        assert_eq!((&*event, attachments), (EMIT, 257));
    }
}

#[test]
fn as_many_attachments_as_are_taken_and_those_of_others_are_handed_over() {
    let long = "1".repeat(1000);
    for (start, expected) in [
        (format!(r#"45256-/ns,1["e",{long}]"#), None),
        (format!(r#"451-/ns,1["e",{long}]"#), None),
        (format!(r#"42/ns,1["e",{long}]"#), None),
        (r#"45257-/other,1["e",{}]"#.to_owned(), Some(257)),
        (r#"45300-["e",{}]"#.to_owned(), Some(300)),
    ] {
        let sent = [masked(TEXT, start.as_bytes()), masked(0x82, b"blob")].concat();
        for piece in PIECES {
            let mut reader = Reader::default();

            let out = reader.read(&sent, piece);

            assert_eq!(reader.oversize.take_too_many(), expected, "{start} in {piece}");
            assert!(out == sent, "{start} in {piece}");
        }
    }
}
