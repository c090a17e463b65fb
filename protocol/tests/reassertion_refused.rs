//! A pairing that the server has forgotten: the codes with which it may refuse to know it again.

use std::time::Duration;

use socketio_p2p_protocol::{
    Code, EndReason, PathPolicy,
    limits::REASSERT_INTERVAL,
    peer::{Input, Output, ServerEvent},
};

use crate::peers::LinkedPeer;

/// A peer that has registered its partner with a server that had forgotten the pairing.
fn forgotten() -> LinkedPeer {
    let mut linked = LinkedPeer::new(PathPolicy::PreferDirect);
    linked.handle(Input::Server(ServerEvent::Forgotten(EndReason::Disconnected)));
    assert_eq!(std::mem::take(&mut linked.outputs), [Output::Register]);
    linked
}

fn pass_keeping_alive(linked: &mut LinkedPeer, time: Duration) {
    let until = linked.now + time;
    while linked.now < until {
        linked.pass(Duration::from_millis(100));
        linked.say(true);
    }
}

#[test]
fn a_refusal_that_may_pass_is_followed_by_another_registration() {
    let may_pass = Code::ALL.iter().filter(|code| code.is_retryable());
    for code in may_pass.copied().filter(|code| *code != Code::TargetBusy) {
        let mut linked = forgotten();

        linked.handle(Input::Server(ServerEvent::NotGranted(code)));
        pass_keeping_alive(&mut linked, REASSERT_INTERVAL);

        assert_eq!(linked.outputs, [Output::Register], "{code}");
    }
}

#[test]
fn any_other_refusal_ends_the_pairing() {
    let is_final = |code: &Code| !code.is_retryable() || *code == Code::TargetBusy;
    let known = Code::ALL.iter().copied().filter(is_final);
    for code in known.chain([Code::from("of another version")]) {
        let mut linked = forgotten();

        linked.handle(Input::Server(ServerEvent::NotGranted(code)));

        let ended = Output::Ended(EndReason::Disconnected);
        assert_eq!(linked.outputs.last(), Some(&ended), "{code}");
    }
}
