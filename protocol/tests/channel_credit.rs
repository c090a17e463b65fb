//! Raw channels: what may be sent, what is given back, how a channel closes.

use std::time::{Duration, Instant};

use socketio_p2p_protocol::{
    limits::{
        CHANNEL_FAREWELL, CHANNEL_MESSAGE_BYTES, CHANNEL_OVERHEAD, CHANNEL_QUIET,
        CHANNEL_UNREAD_BYTES, CHANNEL_WINDOW, CHANNEL_WINDOW_MIN, CHANNELS, CHANNELS_IN_ALL,
    },
    peer::channel::{
        Admission, Arrival, Channel, ChannelEnd, Input, Kind, Output, SpendError, admit, is_counted,
    },
};

const ROUND_TRIP: Duration = Duration::from_millis(10);
/// The length of a message that counts 16 KiB.
const LEN: usize = 16 * 1024 - CHANNEL_OVERHEAD;
const IN_A_QUARTER: usize = CHANNEL_WINDOW / 4 / (LEN + CHANNEL_OVERHEAD);

/// An end whose partner counts.
fn counted() -> Channel {
    Channel::new(CHANNEL_WINDOW, false)
}

/// Takes so many messages that count 16 KiB each.
fn receive(channel: &mut Channel, messages: usize, now: Instant) -> Arrival {
    let mut last = Arrival::Lost;
    for _ in 0..messages {
        last = channel.received(Kind::Binary, LEN, channel.unread(), now);
    }
    last
}

#[test]
fn ends_count_if_both_state_a_window_of_16_kib_at_least() {
    assert!(is_counted(CHANNEL_WINDOW_MIN));
    assert!(!is_counted(CHANNEL_WINDOW_MIN - 1));
    assert!(!is_counted(0), "a partner that states none");
}

#[test]
fn a_message_counts_its_length_and_128_bytes_and_the_last_one_may_exceed_the_window() {
    let mut channel = Channel::new(CHANNEL_WINDOW_MIN, false);

    for _ in 0..CHANNEL_WINDOW_MIN / (CHANNEL_OVERHEAD + 1) {
        assert_eq!(channel.spend(1), Ok(()));
    }
    assert_eq!(channel.spend(CHANNEL_MESSAGE_BYTES), Ok(()), "something was left");
    assert_eq!(channel.spend(1), Err(SpendError::Full));
}

#[test]
fn an_empty_binary_message_gives_back_a_quarter_of_the_senders_own_view_of_the_window() {
    let now = Instant::now();
    let mut channel = counted();
    while channel.spend(LEN).is_ok() {}

    assert_eq!(channel.received(Kind::Binary, 0, 0, now), Arrival::Credit);

    let sent = std::iter::from_fn(|| channel.spend(LEN).ok()).count();
    assert_eq!(sent, IN_A_QUARTER);
}

#[test]
fn an_end_that_has_read_a_quarter_of_its_window_gives_it_back() {
    let mut channel = counted();
    receive(&mut channel, 2 * IN_A_QUARTER, Instant::now());

    let is_due: Vec<bool> = (0..IN_A_QUARTER).map(|_| channel.read(LEN)).collect();

    assert!(is_due[..IN_A_QUARTER - 1].iter().all(|is_due| !is_due), "not before");
    assert!(is_due[IN_A_QUARTER - 1]);
    assert_eq!(channel.poll_output(), Some(Output::Grant));
    assert_eq!(channel.poll_output(), None);
}

#[test]
fn a_message_that_was_not_sent_costs_nothing() {
    let mut channel = counted();
    while channel.spend(LEN).is_ok() {}

    channel.refund(LEN);

    assert_eq!(channel.spend(LEN), Ok(()));
    assert_eq!(channel.spend(LEN), Err(SpendError::Full));
}

