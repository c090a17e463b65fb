//! Raw channels that may lose messages: pieces, carriage and the short window.

use std::time::{Duration, Instant};

use bytes::Bytes;
use socketio_p2p_protocol::{
    limits::{CHANNEL_MESSAGE_BYTES, CHANNEL_PARTS, CHANNEL_PIECE_BYTES, CHANNEL_QUEUE_TIME},
    peer::channel::{Carriage, Kind, Pieces, TimelyWindow, pieces},
};

const RTT: Duration = Duration::from_millis(40);

fn cut(number: u32, message: &[u8]) -> Vec<Bytes> {
    pieces(number, Kind::Binary, message).collect()
}

/// A message of three pieces.
fn long(byte: u8) -> Vec<u8> {
    vec![byte; 2 * CHANNEL_PIECE_BYTES + 1]
}

fn take(collector: &mut Pieces, pieces: impl IntoIterator<Item = Bytes>) -> Vec<Bytes> {
    let pieces = pieces.into_iter();
    pieces.filter_map(|piece| collector.received(piece)).map(|(_, message)| message).collect()
}

#[test]
fn a_message_of_any_length_arrives_from_its_pieces_in_any_order() {
    for len in [1, CHANNEL_PIECE_BYTES, CHANNEL_PIECE_BYTES + 1, 20_000, CHANNEL_MESSAGE_BYTES] {
        let message: Vec<u8> = (0..len).map(|at| at as u8).collect();
        for kind in [Kind::Text, Kind::Binary] {
            let mut collector = Pieces::new(true);
            let mut pieces: Vec<_> = pieces(7, kind, &message).collect();
            assert_eq!(pieces.len(), len.div_ceil(CHANNEL_PIECE_BYTES));
            pieces.reverse();
            let last = pieces.pop().unwrap();

            assert!(pieces.into_iter().all(|piece| collector.received(piece).is_none()));
            assert_eq!(collector.received(last), Some((kind, message.clone().into())));
        }
    }
}

#[test]
fn a_message_of_which_a_piece_is_lost_is_lost_and_holds_up_none() {
    for in_order in [true, false] {
        let mut collector = Pieces::new(in_order);

        assert!(take(&mut collector, cut(0, &long(0)).into_iter().skip(1)).is_empty());
        let messages = take(&mut collector, cut(1, &long(1)));

        assert_eq!(messages, [long(1)]);
    }
}

#[test]
fn a_message_that_was_overtaken_is_lost_only_if_the_channel_keeps_the_order() {
    for in_order in [true, false] {
        let mut collector = Pieces::new(in_order);
        let mut pieces = cut(5, &long(5));
        let last = pieces.pop();
        take(&mut collector, pieces);

        let messages =
            take(&mut collector, cut(7, b"7").into_iter().chain(last).chain(cut(6, b"6")));

        let all = [Bytes::from_static(b"7"), long(5).into(), Bytes::from_static(b"6")];
        assert_eq!(messages, if in_order { &all[..1] } else { &all });
    }
}

#[test]
fn of_messages_that_are_not_complete_the_oldest_gives_way() {
    let mut collector = Pieces::new(false);
    let count = CHANNEL_PARTS as u32;
    let lasts: Vec<_> = (0..=count)
        .map(|number| {
            let mut pieces = cut(number, &long(number as u8));
            let last = pieces.pop().unwrap();
            take(&mut collector, pieces);
            last
        })
        .collect();

    let messages = take(&mut collector, lasts);

    let expected: Vec<_> = (1..=count).map(|number| long(number as u8)).collect();
    assert_eq!(messages, expected);
}

#[test]
fn numbers_wrap_around() {
    let mut collector = Pieces::new(true);

    let numbers = [u32::MAX - 1, u32::MAX, 0, 1, u32::MAX];
    let messages = take(&mut collector, numbers.iter().flat_map(|number| cut(*number, &long(1))));

    assert_eq!(messages.len(), 4, "the last is older than 1");
}

