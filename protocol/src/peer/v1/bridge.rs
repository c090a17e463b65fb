//! Both peers of a pairing of which at least one speaks v1, as the server keeps them.

use std::{collections::VecDeque, time::Instant};

use super::{Input, Output, V1Peer};
use crate::{Args, Code, Dialect, EndReason, Frame, ReqId};

/// One of the two peers of a bridge.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// The peer that was routed first.
    First,
    /// Its partner.
    Second,
}

impl Side {
    /// Both sides.
    pub const BOTH: [Self; 2] = [Self::First, Self::Second];

    /// Returns the opposite side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// The sessions that the server keeps for the v1 peers of one pairing.
///
/// A v2 peer keeps its own session: what is for it leaves the bridge as [`Output::Send`] of the
/// other side.
#[derive(Debug)]
pub struct Bridge {
    /// `None` for a peer that speaks v2.
    first: Option<Box<V1Peer>>,
    second: Option<Box<V1Peer>>,
    outputs: VecDeque<(Side, Output)>,
}

impl Bridge {
    /// Returns whether a pairing of two such peers needs a bridge.
    #[must_use]
    pub fn is_needed(ends: [Dialect; 2]) -> bool {
        ends.contains(&Dialect::V1)
    }

    /// Creates the bridge of a pairing that begins; `ends` are the dialects of the two peers.
    #[must_use]
    pub fn new(ends: [Dialect; 2], now: Instant) -> Self {
        let [first, second] =
            ends.map(|end| (end == Dialect::V1).then(|| Box::new(V1Peer::new(now))));
        Self { first, second, outputs: VecDeque::new() }
    }

    /// Handles one input of the v1 peer at `side`.
    pub fn handle(&mut self, side: Side, input: Input, now: Instant) {
        if let Some(end) = self.end(side) {
            end.handle(input, now);
        }
        self.settle(now);
    }

    /// Handles frames of the v2 peer at `from`.
    pub fn receive(&mut self, from: Side, frames: Vec<Frame>, now: Instant) {
        if let Some(end) = self.end(from.other()) {
            for frame in frames {
                end.handle(Input::Received(frame), now);
            }
        }
        self.settle(now);
    }

    /// Takes an event of the v1 peer at `from`, and the id of the acknowledgement that it expects.
    ///
    /// # Errors
    ///
    /// [`Code::Congested`] if the partner does not keep up; [`Code::NotPaired`] if the pairing
    /// ended meanwhile.
    pub fn emit(
        &mut self,
        from: Side,
        event: String,
        args: Args,
        ack: Option<ReqId>,
        now: Instant,
    ) -> Result<(), Code> {
        let end = self.end(from).ok_or(Code::NotPaired)?;
        end.emit(event, args, ack, now)?;
        self.settle(now);
        Ok(())
    }

    /// Handles deadlines that may be due.
    pub fn timeout(&mut self, now: Instant) {
        for side in Side::BOTH {
            if let Some(end) = self.end(side) {
                end.handle(Input::Timeout, now);
            }
        }
        self.settle(now);
    }

    /// Ends the sessions of both peers. Each call that is open is answered.
    pub fn ended(&mut self, reason: EndReason, now: Instant) {
        for side in Side::BOTH {
            let is_leaving = self.end(side).is_some_and(|end| end.is_leaving());
            if is_leaving && self.is_unconfirmed(side) {
                self.outputs.push_back((side, Output::Undelivered));
            }
        }
        for side in Side::BOTH {
            if let Some(end) = self.end(side) {
                end.handle(Input::Ended(reason), now);
            }
        }
        self.settle(now);
    }

    /// Returns the next action and the side of the v1 peer whose action it is, if any.
    pub fn poll_output(&mut self) -> Option<(Side, Output)> {
        self.outputs.pop_front()
    }

    /// Returns whether so many events of the v1 peer at `side` wait that nothing should be read from it.
    #[must_use]
    pub fn is_full(&self, side: Side) -> bool {
        let end = match side {
            Side::First => &self.first,
            Side::Second => &self.second,
        };
        end.as_ref().is_some_and(|end| end.is_full())
    }

    /// Notes that the v1 peer at `side` asked for the end of the pairing: it emits nothing more.
    pub fn leave(&mut self, side: Side) {
        if let Some(end) = self.end(side) {
            end.leave();
        }
    }

    /// Returns whether a v1 peer asked for the end of the pairing.
    #[must_use]
    pub fn is_left(&self) -> bool {
        [&self.first, &self.second].into_iter().flatten().any(|end| end.is_leaving())
    }

    /// Returns true while the partner of the v1 peer at `side` has not taken all that this peer emitted.
    #[must_use]
    pub fn is_unconfirmed(&self, side: Side) -> bool {
        let (end, partner) = match side {
            Side::First => (&self.first, &self.second),
            Side::Second => (&self.second, &self.first),
        };
        // The session of a v1 partner confirms what it has, and hands it out one by one.
        let is_handing_out = partner.as_ref().is_some_and(|partner| partner.is_handing_out());
        end.as_ref().is_some_and(|end| end.is_unconfirmed() || is_handing_out)
    }

    /// Returns when [`Self::timeout`] is due, or `None` if nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let ends = [&self.first, &self.second].into_iter().flatten();
        ends.filter_map(|end| end.poll_timeout()).min()
    }

    /// Returns the same, if it may be before `armed`: what this returned when the host set its timer.
    #[must_use]
    pub fn poll_timeout_before(&self, armed: Option<Instant>, now: Instant) -> Option<Instant> {
        let ends = [&self.first, &self.second].into_iter().flatten();
        let next = ends.filter_map(|end| end.poll_timeout_before(armed, now)).min();
        next.filter(|next| armed.is_none_or(|armed| *next < armed))
    }

    const fn end(&mut self, side: Side) -> Option<&mut Box<V1Peer>> {
        match side {
            Side::First => self.first.as_mut(),
            Side::Second => self.second.as_mut(),
        }
    }

    /// Passes frames between two v1 peers until both are quiet, and collects everything else.
    fn settle(&mut self, now: Instant) {
        let mut is_quiet = false;
        while !is_quiet {
            is_quiet = true;
            for side in Side::BOTH {
                while let Some(output) = self.end(side).and_then(|end| end.poll_output()) {
                    match (output, self.end(side.other())) {
                        (Output::Send(frame), Some(partner)) => {
                            partner.handle(Input::Received(frame), now);
                            is_quiet = false;
                        }
                        (output, _) => self.outputs.push_back((side, output)),
                    }
                }
            }
        }
    }
}