#[test]
fn an_empty_text_says_that_its_sender_leaves_and_the_receiver_closes_the_channel() {
    let now = Instant::now();
    let mut channel = counted();
    receive(&mut channel, 1, now);

    assert_eq!(channel.received(Kind::Text, 0, 0, now), Arrival::PartnerLeft);

    assert_eq!(channel.end(), Some(ChannelEnd::Partner));
    assert_eq!(channel.spend(1), Err(SpendError::Closed), "it sends nothing more either");
    assert!(channel.unread() > 0, "what came before can be read");
    assert_eq!(channel.poll_output(), None, "its own empty text is not needed");
    assert_eq!(channel.poll_timeout(now, ROUND_TRIP), Some(now));
    channel.handle(Input::Timeout(ROUND_TRIP), now);
    assert_eq!(channel.poll_output(), Some(Output::Close));
    channel.handle(Input::Closed, now);
    assert_eq!(channel.poll_output(), None);
}

#[test]
fn an_end_that_leaves_announces_it_and_sends_nothing_more() {
    let now = Instant::now();
    let mut channel = counted();

    channel.handle(Input::Leave(ChannelEnd::Here), now);

    assert_eq!(channel.poll_output(), Some(Output::Leave));
    assert!(!channel.has_left());
    channel.handle(Input::SentLeave, now);
    assert!(channel.has_left());
    assert_eq!(channel.poll_output(), None);
    assert_eq!(channel.spend(1), Err(SpendError::Closed));
    assert_eq!(receive(&mut channel, 1, now), Arrival::Kept, "what still comes is read");
    channel.handle(Input::Ended(ChannelEnd::Partner), now);
    assert_eq!(channel.end(), Some(ChannelEnd::Here));
}

#[test]
fn a_partner_that_does_not_close_a_channel_that_was_left_has_it_closed_after_5_s() {
    let now = Instant::now();
    let mut channel = counted();
    channel.handle(Input::Leave(ChannelEnd::Here), now);
    channel.handle(Input::SentLeave, now);

    let at = channel.poll_timeout(now, ROUND_TRIP).unwrap();

    assert_eq!(at, now + CHANNEL_FAREWELL);
    channel.handle(Input::Timeout(ROUND_TRIP), at - Duration::from_millis(1));
    assert_eq!(channel.poll_output(), None);
    channel.handle(Input::Timeout(ROUND_TRIP), at);
    assert_eq!(channel.poll_output(), Some(Output::Close));
}

#[test]
fn a_partner_that_does_not_count_sees_no_empty_message_and_its_channel_is_closed_once_nothing_comes()
 {
    let now = Instant::now();
    let mut channel = Channel::new(0, false);
    receive(&mut channel, 4 * IN_A_QUARTER, now);
    for _ in 0..4 * IN_A_QUARTER {
        assert!(!channel.read(LEN));
    }
    assert_eq!(channel.poll_output(), None, "nothing is given back");
    assert_eq!(channel.received(Kind::Text, 0, 0, now), Arrival::Kept, "an empty text is one");

    channel.handle(Input::Leave(ChannelEnd::Here), now);

    assert_eq!(channel.poll_output(), None);
    let at = now + CHANNEL_QUIET + 2 * ROUND_TRIP;
    assert_eq!(channel.poll_timeout(now, ROUND_TRIP), Some(at));
    receive(&mut channel, 1, at);
    channel.handle(Input::Timeout(ROUND_TRIP), at);
    assert_eq!(channel.poll_output(), None, "something came");
    channel.handle(Input::Timeout(ROUND_TRIP), at + CHANNEL_QUIET + 2 * ROUND_TRIP);
    assert_eq!(channel.poll_output(), Some(Output::Close));
}

#[test]
fn of_a_partner_that_does_not_count_8_mib_are_kept_then_the_channel_is_closed() {
    let now = Instant::now();
    let mut channel = Channel::new(0, false);

    let kept = CHANNEL_UNREAD_BYTES / (LEN + CHANNEL_OVERHEAD);
    assert_eq!(receive(&mut channel, kept, now), Arrival::Kept);
    assert_eq!(receive(&mut channel, 1, now), Arrival::Overflowed);

    assert_eq!(channel.unread(), 0, "what was unread is lost");
    assert_eq!(channel.end(), Some(ChannelEnd::Unread));
    assert_eq!(receive(&mut channel, 1, now), Arrival::Lost);
    assert_eq!(channel.spend(1), Err(SpendError::Closed));
    assert!(channel.poll_timeout(now, ROUND_TRIP).is_some(), "it is closed when nothing comes");
}

