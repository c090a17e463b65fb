//! The ICE servers of a client.

/// Addresses of ICE servers that a client uses; further ones are left out. Each costs a lookup, and a request from
/// each local address.
pub const ICE_URLS: usize = 16;

/// Addresses of its own from which a client makes candidates, the best. Every pair of addresses is checked several
/// times at once: with 16 addresses each, two clients connect in 0.1 s, with 32 in seconds, and with 48 not at all.
pub const HOST_CANDIDATES: usize = 16;

/// Pairs of own addresses and those of the partner's host that are checked, if this leaves room for
/// [`HOST_CANDIDATES`] of the partner. RFC 8445 recommends 100 checks.
pub const CANDIDATE_PAIRS: usize = 256;

/// Candidates of each of the two kinds that ICE servers make: addresses from which a peer is seen, and relayed ones.
/// They have places of their own: those of servers come last, and a host with many addresses needs them most. A client
/// signals [`CANDIDATES`](super::CANDIDATES) in all.
pub const SERVER_CANDIDATES: usize = 24;
