//! "Without the server": a pairing that the server has forgotten, and how the server comes to know it
//! again.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    ClientConfig, ClientEvent, ClientMessage, Code, EndReason, LinkId, PairingId, PairingInfo,
    Path, Presence, Refusal, ServerMessage, Signal, Step,
    client::{Answer, Input, Output},
    limits::REASSERT_INTERVAL,
    peer::{LinkCommand, LinkEvent, LinkMessage},
    session::EmitOptions,
    sim::Noticed,
    wire,
};

use crate::{
    clients::{ScriptedClient, info, welcome},
    direct_world::{call, direct as direct_world, pass, replied_by},
    directs::sdp,
    world::{A, B, unpaired},
};

/// A client whose direct path is alive, and the partner on the other side of it.
struct Direct {
    client: ScriptedClient,
    link: LinkId,
    outputs: Vec<Output>,
}

fn direct(serial: u64) -> PairingInfo {
    PairingInfo { direct: true, ..info(serial) }
}

impl Direct {
    /// It is the initiator.
    fn alive() -> Self {
        Self::alive_as(true)
    }

    fn alive_as(initiator: bool) -> Self {
        let mut client = ScriptedClient::with_config(ClientConfig::default());
        client.hear(ServerMessage::Welcome(welcome()));
        let pairing = PairingInfo { initiator, ..direct(1) };
        client.hear(ServerMessage::Registered { req: None, pairing });
        if !initiator {
            let offer = Signal::new(1, Step::Offer(sdp(11, "theirs"))).to_value();
            client.handle(Input::Signalled(PairingId::new(1, 1), offer));
        }
        let link = client.outputs().into_iter().find_map(|output| match output {
            Output::Link(link, LinkCommand::Offer(_) | LinkCommand::Answer(..)) => Some(link),
            _ => None,
        });
        let link = link.expect("the initiator offers, its partner answers");
        client.handle(Input::Link(link, LinkEvent::Opened));
        let mut direct = Self { client, link, outputs: Vec::new() };
        direct.pass(300, 1);
        direct
    }

    /// Lets time pass, in which the partner answers pings and names the pairing with this number.
    fn pass(&mut self, millis: u64, serial: u64) {
        for _ in 0..millis / 10 {
            self.client.pass(Duration::from_millis(10));
            for output in self.client.outputs() {
                if let Output::Link(_, LinkCommand::Send(LinkMessage::Text(text))) = &output {
                    let ping: Value = serde_json::from_str(text).unwrap();
                    let name = PairingId::new(1, serial);
                    let pong = json!({ "t": "pong", "n": ping["n"], "pairing": name, "ok": true });
                    let pong = LinkEvent::Received(LinkMessage::Text(pong.to_string()));
                    self.client.handle(Input::Link(self.link, pong));
                }
                self.outputs.push(output);
            }
        }
    }

    /// Loses the connection. Returns on another, where the session is resumed or not.
    fn come_back(&mut self, resumed: bool) {
        self.client.handle(Input::Lost);
        self.client.handle(Input::Opened);
        let mut welcome = welcome();
        welcome.resumed = resumed;
        self.client.hear(ServerMessage::Welcome(welcome));
    }

