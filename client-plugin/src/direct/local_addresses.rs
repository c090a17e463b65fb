//! This host's addresses that are bound.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rtc::shared::ifaces::ifaces;
use socketio_p2p_protocol::{HostAddress, limits::HOST_CANDIDATES};

/// Addresses of the documentation, which no host has. The kernel knows the way to them if it knows that to the internet.
const FAR_AWAY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// Returns the addresses to bind, and the number of addresses that come of it, at most [`HOST_CANDIDATES`].
///
/// webrtc leaves loopback out of an unspecified address. On a machine without a network there is nothing else, and it
/// is enough for two clients on that machine.
pub(super) fn local_addresses(bind: &[SocketAddr]) -> (Vec<SocketAddr>, usize) {
    let mut bind = bind.to_vec();
    let defaults: Vec<IpAddr> = FAR_AWAY.into_iter().filter_map(source_towards).collect();
    let is_any = bind.iter().any(|address| address.ip().is_unspecified());
    if is_any && !defaults.iter().any(IpAddr::is_ipv4) {
        bind.push((Ipv4Addr::LOCALHOST, 0).into());
    }
    chosen(bind, &host_addresses(&defaults), HOST_CANDIDATES)
}

/// Returns the same addresses if there are at most `limit` with those for which an unspecified one stands, or else the
/// best: first those that were named.
fn chosen(bind: Vec<SocketAddr>, host: &[HostAddress], limit: usize) -> (Vec<SocketAddr>, usize) {
    let (any, named): (Vec<_>, Vec<_>) =
        bind.iter().copied().partition(|address| address.ip().is_unspecified());
    let of_host = HostAddress::best(host, usize::MAX).into_iter().flat_map(|ip| {
        let of_its_family = any.iter().filter(move |any| any.is_ipv4() == ip.is_ipv4());
        of_its_family.map(move |any| SocketAddr::new(ip, any.port()))
    });
    let mut all: Vec<_> = named.into_iter().chain(of_host).collect();
    if all.len() <= limit {
        return (bind, all.len()); // webrtc replaces unspecified ones in the same way.
    }
    tracing::debug!(addresses = all.len(), limit, "not all addresses are used");
    all.truncate(limit);
    (all, limit)
}

/// Returns the addresses by which others may reach this host. Loopback and link-local ones are left out.
fn host_addresses(defaults: &[IpAddr]) -> Vec<HostAddress> {
    let interfaces = ifaces().unwrap_or_default();
    let addresses = interfaces.into_iter().filter_map(|interface| {
        let ip = interface.addr?.ip();
        let is_link_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        let is_of_use = !ip.is_loopback() && !ip.is_unspecified() && !is_link_local;
        let is_default = defaults.contains(&ip);
        is_of_use.then_some(HostAddress { ip, interface: interface.name, is_default })
    });
    addresses.collect()
}

/// Returns the address from which the kernel would send to another, or `None` without a route. Nothing is sent.
fn source_towards(to: IpAddr) -> Option<IpAddr> {
    let any = match to {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn host(count: u8) -> Vec<HostAddress> {
        let of = |number| HostAddress {
            ip: Ipv4Addr::new(10, 0, 0, number).into(),
            interface: "eth0".to_owned(),
            is_default: number == count,
        };
        (1..=count).map(of).collect()
    }

    #[test]
    fn addresses_that_are_few_enough_are_left_to_webrtc() {
        let bind = vec![address("0.0.0.0:0"), address("127.0.0.1:7")];

        assert_eq!(chosen(bind.clone(), &host(3), 4), (bind, 4));
    }

    #[test]
    fn of_too_many_addresses_those_that_were_named_are_taken_and_then_the_best() {
        let bind = vec![address("0.0.0.0:5"), address("[::]:0"), address("127.0.0.1:7")];

        let (chosen, count) = chosen(bind, &host(200), 3);

        assert_eq!(count, 3);
        assert_eq!(chosen, ["127.0.0.1:7", "10.0.0.200:5", "10.0.0.1:5"].map(address));
    }
}
