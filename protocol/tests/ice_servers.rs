//! The ICE servers that a client can use, and the reports about the others.

use serde_json::json;
use socketio_p2p_protocol::{IceFault, IceServer, IceWarning, limits::ICE_URLS};

fn turn(url: &str) -> IceServer {
    IceServer::turn(url, "alice", "open sesame")
}

/// Returns the addresses in use, and the reports about the others.
fn usable(servers: &[IceServer]) -> (Vec<String>, Vec<IceWarning>) {
    let (usable, warnings) = IceServer::usable(servers);
    (usable.into_iter().flat_map(|server| server.urls).collect(), warnings)
}

#[test]
fn an_address_that_all_stacks_read_is_used_with_its_port_written_out() {
    for (written, used) in [
        ("stun:stun.example.org", "stun:stun.example.org:3478"),
        ("STUN:stun.example.org.:19302", "stun:stun.example.org.:19302"),
        (" stun:192.0.2.1:5349?transport=udp\n", "stun:192.0.2.1:5349"),
        ("turn:[2001:db8::1]", "turn:[2001:db8::1]:3478"),
        ("turn:[2001:db8::1]:9?transport=udp", "turn:[2001:db8::1]:9"),
        ("turn:turn_1.example.org:?transport=UDP", "turn:turn_1.example.org:3478"),
    ] {
        assert_eq!(usable(&[turn(written)]), (vec![used.to_owned()], vec![]), "{written}");
    }
}

#[test]
fn an_address_that_cannot_be_used_is_left_out_and_named_with_the_reason() {
    for (url, fault) in [
        ("", IceFault::Empty),
        (" ", IceFault::Empty),
        ("stun.example.org:3478", IceFault::Scheme),
        ("stunn:stun.example.org", IceFault::Scheme),
        ("http:stun.example.org", IceFault::Scheme),
        ("stun://stun.example.org", IceFault::Slashes),
        ("stun:", IceFault::Host),
        ("stun::3478", IceFault::Host),
        ("stun:no host.example.org", IceFault::Host),
        ("stun:a..example.org", IceFault::Host),
        ("stun:2001:db8::1", IceFault::Host),
        ("stun:[stun.example.org]", IceFault::Host),
        ("stun:[::1", IceFault::Host),
        ("stun:300.0.0.1", IceFault::Host),
        ("stun:stun.example.org/path", IceFault::Host),
        ("stun:stun.example.org:99999", IceFault::Port),
        ("stun:stun.example.org:0", IceFault::Port),
        ("stun:stun.example.org:+1", IceFault::Port),
        ("stun:[::1]9", IceFault::Port),
        ("turn:turn.example.org?transport=quic", IceFault::Query),
        ("turn:turn.example.org?transport=", IceFault::Query),
        ("turn:turn.example.org?transport=tcp", IceFault::Transport),
        ("turns:turn.example.org", IceFault::Transport),
        ("turns:turn.example.org?transport=udp", IceFault::Transport),
        ("stuns:stun.example.org", IceFault::Transport),
    ] {
        let warning = IceWarning::left_out(url, fault);
        assert_eq!(usable(&[turn(url)]), (vec![], vec![warning.clone()]), "{url}");
        assert_eq!(warning.server(), Some(url.trim()));
    }
}

#[test]
fn a_turn_server_needs_a_user_name_and_a_credential() {
    let [no_user, no_password] = [("", "open sesame"), ("alice", "")]
        .map(|(user, password)| IceServer::turn("turn:turn.example.org", user, password));

    for server in [no_user, no_password] {
        let warning = IceWarning::left_out("turn:turn.example.org", IceFault::NoCredentials);
        assert_eq!(usable(&[server]), (vec![], vec![warning]));
    }
}

