//! A newcomer whose id is in use, for which the protocol's [`Newcomer`] decides: looks at the holder, and what is done
//! with it.

use std::{sync::Arc, time::Instant};

use socketio_p2p_protocol::{
    Code, Hello,
    limits::ID_WAIT_STEP,
    relay::{Newcomer, Seen, Turn},
};
use tokio::time::{self, sleep};

use crate::{connection::Connection, observe::logged, outbound::socket::Outlet, step::Shared};

/// Gives a new connection its name. If it is in use, the newcomer waits for the holder to leave, or to show that it
/// is gone. A page that is reloaded connects anew before the server has noticed the end of its last connection.
///
/// `is_metered` returns whether the polls of clients are seen.
///
/// # Errors
///
/// The reason of the broker's refusal; [`Code::Cancelled`] if the newcomer itself is gone meanwhile. The host
/// would keep its socket for ever.
pub(super) async fn admit(
    shared: &Arc<Shared>,
    newcomer: &Arc<Connection>,
    hello: Hello,
    is_metered: impl Fn() -> bool,
) -> Result<(), Code> {
    let mut waiting = Newcomer::new(now());
    loop {
        if newcomer.outlet.is_gone() {
            return Err(Code::Cancelled);
        }
        match shared.admit(newcomer, hello.clone()) {
            Err(Code::DuplicateId) => {}
            admitted => return admitted,
        }
        // Without a holder, the id is that of a client that is away.
        let Some(holder) = shared.holder(&newcomer.client) else { break };
        let keeps_id = shared.lock().keeps_id(&newcomer.client);
        let seen = see(&*holder.outlet, &is_metered);
        match waiting.look(holder.id, seen, keeps_id, now()) {
            Turn::Remove => {
                if seen != Seen::Ended {
                    logged(
                        || tracing::debug!(client = %newcomer.client, "the holder of an id does not answer"),
                    );
                }
                shared.give_way(holder.id);
                continue;
            }
            Turn::Ask => {
                if let Some(stream) = holder.outlet.stream() {
                    stream.ask();
                }
            }
            Turn::Wait => {}
            Turn::Refuse => break,
        }
        sleep(ID_WAIT_STEP).await;
    }
    shared.admit(newcomer, hello)
}

/// Returns what is seen of a holder at this moment.
fn see(outlet: &dyn Outlet, is_metered: impl Fn() -> bool) -> Seen {
    match (outlet.polls(), outlet.stream()) {
        _ if outlet.is_gone() => Seen::Ended,
        (false, None) => Seen::Hidden,
        (false, Some(stream)) if stream.is_held() => Seen::Held,
        (false, Some(stream)) => Seen::Websocket(stream.sign()),
        (true, _) if outlet.poll_stream().is_some() => Seen::Polling { waits: true },
        (true, Some(_)) => Seen::Upgrading,
        (true, None) if is_metered() => Seen::Polling { waits: false },
        (true, None) => Seen::Hidden,
    }
}

