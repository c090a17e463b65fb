//! "Without the server": a pairing that the server has forgotten, and how the server comes to know it
//! again.

use std::time::Duration;

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    ClientConfig, ClientEvent, ClientMessage, LinkId, PairingId, PairingInfo, ServerMessage,
    client::{Input, Output},
    peer::{LinkCommand, LinkEvent, LinkMessage},
};

use crate::clients::{ScriptedClient, info, welcome};

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
    fn alive() -> Self {
        let mut client = ScriptedClient::with_config(ClientConfig::default());
        client.hear(ServerMessage::Welcome(welcome()));
        client.hear(ServerMessage::Registered { req: None, pairing: direct(1) });
        let link = client.outputs().into_iter().find_map(|output| match output {
            Output::Link(link, LinkCommand::Offer(_)) => Some(link),
            _ => None,
        });
        let link = link.expect("the initiator offers");
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
