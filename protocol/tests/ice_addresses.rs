//! The choice of a host's addresses, and of candidates.

use std::net::IpAddr;

use socketio_p2p_protocol::{
    Candidate, CandidatePlaces, HostAddress,
    limits::{CANDIDATE_PAIRS, CANDIDATES, HOST_CANDIDATES, SERVER_CANDIDATES},
};

fn on(interface: &str, ip: &str) -> HostAddress {
    let ip = ip.parse().unwrap();
    HostAddress { ip, interface: interface.to_owned(), is_default: false }
}

fn best(addresses: &[HostAddress], limit: usize) -> Vec<String> {
    HostAddress::best(addresses, limit).iter().map(IpAddr::to_string).collect()
}

/// Returns how many of this many candidates of a kind find a place.
fn placed(places: &mut CandidatePlaces, kind: &str, count: usize) -> usize {
    let text = format!("candidate:1 1 udp 5 192.0.2.1 4000 typ {kind}");
    let candidate = Candidate::new(&text, None, None).unwrap();
    (0..count).filter(|_| places.take(&candidate)).count()
}

#[test]
fn the_address_from_which_the_internet_is_reached_is_the_best() {
    let mut addresses: Vec<_> =
        (1..=200).map(|last| on("eth0", &format!("10.0.0.{last}"))).collect();
    addresses[150].is_default = true;

    assert_eq!(best(&addresses, 2), ["10.0.0.151", "10.0.0.1"]);
}

#[test]
fn each_interface_and_each_family_has_its_turn() {
    let addresses = [
        on("eth0", "10.0.0.1"),
        on("eth0", "10.0.0.1"),
        on("eth0", "10.0.0.2"),
        on("eth0", "2001:db8::1"),
        on("wlan0", "10.1.0.1"),
        on("wlan0", "10.1.0.2"),
    ];

    assert_eq!(
        best(&addresses, 5),
        ["10.0.0.1", "2001:db8::1", "10.1.0.1", "10.0.0.2", "10.1.0.2"]
    );
    assert_eq!(best(&addresses, 2), ["10.0.0.1", "2001:db8::1"]);
}

#[test]
fn the_candidates_of_servers_find_a_place_however_many_addresses_there_are() {
    let mut own = CandidatePlaces::own();

    assert_eq!(placed(&mut own, "host", 200), HOST_CANDIDATES);
    assert_eq!(placed(&mut own, "srflx", 200), SERVER_CANDIDATES);
    assert_eq!(placed(&mut own, "relay", 200), SERVER_CANDIDATES);
    assert_eq!(HOST_CANDIDATES + 2 * SERVER_CANDIDATES, CANDIDATES);
}

#[test]
fn the_more_addresses_this_end_has_the_fewer_of_the_partner_are_tried() {
    for (own, tried) in
        [(0, CANDIDATES), (4, CANDIDATES), (8, CANDIDATE_PAIRS / 8), (16, 16), (500, 16)]
    {
        assert_eq!(placed(&mut CandidatePlaces::of_partner(own), "host", 200), tried, "{own}");
    }
}