    /// Returns the numbers of the registrations since this was last asked.
    fn registered(&mut self) -> Vec<Option<u64>> {
        self.pass(10, 1);
        let outputs = std::mem::take(&mut self.outputs).into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Send(ClientMessage::Register { req, .. }) => Some(req),
                _ => None,
            })
            .collect()
    }

    fn events(&mut self) -> Vec<ClientEvent> {
        let outputs = std::mem::take(&mut self.outputs).into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Event(event) => Some(event),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn a_grant_that_answers_the_partners_request_and_the_clients_own_reasserts_one_pairing() {
    let mut direct_path = Direct::alive();
    direct_path.come_back(false);
    let asked = direct_path.registered();
    assert_eq!(asked.len(), 1);

    // The partner's request was first. The server answers the client's own as it answers one for the
    // present partner.
    for req in [None, asked[0]] {
        let pairing = direct(2);
        direct_path.client.hear(ServerMessage::Registered { req, pairing });
    }
    direct_path.pass(500, 2);

    let events = direct_path.events();
    let ended = |event: &ClientEvent| matches!(event, ClientEvent::Unpaired { .. });
    assert!(!events.iter().any(ended), "{events:?}");
    assert!(events.contains(&ClientEvent::Reasserted(direct(2))), "{events:?}");
}

#[test]
fn a_pairing_that_the_server_forgot_outlives_another_loss_of_the_connection() {
    let mut direct_path = Direct::alive();
    direct_path.come_back(false);
    assert_eq!(direct_path.registered().len(), 1);

    direct_path.come_back(true);

    assert_eq!(direct_path.registered().len(), 1, "it is registered anew");
    assert_eq!(direct_path.client.core.pairing(), Some(&direct(1)));
}

/// The server grants the pairing, and the partner loses its connection before it has used the new name.
#[test]
fn nothing_is_signalled_to_a_partner_that_was_away_when_the_pairing_was_reasserted() {
    let mut direct_path = Direct::alive_as(false);
    direct_path.come_back(false);
    let pairing = PairingInfo { initiator: false, ..direct(2) };
    direct_path.client.hear(ServerMessage::Registered { req: None, pairing: pairing.clone() });
    let partner = |state| ServerMessage::Partner { pairing: pairing.id, state };
    direct_path.client.hear(partner(Presence::Away));
    direct_path.pass(500, 2);
    assert!(direct_path.events().contains(&ClientEvent::Reasserted(pairing.clone())));
    let signals = |outputs: Vec<Output>| {
        outputs.into_iter().filter(|output| matches!(output, Output::Signal(..))).count()
    };

    direct_path.client.handle(Input::Link(direct_path.link, LinkEvent::Closed));
    assert_eq!(signals(direct_path.client.outputs()), 0);
    direct_path.client.pass(Duration::from_millis(300));
    assert_eq!(signals(direct_path.client.outputs()), 0);

    direct_path.client.hear(partner(Presence::Back));
    direct_path.client.pass(Duration::from_millis(300));
    assert_eq!(signals(direct_path.client.outputs()), 1, "it asks for another offer");
}

/// The question of a server whether this client may be paired with another one.
fn question(req: u64, source: &str) -> ServerMessage {
    let consent_time = Duration::from_secs(10);
    ServerMessage::Register { req, source: source.parse().unwrap(), payload: None, consent_time }
}

#[test]
fn only_the_initiator_registers_the_other_peer_again() {
    for initiator in [true, false] {
        let mut direct_path = Direct::alive_as(initiator);

        direct_path.come_back(false);
        direct_path.pass(3 * REASSERT_INTERVAL.as_millis() as u64, 1);

        assert_eq!(direct_path.registered().len(), usize::from(initiator));
        assert!(direct_path.client.core.pairing().is_some(), "it waits for the other");
    }
}

#[test]
fn a_peer_is_paired_again_with_its_partner_which_an_older_version_asks_for_from_either_end() {
    for initiator in [true, false] {
        let mut direct_path = Direct::alive_as(initiator);
        direct_path.come_back(false);
        direct_path.client.outputs();

        direct_path.client.hear(question(7, "b"));
        direct_path.client.hear(question(8, "stranger"));
        let said = direct_path.client.said();
        assert!(
            matches!(
                said[..],
                [ClientMessage::Accept { req: Some(7) }, ClientMessage::Reserve { req: 8, .. },]
            ),
            "{said:?}"
        );
        let pairing = PairingInfo { initiator: false, ..direct(2) };
        direct_path.client.hear(ServerMessage::Registered { req: None, pairing: pairing.clone() });
        direct_path.pass(500, 2);

        let events = direct_path.events();
        assert!(events.contains(&ClientEvent::Reasserted(pairing)), "{events:?}");
    }
}

#[test]
fn a_peer_that_unregisters_takes_back_its_consent_to_the_partner() {
    let mut direct_path = Direct::alive_as(false);
    direct_path.come_back(false);
    direct_path.client.hear(question(7, "b"));
    direct_path.client.outputs();

    direct_path.client.unregister(1);

    let said = direct_path.client.said();
    assert!(matches!(said[..], [ClientMessage::Unregister { .. }]), "{said:?}");
}

/// Each message with which a server may refuse a registration.
fn refusals(req: Option<u64>, code: Code) -> [ServerMessage; 2] {
    let refusal = Refusal::from(code);
    [
        ServerMessage::RegisterFailed { req, target: None, refusal: refusal.clone() },
        ServerMessage::Error { refusal, req, pairing: None },
    ]
}

#[test]
fn any_refusal_of_a_registration_anew_is_followed_by_another_if_its_reason_may_pass() {
    for at in 0..2 {
        let mut direct_path = Direct::alive();
        direct_path.come_back(false);
        let asked = direct_path.registered();

        direct_path.client.hear(refusals(asked[0], Code::Offline)[at].clone());
        direct_path.pass(REASSERT_INTERVAL.as_millis() as u64 - 20, 1);
        assert_eq!(direct_path.registered(), []);
        direct_path.pass(20, 1);

        let again = direct_path.registered();
        assert_eq!(again.len(), 1, "message {at}");
        assert_ne!(again, asked);
        assert_eq!(direct_path.client.core.pairing(), Some(&direct(1)));
    }
}

#[test]
fn any_refusal_of_a_registration_anew_ends_the_pairing_if_its_reason_does_not_pass() {
    for at in 0..2 {
        let mut direct_path = Direct::alive();
        direct_path.come_back(false);
        let asked = direct_path.registered();

        direct_path.client.hear(refusals(asked[0], Code::Forbidden)[at].clone());
        direct_path.pass(10, 1);

        let (pairing, reason) = (direct(1), EndReason::Disconnected);
        let events = direct_path.events();
        assert!(events.contains(&ClientEvent::Unpaired { pairing, reason }), "message {at}");
        assert!(!events.iter().any(|event| matches!(event, ClientEvent::Refused(_))), "{events:?}");
        assert_eq!(direct_path.client.core.pairing(), None);
    }
}

#[test]
fn paired_clients_talk_on_while_the_server_is_away_and_assert_their_pairing_when_it_is_back() {
    for goodbye in [false, true] {
        let mut testbed = direct_world();
        let old = testbed.pairing(A);

        testbed.stop_server(goodbye);
        pass(&mut testbed, 30_000);
        call(&mut testbed, A);
        pass(&mut testbed, 100);
        assert_eq!(replied_by(&testbed, A), [Path::Direct]);
        testbed.start_server();
        pass(&mut testbed, 5_000);

        assert_eq!(unpaired(&testbed), []);
        assert_eq!(testbed.pairing(A), testbed.pairing(B));
        assert!(testbed.pairing(A).is_some() && testbed.pairing(A) != old);
        for client in [A, B] {
            let again = |event: &&ClientEvent| matches!(event, ClientEvent::Reasserted(_));
            assert_eq!(testbed.events(client).iter().filter(again).count(), 1);
        }
        // And the relay can be used as before.
        testbed.cut_link(A, B);
        call(&mut testbed, B);
        pass(&mut testbed, 1_200);
        assert_eq!(replied_by(&testbed, B), [Path::Relay]);
    }
}

#[test]
fn whichever_peer_returns_first_the_roles_of_a_reasserted_pairing_stay() {
    for first in [A, B] {
        let mut testbed = direct_world();
        let sources = Rc::new(RefCell::new(BTreeSet::new()));
        testbed.stop_server(false);
        testbed.rewrite_with({
            let sources = sources.clone();
            move |passing| {
                if passing.is_up && passing.event == wire::REGISTER {
                    sources.borrow_mut().insert(passing.client);
                }
            }
        });
        testbed.start_server();
        let second = A + B - first;
        let restarted = |event: &ClientEvent| matches!(event, ClientEvent::Restarted(_));
        while !testbed.events(first).iter().any(restarted) {
            pass(&mut testbed, 1);
            testbed.lose(second, Noticed::AtOnce);
        }
        assert!(!testbed.events(second).iter().any(restarted));
        pass(&mut testbed, 5_000);

        assert_eq!(unpaired(&testbed), []);
        assert_eq!(testbed.pairing(A), testbed.pairing(B));
        assert_eq!(*sources.borrow(), BTreeSet::from([A]), "{first} is first");
        let initiates = |client| testbed.client(client).unwrap().pairing().unwrap().initiator;
        assert_eq!([A, B].map(initiates), [true, false]);
    }
}

#[test]
fn what_names_the_former_pairing_is_carried_out() {
    let mut testbed = direct_world();
    let old = testbed.pairing(A).unwrap();
    testbed.stop_server(false);
    testbed.start_server();
    pass(&mut testbed, 5_000);
    assert_ne!(testbed.pairing(A), Some(old));

    let reply_by = Some(testbed.now() + Duration::from_secs(10));
    testbed.emit_in(A, old, "note", vec![], EmitOptions { reply_by, ..EmitOptions::default() });
    pass(&mut testbed, 100);

    assert_eq!(replied_by(&testbed, A), [Path::Direct]);
}

#[test]
fn without_the_server_the_pairing_ends_with_the_direct_path() {
    let mut testbed = direct_world();
    testbed.stop_server(true);
    pass(&mut testbed, 1_000);

    testbed.cut_link(A, B);
    pass(&mut testbed, 18_000);

    assert_eq!(unpaired(&testbed), [EndReason::Disconnected; 2]);
}

#[test]
fn one_that_only_lost_its_connection_talks_on_within_its_grace() {
    let mut testbed = direct_world();
    testbed.lose(A, Noticed::AtOnce);
    testbed.block_server();
    for client in [A, B] {
        call(&mut testbed, client);
    }
    pass(&mut testbed, 2_000);
    testbed.start_server();
    pass(&mut testbed, 1_000);

    assert_eq!(unpaired(&testbed), []);
    assert_eq!([A, B].map(|client| replied_by(&testbed, client)), [[Path::Direct]; 2]);
}

#[test]
fn one_that_stays_away_for_too_long_is_parted_from_its_partner() {
    let mut testbed = direct_world();
    testbed.lose(A, Noticed::AtOnce);
    testbed.block_server();
    pass(&mut testbed, 20_000);
    testbed.start_server();
    pass(&mut testbed, 20_000);

    assert_eq!(unpaired(&testbed), [EndReason::Disconnected; 2]);
}

#[test]
fn who_is_in_a_pairing_that_the_server_forgot_says_what_the_server_would_say() {
    let mut testbed = direct_world();
    testbed.stop_server(true);
    pass(&mut testbed, 10);

    let [partner, stranger] = [B, 2].map(|target| testbed.register(A, target));

    assert!(matches!(testbed.answer(A, partner), Some(Answer::Registered(_))));
    let Some(Answer::Refused(refusal)) = testbed.answer(A, stranger) else { panic!() };
    assert_eq!(refusal.code, Code::SourceBusy);

    let unregister = testbed.unregister(A);
    assert_eq!(testbed.answer(A, unregister), Some(&Answer::Unregistered));
    assert_eq!(unpaired(&testbed), [EndReason::Unregistered]);
}
