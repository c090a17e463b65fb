//! A server that is stopped and started again, as at every deployment: stock clients come back by
//! themselves.

use socketio_p2p_harness::{HeldPort, Server, ServerBuilder};

use crate::interop::Story;
use crate::interop::stock::{ALL, Stock, UPGRADING, paired};

pub(crate) fn every_kind() -> impl Iterator<Item = Stock> {
    ALL.into_iter().chain(UPGRADING)
}

#[tokio::test]
async fn a_client_is_back_by_itself_after_a_planned_restart() -> Story {
    for kind in every_kind() {
        restarted(kind, Server::builder).await?;
    }
    Ok(())
}

/// Stops a server under a pair, politely, and starts it again on its port.
pub(crate) async fn restarted(kind: Stock, server: impl Fn() -> ServerBuilder) -> Story {
    let port = HeldPort::take()?;
    let first = server().port(port.number()).start().await?;
    let (mut a, mut b) = paired(&first, (kind, kind)).await?;

    first.stop().await?;
    for peer in [&mut a, &mut b] {
        let reason = peer.wait_for("disconnected").await?["reason"].clone();
        // That reason tells a stock client to stay away.
        assert_ne!(reason, "io server disconnect", "{kind:?}");
    }
    let _second = server().port(port.number()).start().await?;
    for peer in [&mut a, &mut b] {
        peer.wait_for("connected").await?;
    }

    a.register("B").await?;
    b.wait_for("paired").await?;
    Ok(())
}