#[test]
fn what_cannot_be_a_piece_is_ignored() {
    let piece = |index: u16, last: u16, len: usize| {
        let header = [&[0; 4][..], &index.to_be_bytes(), &last.to_be_bytes()].concat();
        Bytes::from([header, vec![1; len]].concat())
    };
    let most = CHANNEL_MESSAGE_BYTES.div_ceil(CHANNEL_PIECE_BYTES) as u16;
    let mut collector = Pieces::new(false);
    let of_none = [
        Bytes::from_static(b"1234567"),
        piece(2, 1, 1),
        piece(0, 0, CHANNEL_PIECE_BYTES + 1),
        piece(0, most, 1),
        piece(0, 0x7fff, 1),
    ];
    assert!(take(&mut collector, of_none).is_empty());

    // The first states how many pieces there are; a second one of the same place is ignored.
    let messages =
        take(&mut collector, [piece(0, 1, 2), piece(0, 1, 3), piece(1, 2, 3), piece(1, 1, 1)]);
    assert_eq!(messages, [vec![1; 3]]);

    // Together they are longer than any message.
    let longest = (0..most).map(|index| piece(index, most - 1, CHANNEL_PIECE_BYTES));
    assert!(take(&mut collector, longest).is_empty());
}

#[test]
fn a_partner_that_knows_this_library_learns_the_carriage_by_the_protocol() {
    let all = [
        Carriage::Reliable,
        Carriage::Lossy,
        Carriage::Pieces { in_order: false },
        Carriage::Pieces { in_order: true },
    ];
    for carriage in all {
        assert_eq!(Carriage::of(&format!("mine{}", carriage.suffix())), carriage);
        // An earlier version sees that the channel may lose messages.
        assert_eq!(carriage.suffix().ends_with(";x-lossy"), carriage.is_lossy());
    }
}

#[test]
fn messages_travel_in_pieces_if_none_is_sent_again_and_the_partner_takes_them() {
    let chosen = Carriage::chosen;

    assert_eq!(chosen(true, false, true, true), Carriage::Pieces { in_order: true });
    assert_eq!(chosen(true, false, false, true), Carriage::Pieces { in_order: false });
    assert_eq!(chosen(true, true, false, true), Carriage::Lossy);
    assert_eq!(chosen(true, false, true, false), Carriage::Lossy);
    assert_eq!(chosen(false, true, true, true), Carriage::Reliable);
}

#[test]
fn a_transport_that_keeps_up_takes_more_whatever_it_holds() {
    let (mut window, mut now) = (TimelyWindow::default(), Instant::now());
    let mut sent = Vec::new();
    for _ in 0..1_000 {
        let held = sent.iter().rev().take(35).sum();

        let room = window.room(held, RTT, now);

        assert!(room > 0);
        window.handed_over(room, now);
        sent.push(room);
        now += Duration::from_millis(1);
    }
}

#[test]
fn a_transport_that_stands_takes_no_more_than_a_few_pieces() {
    let (mut window, now) = (TimelyWindow::default(), Instant::now());
    let mut held = 0;
    for _ in 0..10 {
        held += window.room(held, RTT, now);
        window.handed_over(4 * CHANNEL_PIECE_BYTES, now);
    }

    let later = now + RTT + CHANNEL_QUEUE_TIME + Duration::from_millis(1);

    assert_eq!(window.room(held, RTT, later), 0);
    assert_eq!(window.room(0, RTT, later), 4 * CHANNEL_PIECE_BYTES);
}

#[test]
fn a_few_bytes_may_always_follow_those_that_are_lost() {
    let (mut window, now) = (TimelyWindow::default(), Instant::now());
    window.handed_over(CHANNEL_PIECE_BYTES, now);

    let room = window.room(CHANNEL_PIECE_BYTES, RTT, now + Duration::from_secs(1));

    assert_eq!(room, 3 * CHANNEL_PIECE_BYTES);
}
