//! A client that watches targets: its watches stand on each connection anew.

use socketio_p2p_protocol::{
    ClientConfig, ClientId, ClientMessage, Code, ReqId, ServerMessage, TargetState,
    TargetState::{Absent, Busy, Free},
    client::{Answer, Command, Input, Output},
    session::CallId,
};

use crate::clients::{PATIENCE, ScriptedClient, welcome};

fn b() -> ClientId {
    "b".parse().unwrap()
}

/// A client that replaces a lost connection.
fn ready() -> ScriptedClient {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    client.hear(ServerMessage::Welcome(welcome()));
    client.outputs.clear();
    client
}

fn watch(client: &mut ScriptedClient, call: CallId) {
    let deadline = client.now + PATIENCE;
    client.command(Command::Watch { call, target: b(), deadline });
}

/// The numbers under which the server was asked to watch since this was last asked.
fn asked(client: &mut ScriptedClient) -> Vec<ReqId> {
    let said = client.said().into_iter();
    said.filter_map(|message| match message {
        ClientMessage::Watch { req, target } => {
            assert_eq!(target, b());
            Some(req)
        }
        _ => None,
    })
    .collect()
}

fn tell(client: &mut ScriptedClient, req: ReqId, state: TargetState) {
    client.hear(ServerMessage::Target { req, state });
}

/// A client whose call 1 watches, and the number of the watch.
fn watching() -> (ScriptedClient, ReqId) {
    let mut client = ready();
    watch(&mut client, 1);
    let req = asked(&mut client)[0];
    tell(&mut client, req, Free);
    client.outputs.clear();
    (client, req)
}

fn reconnect(client: &mut ScriptedClient, resumed: bool) {
    client.handle(Input::Lost);
    client.handle(Input::Connecting);
    client.handle(Input::Opened);
    let mut welcome = welcome();
    welcome.resumed = resumed;
    client.hear(ServerMessage::Welcome(welcome));
}

fn refuse(client: &mut ScriptedClient, req: ReqId, code: Code) {
    client.hear(ServerMessage::Error { refusal: code.into(), req: Some(req), pairing: None });
}

#[test]
fn a_watch_is_answered_with_the_first_state_and_reports_the_others() {
    let mut client = ready();

    watch(&mut client, 1);
    let req = asked(&mut client)[0];
    tell(&mut client, req, Free);
    tell(&mut client, req, Busy);

    assert_eq!(
        client.outputs(),
        [Output::Answered(1, Answer::Watching(Free)), Output::Target(1, Busy),]
    );
}

#[test]
fn two_watches_of_one_target_are_one_at_the_server() {
    let (mut client, req) = watching();

    watch(&mut client, 2);
    assert_eq!(client.outputs(), [Output::Answered(2, Answer::Watching(Free))]);
    tell(&mut client, req, Absent);
    assert_eq!(client.outputs(), [Output::Target(1, Absent), Output::Target(2, Absent)]);
    client.command(Command::Cancel(1));
    assert_eq!(client.said(), []);
    client.command(Command::Cancel(2));

    assert_eq!(client.said(), [ClientMessage::Cancel { req }]);
    tell(&mut client, req, Free);
    assert_eq!(client.outputs(), [], "it was under way");
}

#[test]
fn a_watch_stands_again_on_the_next_connection_and_is_told_the_newest_state_once() {
    for resumed in [true, false] {
        let (mut client, before) = watching();

        reconnect(&mut client, resumed);
        let [req] = asked(&mut client)[..] else { panic!("it is asked for once") };
        assert_ne!(req, before);
        tell(&mut client, before, Busy);
        assert_eq!(client.outputs(), [], "that was another connection");
        tell(&mut client, req, Free);

        assert_eq!(client.outputs(), [Output::Target(1, Free)], "also if it is the same");
    }
}

#[test]
fn a_watch_that_is_asked_for_while_the_client_is_away_is_answered_on_the_next_connection() {
    let (mut client, _) = watching();
    client.handle(Input::Lost);

    watch(&mut client, 2);
    assert_eq!(client.answers(), [], "what was told before may be old");
    reconnect(&mut client, true);
    let [req] = asked(&mut client)[..] else { panic!("it is asked for once") };
    tell(&mut client, req, Busy);

    assert_eq!(
        client.outputs(),
        [Output::Target(1, Busy), Output::Answered(2, Answer::Watching(Busy)),]
    );
}

#[test]
fn a_watch_that_ended_while_the_client_was_away_is_not_asked_for() {
    let (mut client, _) = watching();
    client.handle(Input::Lost);

    client.command(Command::Cancel(1));
    reconnect(&mut client, false);

    assert_eq!(client.said(), []);
}

#[test]
fn a_refusal_answers_the_watch() {
    for code in [Code::Forbidden, Code::Quota, Code::BadEvent] {
        let mut client = ready();
        watch(&mut client, 1);
        let req = asked(&mut client)[0];

        refuse(&mut client, req, code);

        assert_eq!(client.answers(), [(1, Answer::Refused(code.into()))]);
        reconnect(&mut client, false);
        assert!(asked(&mut client).is_empty(), "it has ended");
    }
}

#[test]
fn a_refusal_on_the_next_connection_ends_the_watch() {
    let (mut client, _) = watching();
    reconnect(&mut client, false);
    let req = asked(&mut client)[0];

    refuse(&mut client, req, Code::Forbidden);

    assert_eq!(client.outputs(), [Output::Unwatched(1, Code::Forbidden.into())]);
}

#[test]
fn a_watch_that_is_not_answered_in_time_ends() {
    let mut client = ready();
    watch(&mut client, 1);
    let req = asked(&mut client)[0];

    client.pass(PATIENCE);

    let outputs = client.outputs();
    assert!(outputs.contains(&Output::Answered(1, Answer::TimedOut)), "{outputs:?}");
    assert!(outputs.contains(&Output::Send(ClientMessage::Cancel { req })), "{outputs:?}");
}

#[test]
fn a_client_that_closes_answers_the_watches_that_wait() {
    let mut client = ready();
    watch(&mut client, 1);
    client.outputs.clear();

    client.command(Command::Close);
    watch(&mut client, 2);

    assert_eq!(client.answers(), [(1, Answer::Closed), (2, Answer::Closed)]);
}

#[test]
fn an_unknown_state_is_kept_as_its_text() {
    let (mut client, req) = watching();

    client.handle(Input::of_event(
        "P2P_TARGET",
        vec![serde_json::json!({ "req": req, "state": "asleep" })],
    ));

    let [Output::Target(1, state)] = client.outputs()[..] else { panic!("it is told") };
    assert_eq!(state.as_str(), "asleep");
}
