//! A cable to the server, to be cut.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Carries connections to a server, one after another, until it is cut for good.
pub(crate) struct Cable {
    pub(crate) url: String,
    server: watch::Sender<SocketAddr>,
    orders: watch::Sender<Order>,
    carrying: JoinSet<()>,
}

/// A command about the existing connections.
#[derive(Clone, Copy)]
enum Order {
    Carry,
    Sever,
    Hush,
}

impl Cable {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let orders = watch::Sender::new(Order::Carry);
        let (server, present_server) = watch::channel(server);
        let mut carrying = JoinSet::new();
        let from_now_on = orders.clone();
        carrying.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let server = *present_server.borrow();
                connections.spawn(carry(near, server, from_now_on.subscribe()));
            }
        });
        Self { url, server, orders, carrying }
    }

    /// Cuts the connections that there are, without a goodbye. New ones are carried.
    pub(crate) fn sever(&self) {
        self.orders.send_replace(Order::Sever);
    }

    /// The connections that there are stand, and carry nothing any more. New ones do.
    pub(crate) fn hush(&self) {
        self.orders.send_replace(Order::Hush);
    }

    /// New connections go to another server from now on.
    pub(crate) fn redirect(&self, server: SocketAddr) {
        self.server.send_replace(server);
    }

    /// Cuts it for good.
    pub(crate) async fn cut(mut self) {
        self.carrying.shutdown().await;
    }
}

async fn carry(mut near: TcpStream, server: SocketAddr, mut orders: watch::Receiver<Order>) {
    let mut far = TcpStream::connect(server).await.unwrap();
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => return,
        ordered = orders.changed() => if ordered.is_err() { return },
    }
    if matches!(*orders.borrow(), Order::Hush) {
        // Both ends stay open, and nobody reads them.
        while orders.changed().await.is_ok() && !matches!(*orders.borrow(), Order::Sever) {}
    }
}
