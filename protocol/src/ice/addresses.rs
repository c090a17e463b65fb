//! The choice of this host's addresses, and of the candidates that are signalled.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    Candidate,
    limits::{CANDIDATE_PAIRS, CANDIDATES, HOST_CANDIDATES, SERVER_CANDIDATES},
};

/// An address of this host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostAddress {
    /// The address.
    pub ip: IpAddr,
    /// The name of its interface.
    pub interface: String,
    /// True if what is sent to the internet leaves from this address.
    pub is_default: bool,
}

impl HostAddress {
    /// Returns the best of some addresses, at most `limit`, the best first: those from which the internet is reached;
    /// then the first of each family of each interface, then the second, and so on, so that a network with many
    /// addresses leaves room for the others.
    #[must_use]
    pub fn best(addresses: &[Self], limit: usize) -> Vec<IpAddr> {
        let mut seen = BTreeSet::new();
        let mut turns = BTreeMap::<_, usize>::new();
        let mut ranked = Vec::new();
        for address in addresses.iter().filter(|address| seen.insert(address.ip)) {
            let turn = turns.entry((&address.interface, address.ip.is_ipv6())).or_default();
            ranked.push((!address.is_default, *turn, address.ip));
            *turn += 1;
        }
        // Stable: the order of the system decides between equal ones.
        ranked.sort_by_key(|(is_other, turn, _)| (*is_other, *turn));
        ranked.into_iter().map(|(.., ip)| ip).take(limit).collect()
    }
}

/// The places of one peer's candidates in an attempt. Each kind has its own: those of ICE servers come last, and one
/// relayed candidate is worth many others.
#[derive(Clone, Copy, Debug)]
pub struct CandidatePlaces {
    hosts: usize,
    seen: usize,
    relayed: usize,
}

impl CandidatePlaces {
    /// Returns the places of this peer's candidates.
    #[must_use]
    pub const fn own() -> Self {
        Self::new(HOST_CANDIDATES)
    }

    /// Returns the places of the candidates that a partner may signal, whatever this peer uses of them.
    #[must_use]
    pub const fn signalled() -> Self {
        Self::new(CANDIDATES)
    }

    /// Returns the places of the partner's candidates, if this peer uses this many addresses: the more pairs, the fewer.
    #[must_use]
    pub fn of_partner(addresses: usize) -> Self {
        let hosts = CANDIDATE_PAIRS / addresses.max(1);
        Self::new(hosts.clamp(HOST_CANDIDATES, CANDIDATES))
    }

    const fn new(hosts: usize) -> Self {
        Self { hosts, seen: SERVER_CANDIDATES, relayed: SERVER_CANDIDATES }
    }

    /// Takes a place for a candidate. Returns false if there is none.
    pub fn take(&mut self, candidate: &Candidate) -> bool {
        let places = match candidate.kind() {
            "host" => &mut self.hosts,
            "relay" => &mut self.relayed,
            _ => &mut self.seen,
        };
        let is_free = *places > 0;
        *places -= usize::from(is_free);
        is_free
    }
}
