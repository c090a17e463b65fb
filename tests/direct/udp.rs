//! The floor: datagrams there and back between bare sockets of the two processes, on their runtimes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio_util::task::TaskTracker;

use crate::part::{SMALL, percentiles};

/// Sends datagrams back, and tells where it does so.
pub(crate) async fn echo(tasks: &TaskTracker) -> Result<Value> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let answer = json!({ "udp": socket.local_addr()? });
    tasks.spawn(async move {
        let mut buffer = [0; SMALL];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            socket.send_to(&buffer[..length], from).await.ok();
        }
    });
    Ok(answer)
}

/// Round trips, one at a time.
pub(crate) async fn trips(to: SocketAddr, count: usize) -> Result<Value> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(to).await?;
    let mut buffer = [0; SMALL];
    let mut trips = Vec::with_capacity(count);
    while trips.len() < count {
        let began = Instant::now();
        socket.send(&buffer).await?;
        socket.recv(&mut buffer).await?;
        trips.push(began.elapsed());
    }
    percentiles(trips)
}
