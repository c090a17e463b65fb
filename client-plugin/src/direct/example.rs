// Two open connections in this process, for the examples of the documentation.

pub struct End {
    pub connection: socketio_p2p_client::direct::DirectConnection,
    pub events: socketio_p2p_client::direct::DirectEvents,
}

pub async fn connected() -> Result<(End, End), Box<dyn std::error::Error>> {
    use socketio_p2p_client::direct::{DirectConfig, DirectConnection, DirectEvent};

    let mut config = DirectConfig::default();
    config.bind = vec!["127.0.0.1:0".parse()?];
    config.mdns = false;
    let tasks = tokio_util::task::TaskTracker::new();
    let (connection, events) = DirectConnection::offer(config.clone(), &tasks);
    let mut alice = End { connection, events };
    let (connection, events) = DirectConnection::answer(config, &tasks);
    let mut bob = End { connection, events };
    let mut open = 0;
    while open < 2 {
        let (event, partner) = tokio::select! {
            event = alice.events.recv() => (event, &bob.connection),
            event = bob.events.recv() => (event, &alice.connection),
        };
        match event.ok_or("closed")? {
            DirectEvent::Signal(signal) => partner.signal(signal)?,
            DirectEvent::Open => open += 1,
            event => return Err(format!("{event:?}").into()),
        }
    }
    Ok((alice, bob))
}
