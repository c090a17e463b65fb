//! The connections to the partners, one for each pairing.

use std::{collections::BTreeMap, ops::Bound::Excluded, ops::Bound::Unbounded};

use futures_util::future::{FutureExt as _, select_all};
use socketio_p2p_protocol::{PairingId, peer::LinkId};

use super::present::{Happening, Present, next_happening};

/// The present connections, by pairing.
#[derive(Default)]
pub(super) struct Links {
    links: BTreeMap<PairingId, Present>,
    /// The connection that reported last: the others come before it.
    served: Option<PairingId>,
}

impl Links {
    pub(super) fn get(&self, id: LinkId) -> Option<&Present> {
        self.links.get(&id.pairing()).filter(|link| link.id == id)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Present> {
        self.links.get_mut(&id.pairing()).filter(|link| link.id == id)
    }

    /// Adds a connection, and returns the one of the same pairing before it.
    pub(super) fn insert(&mut self, link: Present) -> Option<Present> {
        self.links.insert(link.id.pairing(), link)
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Present> {
        self.get(id)?;
        self.links.remove(&id.pairing())
    }

    pub(super) fn ids(&self) -> Vec<LinkId> {
        self.links.values().map(|link| link.id).collect()
    }

    /// Waits for the next report of any connection. Without one it never resolves. Cancel safe.
    pub(super) async fn next(&mut self) -> (LinkId, Happening) {
        let from = self.served.map_or(Unbounded, Excluded);
        let (mut after, mut before) = (Vec::new(), Vec::new());
        for (pairing, link) in &mut self.links {
            let is_after = match from {
                Excluded(served) => *pairing > served,
                _ => true,
            };
            if is_after { after.push(link) } else { before.push(link) }
        }
        let mut links: Vec<_> = after.into_iter().chain(before).collect();
        let (id, happening) = match &mut links[..] {
            [] => std::future::pending().await,
            [link] => (link.id, next_happening(link).await),
            _ => {
                let next = links.into_iter().map(|link| {
                    let id = link.id;
                    async move { (id, next_happening(link).await) }.boxed()
                });
                select_all(next).await.0
            }
        };
        self.served = Some(id.pairing());
        (id, happening)
    }
}
