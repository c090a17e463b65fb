//! Descriptions: the roles in them, and those that come late.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{hint, thread};

use serde_json::json;
use socketio_p2p_client::direct::{
    DirectConnection, DirectEnd, DirectEvent, DirectSignalError, Signal, Step,
};
use tokio_util::task::TaskTracker;

use crate::pair::{End, apart, config, connect, watchful_config};

/// Returns the text of the first description of this end.
async fn description(end: &mut End) -> String {
    loop {
        match end.events.recv().await {
            Some(DirectEvent::Signal(Signal {
                step: Step::Offer(sdp) | Step::Answer(sdp),
                ..
            })) => {
                return sdp.as_str().to_owned();
            }
            Some(_) => {}
            None => panic!("no description"),
        }
    }
}

fn offer(sdp: &str) -> Signal {
    Signal::from_value(&json!({ "type": "offer", "sdp": sdp })).unwrap()
}

#[tokio::test]
async fn an_answer_takes_the_role_of_the_dtls_server_unless_the_offer_has_taken_it() {
    let (mut a, _) = apart(&config(), &TaskTracker::new());
    let sdp = description(&mut a).await;

    for (setup, expected) in [("actpass", "passive"), ("active", "passive"), ("passive", "active")]
    {
        let (connection, events) = DirectConnection::answer(config(), &TaskTracker::new());
        let mut b = End { connection, events };
        let sdp = sdp.replace("a=setup:actpass", &format!("a=setup:{setup}"));
        b.connection.signal(offer(&sdp)).unwrap();

        let answer = description(&mut b).await;
        assert!(answer.contains(&format!("a=setup:{expected}\r\n")), "{setup}: {answer}");
    }
}

#[tokio::test]
async fn the_candidates_of_an_answerer_name_the_section_as_the_offer_does() {
    let (mut a, mut b) = apart(&config(), &TaskTracker::new());
    let sdp = description(&mut a).await;
    let sdp = sdp.replace("a=mid:0", "a=mid:data").replace("BUNDLE 0", "BUNDLE data");
    b.connection.signal(offer(&sdp)).unwrap();

    let candidate = loop {
        if let Some(DirectEvent::Signal(signal)) = b.events.recv().await
            && let Step::Candidate(candidate) = signal.step
        {
            break candidate;
        }
    };

    assert_eq!((candidate.mid(), candidate.index()), (Some("data"), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn later_offers_of_the_same_connection_are_answered_and_the_connection_stays() {
    const LATER: usize = 64;
    let (mut a, mut b) = apart(&config(), &TaskTracker::new());
    let (mut other, _) = apart(&config(), &TaskTracker::new());
    let sdp = description(&mut a).await;
    b.connection.signal(offer(&sdp)).unwrap();
    assert_eq!(a.connection.signal(offer(&sdp)), Err(DirectSignalError::Unexpected));
    connect(&mut a, &mut b).await;

    let others = description(&mut other).await;
    assert_eq!(b.connection.signal(offer(&others)), Err(DirectSignalError::Unexpected));
    b.connection.signal(offer(&sdp)).unwrap();
    let answer = description(&mut b).await;
    assert!(answer.contains("a=setup:passive\r\n"), "{answer}");
    let answer = Signal::from_value(&json!({ "type": "answer", "sdp": answer })).unwrap();
    assert_eq!(a.connection.signal(answer), Err(DirectSignalError::Unexpected));
    for _ in 1..LATER {
        b.connection.signal(offer(&sdp)).unwrap();
        description(&mut b).await;
    }
    assert_eq!(b.connection.signal(offer(&sdp)), Err(DirectSignalError::Unexpected));

    a.connection.send("still there").await.unwrap();
    assert_eq!(b.message().await, "still there".into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_ice_that_the_partner_does_not_carry_out_ends_the_connection() {
    let mut config = config();
    config.silent_after = Duration::from_secs(3);
    config.open_timeout = Duration::from_secs(5); // ICE tries as long to restart.
    let (mut a, mut b) = apart(&config, &TaskTracker::new());
    let sdp = description(&mut a).await;
    b.connection.signal(offer(&sdp)).unwrap();
    connect(&mut a, &mut b).await;

    let restart = sdp.replace("a=ice-ufrag:", "a=ice-ufrag:other");
    b.connection.signal(offer(&restart)).unwrap();

    loop {
        match b.event().await {
            DirectEvent::Silent | DirectEvent::Heard => {}
            DirectEvent::Closed(end) => {
                assert_eq!(end, DirectEnd::Silent);
                break;
            }
            event => panic!("{event:?}"),
        }
    }
}

#[tokio::test]
async fn of_two_descriptions_at_the_same_moment_one_is_taken() {
    const ROUNDS: usize = 300;
    let (mut a, _) = apart(&config(), &TaskTracker::new());
    let (mut c, _) = apart(&config(), &TaskTracker::new());
    let offers = [offer(&description(&mut a).await), offer(&description(&mut c).await)];

    for round in 0..ROUNDS {
        // Nothing is awaited here: the connection does not run, and nothing of it is built.
        let (connection, _events) = DirectConnection::answer(config(), &TaskTracker::new());
        let ready = AtomicUsize::new(0);
        let taken = thread::scope(|scope| {
            let threads = offers.each_ref().map(|offer| {
                scope.spawn(|| {
                    ready.fetch_add(1, Ordering::SeqCst);
                    // A barrier would wake one after the other.
                    while ready.load(Ordering::SeqCst) < offers.len() {
                        hint::spin_loop();
                    }
                    connection.signal(offer.clone())
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });

        let mut taken = taken.to_vec();
        taken.sort_by_key(Result::is_err);
        assert_eq!(taken, [Ok(()), Err(DirectSignalError::Unexpected)], "round {round}");
    }
}

#[tokio::test]
async fn an_attempt_lasts_as_long_as_it_may_also_without_candidates() {
    let mut config = watchful_config();
    config.silent_after = Duration::from_millis(1);
    config.failed_after = Duration::from_millis(1);
    config.open_timeout = Duration::from_millis(500);
    let (mut a, mut b) = apart(&config, &TaskTracker::new());
    let sdp = description(&mut a).await;
    b.connection.signal(offer(&sdp)).unwrap();

    let last = b.event().await;

    assert!(
        matches!(last, DirectEvent::Closed(DirectEnd::Timeout(time)) if time == config.open_timeout),
        "{last:?}"
    );
}