#[test]
fn what_can_be_used_is_used_whatever_stands_beside_it() {
    let mut several = turn("turn:turn.example.org");
    several.urls.push("stun://stun.example.org".to_owned());
    several.urls.push("stun:stun.example.org".to_owned());
    let servers = [IceServer::default(), several, IceServer::stun("nonsense")];

    let (used, warnings) = usable(&servers);

    assert_eq!(used, ["turn:turn.example.org:3478", "stun:stun.example.org:3478"]);
    let named: Vec<_> = warnings.iter().map(IceWarning::server).collect();
    assert_eq!(named, [Some(""), Some("stun://stun.example.org"), Some("nonsense")]);
}

#[test]
fn a_credential_is_given_to_a_turn_server_only_and_never_shown() {
    let both = IceServer {
        urls: vec!["stun:example.org".to_owned(), "turn:example.org".to_owned()],
        ..turn("")
    };
    let (usable, _) = IceServer::usable(&[both]);
    assert_eq!(usable[0], IceServer::stun("stun:example.org:3478"));
    assert_eq!(usable[1], turn("turn:example.org:3478"));
    assert!(!format!("{usable:?}").contains("sesame"));

    for (url, shown) in [
        ("turn:alice:se@sa?me@example.org:9", "turn:***@example.org:9"),
        ("turn://alice:sesame@example.org", "turn:***@example.org"),
        ("alice:sesame@example.org", "***@example.org"),
        ("turn:example.org?password=sesame", "turn:example.org?***"),
        ("turn:example.org?transport=udp&key=sesame", "turn:example.org?***"),
    ] {
        let (_, warnings) = IceServer::usable(&[turn(url)]);
        assert_eq!(warnings[0].server(), Some(shown));
        assert!(!warnings[0].to_string().contains("sesame"), "{}", warnings[0]);
    }
}

#[test]
fn no_more_than_16_addresses_are_used_and_as_many_reports_made() {
    let good = || (1..=20).map(|number| IceServer::stun(format!("stun:192.0.2.{number}")));
    let bad = || (1..=20).map(|_| IceServer::default());

    let (used, warnings) = usable(&bad().chain(good()).collect::<Vec<_>>());
    assert_eq!((used.len(), warnings.len()), (ICE_URLS, ICE_URLS));
    assert_eq!(
        (used[0].as_str(), used[15].as_str()),
        ("stun:192.0.2.1:3478", "stun:192.0.2.16:3478")
    );

    let (_, warnings) = usable(&good().collect::<Vec<_>>());
    assert_eq!(warnings.len(), 4);
    assert_eq!(warnings[0], IceWarning::left_out("stun:192.0.2.17", IceFault::TooMany));
}

#[test]
fn a_warning_serialises_as_the_server_a_code_and_a_message() {
    let warning = IceWarning::left_out("turn:example.org", IceFault::NoCredentials);

    assert_eq!(
        serde_json::to_value(&warning).unwrap(),
        json!({
            "server": "turn:example.org",
            "code": "no-credentials",
            "message": "the ICE server \"turn:example.org\" is left out: \
                a TURN server needs a user name and a credential",
        })
    );
}

#[test]
fn credentials_may_be_written_into_the_address_that_is_read() {
    for (text, server) in [
        ("stun:example.org", IceServer::stun("stun:example.org")),
        ("turn:a:b@example.org:9", IceServer::turn("turn:example.org:9", "a", "b")),
        (
            "turn:1767225600:alice:c2VzYW1l+/=@example.org?transport=udp",
            IceServer::turn("turn:example.org?transport=udp", "1767225600:alice", "c2VzYW1l+/="),
        ),
        ("turn:a:%40%3a%25%zz%C3%BC@b", IceServer::turn("turn:b", "a", "@:%%zz\u{fc}")),
        ("turn:a:%ff@b", IceServer::turn("turn:b", "a", "%ff")),
        ("turn:a:%+f@b", IceServer::turn("turn:b", "a", "%+f")),
        ("turn:a@b", IceServer::stun("turn:a@b")),
        ("turn://a:b@c", IceServer::stun("turn://a:b@c")),
        ("", IceServer::stun("")),
    ] {
        assert_eq!(IceServer::read(text), server);
        assert_eq!(text.parse(), Ok(server));
    }
}