fn now() -> Instant {
    time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use socketio_p2p_protocol::{ClientMessage, Dialect, broker::Input, limits::ID_WAIT};
    use tokio::time::Instant;

    use super::*;
    use crate::outbound::{
        mock::{Unmetered, connecting, connecting_as, shared},
        stream_handle::StreamHandle,
    };

    const METERED: fn() -> bool = || true;

    /// Admits a holder over such a socket, then a newcomer. `meanwhile` is done as the newcomer waits.
    async fn come(
        holder: Unmetered,
        is_metered: fn() -> bool,
        meanwhile: impl FnOnce(&Arc<Shared>, &Arc<Connection>),
    ) -> (Result<(), Code>, usize) {
        let shared = shared();
        let outlet = Arc::new(holder);
        let (holder, hello) = connecting(&shared, Dialect::V1, outlet.clone());
        shared.admit(&holder, hello).unwrap();
        shared.connected(holder.id);
        let (newcomer, hello) = connecting(&shared, Dialect::V1, Arc::<Unmetered>::default());
        let coming = admit(&shared, &newcomer, hello, is_metered);
        let doing = async {
            sleep(ID_WAIT / 2).await;
            meanwhile(&shared, &holder);
        };

        let (admitted, ()) = tokio::join!(coming, doing);

        sleep(ID_WAIT * 10).await;
        (admitted, outlet.left.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn it_gets_the_id_of_one_that_leaves_while_it_waits() {
        let (admitted, _) = come(Unmetered::default(), METERED, |shared, holder| {
            shared.step(Input::Disconnected(holder.id));
        })
        .await;

        assert_eq!(admitted, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn it_gets_the_id_of_one_that_does_not_poll() {
        let holder = Unmetered { polls: true, ..Unmetered::default() };

        let (admitted, left) = come(holder, METERED, |_, _| {}).await;

        assert_eq!(admitted, Ok(()));
        assert_eq!(left, 1, "what is left of it ends");
    }

    #[tokio::test(start_paused = true)]
    async fn it_gets_the_id_of_one_whose_transport_is_gone_at_once() {
        let holder = Unmetered { gone: AtomicBool::new(true), ..Unmetered::default() };
        let shared = shared();
        let (holder, hello) = connecting(&shared, Dialect::V1, Arc::new(holder));
        shared.admit(&holder, hello).unwrap();
        shared.connected(holder.id);
        let (newcomer, hello) = connecting(&shared, Dialect::V1, Arc::<Unmetered>::default());
        let since = Instant::now();

        assert_eq!(admit(&shared, &newcomer, hello, METERED).await, Ok(()));
        assert_eq!(since.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn it_gets_no_id_if_it_is_gone_itself() {
        let shared = shared();
        let (holder, hello) = connecting(&shared, Dialect::V1, Arc::<Unmetered>::default());
        shared.admit(&holder, hello).unwrap();
        shared.connected(holder.id);
        let outlet = Unmetered { gone: AtomicBool::new(true), ..Unmetered::default() };
        let (newcomer, hello) = connecting(&shared, Dialect::V1, Arc::new(outlet));

        assert_eq!(admit(&shared, &newcomer, hello, METERED).await, Err(Code::Cancelled));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_refused_if_the_holder_stays() {
        let polls = || {
            let holder = Unmetered { polls: true, ..Unmetered::default() };
            let stream = Arc::new(StreamHandle::new());
            stream.set_waits(true);
            *holder.poll.lock().unwrap() = Some(stream);
            holder
        };
        let upgrades = || {
            let websocket = Some(Arc::new(StreamHandle::new()));
            Unmetered { polls: true, websocket, ..Unmetered::default() }
        };
        for holder in [Unmetered::default(), polls(), upgrades()] {
            let (admitted, left) = come(holder, METERED, |_, _| {}).await;

            assert_eq!((admitted, left), (Err(Code::DuplicateId), 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_refused_if_nobody_sees_whether_the_holder_polls() {
        let holder = Unmetered { polls: true, ..Unmetered::default() };

        let (admitted, left) = come(holder, || false, |_, _| {}).await;

        assert_eq!((admitted, left), (Err(Code::DuplicateId), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_id_of_one_whose_place_is_kept_for_its_token_is_not_taken_by_silence() {
        let shared = shared();
        let come = |name: &str, dialect| {
            let outlet = Arc::new(Unmetered { polls: true, ..Unmetered::default() });
            let (connection, hello) = connecting_as(name, &shared, dialect, outlet);
            shared.admit(&connection, hello).unwrap();
            shared.connected(connection.id);
            connection
        };
        let (a, b) = (come("A", Dialect::V2), come("B", Dialect::V1));
        let (target, payload) = (b.client.clone(), None);
        let request = ClientMessage::Register {
            req: Some(1),
            target,
            payload,
            consent_time: None,
            wait: None,
        };
        shared.received(a.id, request);
        shared.received(b.id, ClientMessage::Accept { req: None });
        assert!(a.route().is_some());
        let (newcomer, hello) = connecting(&shared, Dialect::V2, Arc::<Unmetered>::default());

        assert_eq!(admit(&shared, &newcomer, hello, METERED).await, Err(Code::DuplicateId));
        assert!(a.route().is_some());
    }
}