#[test]
fn beyond_80_mib_of_all_channels_one_that_holds_more_than_its_share_is_closed() {
    let now = Instant::now();
    let in_all = 81 << 20;
    let (mut greedy, mut modest) = (Channel::new(0, false), Channel::new(0, false));
    receive(&mut greedy, 5 * IN_A_QUARTER + 1, now);

    assert_eq!(greedy.received(Kind::Binary, LEN, in_all, now), Arrival::Overflowed);
    assert_eq!(modest.received(Kind::Binary, LEN, in_all, now), Arrival::Kept);
}

#[test]
fn a_channel_that_may_lose_messages_is_not_counted_and_loses_what_does_not_fit() {
    let now = Instant::now();
    let mut channel = Channel::new(CHANNEL_WINDOW, true);
    for _ in 0..8 * IN_A_QUARTER {
        assert_eq!(channel.spend(LEN), Ok(()));
    }

    assert_eq!(receive(&mut channel, 4 * IN_A_QUARTER, now), Arrival::Kept);
    assert_eq!(receive(&mut channel, 4 * IN_A_QUARTER, now), Arrival::Lost);

    assert_eq!(channel.end(), None, "it goes on");
    channel.read(LEN);
    channel.read(LEN);
    assert_eq!(receive(&mut channel, 1, now), Arrival::Kept);
}

#[test]
fn nothing_is_kept_of_a_channel_that_was_dropped_and_its_control_messages_still_count() {
    let now = Instant::now();
    let mut channel = counted();
    receive(&mut channel, 8, now);

    channel.handle(Input::Abandoned, now);

    assert_eq!(channel.unread(), 0);
    assert_eq!(receive(&mut channel, 1, now), Arrival::Lost);
    assert_eq!(channel.received(Kind::Binary, 0, 0, now), Arrival::Credit);
    assert_eq!(channel.received(Kind::Text, 0, 0, now), Arrival::PartnerLeft);
}

#[test]
fn a_connection_that_is_lost_ends_its_channels_as_such() {
    let now = Instant::now();
    let (mut open, mut left) = (counted(), counted());
    left.handle(Input::Leave(ChannelEnd::Here), now);
    left.handle(Input::SentLeave, now);

    for channel in [&mut open, &mut left] {
        channel.handle(Input::Ended(ChannelEnd::Connection), now);
        assert_eq!(channel.poll_timeout(now, ROUND_TRIP), None);
    }

    assert_eq!(open.end(), Some(ChannelEnd::Connection));
    assert_eq!(left.end(), Some(ChannelEnd::Here), "it had left before");
}

#[test]
fn a_connection_has_64_channels_and_a_partner_that_opens_them_by_the_hundred_is_left() {
    assert_eq!(admit(CHANNELS - 1, CHANNELS_IN_ALL - 1), Admission::Taken);
    assert_eq!(admit(CHANNELS, CHANNELS), Admission::Refused);
    assert_eq!(admit(0, CHANNELS_IN_ALL), Admission::Overrun);
}

mod model {
    //! Two ends and what is under way between them: neither loses, neither waits for ever, and what is unread
    //! has its bound whatever the order of sending, reading and leaving.

    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Send { end: usize, len: usize },
        Deliver { end: usize },
        Read { end: usize },
        Leave { end: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        let len = prop_oneof![1..64_usize, 1..CHANNEL_MESSAGE_BYTES];
        prop_oneof![
            8 => (0..2_usize, len).prop_map(|(end, len)| Step::Send { end, len }),
            8 => (0..2_usize).prop_map(|end| Step::Deliver { end }),
            6 => (0..2_usize).prop_map(|end| Step::Read { end }),
            1 => (0..2_usize).prop_map(|end| Step::Leave { end }),
        ]
    }

    /// One end, and what is under way to it. A message is its length and its number; an empty one is control.
    struct End {
        channel: Channel,
        arriving: VecDeque<(Kind, usize, u64)>,
        inbox: VecDeque<(usize, u64)>,
        sent: u64,
        read: u64,
        is_closed: bool,
    }

