//! A watcher of this machine's links and default routes: it shows on Linux that a network was left whose address stays.

use std::{future::pending, io, time::Duration};

use netlink_packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkFlags, LinkMessage},
    route::{RouteHeader, RouteMessage},
};
use netlink_sys::{
    AsyncSocket as _, AsyncSocketExt as _, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE,
};
use tokio::time::{Instant, sleep_until};

/// The multicast groups of links and of routes of both families, as `rtnetlink(7)` names them.
const GROUPS: u32 = RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
const RTMGRP_LINK: u32 = 1;
const RTMGRP_IPV4_ROUTE: u32 = 0x40;
const RTMGRP_IPV6_ROUTE: u32 = 0x400;

/// The least time between two hints. Each asks the server for a sign of life, and some machines change their links
/// all the time.
const BETWEEN_HINTS: Duration = Duration::from_millis(500);

/// Watches links that are lost, and default routes.
pub(super) struct RouteWatch {
    /// `None` where the system does not report changes.
    socket: Option<TokioSocket>,
    hints: Hints,
}

/// Hints that are passed on with a pause between them. None is lost: the answer to the question that one caused says
/// nothing of what changed after it.
#[derive(Debug, Default)]
struct Hints {
    passed_at: Option<Instant>,
    due: Option<Instant>,
}

impl Hints {
    fn add(&mut self, now: Instant) {
        let next = self.passed_at.map_or(now, |at| now.max(at + BETWEEN_HINTS));
        self.due.get_or_insert(next);
    }

    /// Returns whether one is to be passed on now.
    fn pass(&mut self, now: Instant) -> bool {
        let is_due = self.due.take_if(|due| *due <= now).is_some();
        if is_due {
            self.passed_at = Some(now);
        }
        is_due
    }
}

impl RouteWatch {
    /// Starts to watch.
    pub(super) fn watch() -> Self {
        let socket = subscribe();
        let socket = socket.inspect_err(|error| {
            tracing::debug!(%error, "changed routes will not be noticed");
        });
        Self { socket: socket.ok(), hints: Hints::default() }
    }

    /// Waits until a link is lost or a default route changes. Cancel safe.
    pub(super) async fn changed(&mut self) {
        while !self.hints.pass(Instant::now()) {
            let due = self.hints.due;
            tokio::select! {
                is_hint = heard(&mut self.socket) => if is_hint {
                    self.hints.add(Instant::now());
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }
}

/// Waits for the next messages of the system. Returns whether one of them is a hint. Cancel safe.
async fn heard(from: &mut Option<TokioSocket>) -> bool {
    let Some(socket) = from else { return pending().await };
    match socket.recv_from_full().await {
        Ok((messages, _)) => are_hint(&messages),
        // The system had more to say than fits.
        Err(error) if error.raw_os_error() == Some(ENOBUFS) => true,
        Err(error) => {
            tracing::debug!(%error, "changed routes will no longer be noticed");
            *from = None;
            false
        }
    }
}

/// No room in the socket's queue, on Linux.
const ENOBUFS: i32 = 105;

fn subscribe() -> io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
    socket.socket_mut().bind(&SocketAddr::new(0, GROUPS))?;
    Ok(socket)
}

/// Returns whether one of these messages of the system is a hint that connections may be dead.
fn are_hint(mut messages: &[u8]) -> bool {
    while let Ok(header) = NetlinkBuffer::new_checked(messages) {
        let length = header.length() as usize;
        if let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(messages)
            && is_hint(&message)
        {
            return true;
        }
        // Messages begin at multiples of 4.
        let Some(rest) = messages.get(length.next_multiple_of(4).max(4)..) else { break };
        messages = rest;
    }
    false
}

fn is_hint(message: &NetlinkMessage<RouteNetlinkMessage>) -> bool {
    let NetlinkPayload::InnerMessage(message) = &message.payload else { return false };
    match message {
        RouteNetlinkMessage::NewLink(link) => is_lost(link),
        RouteNetlinkMessage::DelLink(_) => true,
        RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => {
            is_default(route)
        }
        _ => false,
    }
}

fn is_lost(link: &LinkMessage) -> bool {
    !link.header.flags.contains(LinkFlags::LowerUp | LinkFlags::Up)
}

fn is_default(route: &RouteMessage) -> bool {
    let RouteHeader { destination_prefix_length, table, .. } = route.header;
    destination_prefix_length == 0 && table == RouteHeader::RT_TABLE_MAIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(messages: impl IntoIterator<Item = RouteNetlinkMessage>) -> Vec<u8> {
        let mut all = Vec::new();
        for message in messages {
            let mut message = NetlinkMessage::from(message);
            message.finalize();
            let begin = all.len();
            all.resize(begin + message.buffer_len().next_multiple_of(4), 0);
            message.serialize(&mut all[begin..]);
        }
        all
    }

    fn link(flags: LinkFlags) -> RouteNetlinkMessage {
        let mut link = LinkMessage::default();
        link.header.flags = flags;
        RouteNetlinkMessage::NewLink(link)
    }

    fn route(length: u8, table: u8) -> RouteMessage {
        let mut route = RouteMessage::default();
        route.header.destination_prefix_length = length;
        route.header.table = table;
        route
    }

    #[test]
    fn a_link_that_is_lost_and_another_default_route_are_hints() {
        let stands = link(LinkFlags::Up | LinkFlags::LowerUp | LinkFlags::Running);
        let main = RouteHeader::RT_TABLE_MAIN;
        let other = RouteNetlinkMessage::NewRoute(route(24, main));
        assert!(!are_hint(&text([stands.clone(), other.clone()])));
        assert!(!are_hint(&text([RouteNetlinkMessage::NewRoute(route(0, main + 1))])));

        for hint in [
            link(LinkFlags::Up),
            link(LinkFlags::empty()),
            RouteNetlinkMessage::DelLink(LinkMessage::default()),
            RouteNetlinkMessage::NewRoute(route(0, main)),
            RouteNetlinkMessage::DelRoute(route(0, main)),
        ] {
            assert!(are_hint(&text([stands.clone(), other.clone(), hint.clone()])), "{hint:?}");
        }
    }

    #[test]
    fn a_hint_soon_after_another_is_passed_on_later() {
        let (mut hints, now) = (Hints::default(), Instant::now());
        assert!(!hints.pass(now));
        hints.add(now);
        assert!(hints.pass(now) && !hints.pass(now));

        hints.add(now + BETWEEN_HINTS / 4);
        hints.add(now + BETWEEN_HINTS / 2);

        assert!(!hints.pass(now + BETWEEN_HINTS / 2));
        assert!(hints.pass(now + BETWEEN_HINTS) && !hints.pass(now + 2 * BETWEEN_HINTS));
        hints.add(now + 2 * BETWEEN_HINTS);
        assert!(hints.pass(now + 2 * BETWEEN_HINTS));
    }

    #[test]
    fn what_is_cut_short_is_no_hint() {
        let whole = text([link(LinkFlags::empty())]);

        for length in 0..whole.len() {
            assert!(!are_hint(&whole[..length]), "{length}");
        }
    }
}
