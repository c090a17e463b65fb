//! A client: its endpoint, and an application that calls, answers, waits and changes its mind.

use std::{collections::VecDeque, time::Instant};

use socketio_p2p_protocol::{ConnId, Endpoint, EndpointConfig, ResumeToken, endpoint::Command};

use crate::oracle::CallNo;

/// Numbers of requests are above this, those of calls below.
pub(crate) const REQUESTS: u64 = 1 << 40;

pub(crate) struct Client {
    pub(crate) name: String,
    /// None before its first connection, and after the last.
    pub(crate) endpoint: Option<Endpoint>,
    /// The present connection.
    pub(crate) conn: Option<ConnId>,
    /// Whether a next connection is being made.
    pub(crate) connecting: bool,
    /// What the next connection shows.
    pub(crate) resume: Option<ResumeToken>,
    /// Calls that wait for room in the window.
    pub(crate) waiting: VecDeque<Waiting>,
    /// Calls that were made and may still be taken back.
    pub(crate) open: Vec<CallNo>,
    pub(crate) last_request: u64,
    /// Requests without an answer.
    pub(crate) asked: usize,
    /// For when its timer is set.
    pub(crate) alarm: Option<Instant>,
}

pub(crate) struct Waiting {
    pub(crate) call: CallNo,
    pub(crate) command: Command,
    pub(crate) deadline: Instant,
}

impl Client {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            name: format!("client-{number}"),
            endpoint: None,
            conn: None,
            connecting: false,
            resume: None,
            waiting: VecDeque::new(),
            open: Vec::new(),
            last_request: REQUESTS,
            asked: 0,
            alarm: None,
        }
    }

    pub(crate) fn number_of(name: &str) -> Option<usize> {
        name.strip_prefix("client-")?.parse().ok()
    }

    /// Its first connection is there.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.endpoint = Some(Endpoint::new(EndpointConfig::default(), now));
    }

    pub(crate) fn next_request(&mut self) -> u64 {
        self.last_request += 1;
        self.asked += 1;
        self.last_request
    }
}