    struct World {
        ends: [End; 2],
        now: Instant,
    }

    impl World {
        fn new(windows: [usize; 2]) -> Self {
            // Each end counts down the window that the other one states.
            let ends = [windows[1], windows[0]].map(|window| End {
                channel: Channel::new(window, false),
                arriving: VecDeque::new(),
                inbox: VecDeque::new(),
                sent: 0,
                read: 0,
                is_closed: false,
            });
            Self { ends, now: Instant::now() }
        }

        fn take(&mut self, step: Step) {
            match step {
                Step::Send { end, len } => {
                    if self.ends[end].channel.spend(len).is_ok() {
                        self.ends[end].sent += 1;
                        let number = self.ends[end].sent;
                        self.ends[1 - end].arriving.push_back((Kind::Binary, len, number));
                    }
                }
                Step::Deliver { end } => self.deliver(end),
                Step::Read { end } => {
                    let here = &mut self.ends[end];
                    if let Some((len, number)) = here.inbox.pop_front() {
                        here.channel.read(len);
                        here.read += 1;
                        assert_eq!(number, here.read, "in order, none missing");
                    }
                }
                Step::Leave { end } => {
                    self.ends[end].channel.handle(Input::Leave(ChannelEnd::Here), self.now);
                }
            }
            for end in 0..2 {
                self.carry_out(end);
                let unread = self.ends[end].channel.unread();
                let bound = CHANNEL_WINDOW + CHANNEL_MESSAGE_BYTES + CHANNEL_OVERHEAD;
                assert!(unread <= bound, "{unread} bytes are unread");
            }
        }

        fn deliver(&mut self, end: usize) {
            let here = &mut self.ends[end];
            let Some((kind, len, number)) = here.arriving.pop_front() else { return };
            assert!(!here.is_closed || len == 0, "a message comes over a channel that is closed");
            match here.channel.received(kind, len, here.channel.unread(), self.now) {
                Arrival::Kept => here.inbox.push_back((len, number)),
                Arrival::Credit | Arrival::PartnerLeft => assert_eq!(len, 0),
                arrival => panic!("{arrival:?}"),
            }
            here.channel.handle(Input::Timeout(ROUND_TRIP), self.now);
        }

        fn carry_out(&mut self, end: usize) {
            while let Some(output) = self.ends[end].channel.poll_output() {
                match output {
                    Output::Grant => self.ends[1 - end].arriving.push_back((Kind::Binary, 0, 0)),
                    Output::Leave => {
                        self.ends[1 - end].arriving.push_back((Kind::Text, 0, 0));
                        self.ends[end].channel.handle(Input::SentLeave, self.now);
                    }
                    Output::Close => {
                        self.ends[end].is_closed = true;
                        self.ends[end].channel.handle(Input::Closed, self.now);
                    }
                }
            }
        }

        /// Delivers and reads until nothing is under way.
        fn settle(&mut self) {
            while self.ends.iter().any(|end| !end.arriving.is_empty() || !end.inbox.is_empty()) {
                for end in 0..2 {
                    self.take(Step::Deliver { end });
                    self.take(Step::Read { end });
                }
            }
        }
    }

    proptest! {
        #[test]
        fn two_ends_that_count_lose_nothing_and_never_wait_for_each_other(
            steps in prop::collection::vec(step(), 1..600),
        ) {
            let mut world = World::new([CHANNEL_WINDOW; 2]);

            for step in steps {
                world.take(step);
            }
            world.settle();

            for end in 0..2 {
                let (here, there) = (&world.ends[end], &world.ends[1 - end]);
                prop_assert_eq!(here.sent, there.read);
            }
            let has_left = world.ends.iter().any(|end| end.channel.has_left());
            for end in 0..2 {
                let sent = world.ends[end].channel.spend(1);
                if has_left {
                    prop_assert_eq!(sent, Err(SpendError::Closed));
                } else {
                    prop_assert_eq!(sent, Ok(()), "all was read, so that there is room");
                }
            }
            prop_assert!(!has_left || world.ends.iter().any(|end| end.is_closed));
        }
    }
}
