//! The rules that hold after each step.

use std::collections::BTreeSet;

use socketio_p2p_protocol::{ClientId, Dialect, Partner, Presence};

use super::{
    super::model::{Conn, State},
    Host, Pairings,
};

impl Host {
    /// Exclusive, mutual, asked, routed, counted.
    pub(super) fn check(&mut self) {
        let mut after = Pairings::new();
        for (id, known) in &self.model.known {
            let stands = self.conns.get(&known.conn).is_some_and(|conn| conn.client == *id);
            assert_eq!(stands, !matches!(known.state, State::Away { .. }), "{id}");
            if let Some((pairing, partner)) = self.broker.pairing_of(id) {
                assert_ne!(id, partner);
                after.insert(id.clone(), (pairing, partner.clone()));
            }
        }
        assert_eq!(after, self.model.requests.paired, "as it was agreed, and both ends agree");
        for (conn, Conn { dismissed, .. }) in &self.conns {
            let is_present = self.model.known.values().any(|known| known.conn == *conn);
            assert!(is_present && !dismissed, "{conn} is nobody's");
        }
        self.check_asked();
        self.check_routes(&after);
        self.check_counts(&after);
        self.model.check();
        self.before = after;
    }

    /// What waits is asked, of a v1 client after the one before.
    fn check_asked(&self) {
        let requests = &self.model.requests;
        for request in &requests.waiting {
            let target = &request.target;
            let is_v1 = self.model.known[target].dialect == Dialect::V1;
            let waits = is_v1 && (requests.is_busy(target) || requests.has_question(target));
            assert!(request.asked.is_some() || waits, "{target} is asked, or the one before");
        }
    }

    fn check_routes(&self, after: &Pairings) {
        let present = |id: &ClientId| {
            let known = &self.model.known[id];
            (known.state == State::Present).then_some(known)
        };
        for (conn, route) in &self.routes {
            let owner = &self.conns[conn].client;
            let route = (route.pairing, route.client.clone());
            assert_eq!(Some(&route), after.get(owner), "{owner} reaches its partner, nobody else");
        }
        for (client, (pairing, partner)) in after {
            let (Some(own), Some(other)) = (present(client), present(partner)) else { continue };
            let (conn, dialect) = (other.conn, other.dialect);
            let expected = Partner {
                pairing: *pairing,
                client: partner.clone(),
                conn,
                dialect,
                direct: false,
            };
            assert_eq!(self.routes.get(&own.conn), Some(&expected), "{client} reaches {partner}");
            let told = self.conns[&own.conn].partner;
            assert_ne!(told, Some((*pairing, Presence::Away)), "{client} knows that it is back");
        }
    }

    fn check_counts(&self, after: &Pairings) {
        let stats = self.broker.stats();
        let known = self.model.known.values();
        let away = known.filter(|known| matches!(known.state, State::Away { .. })).count();
        assert_eq!((stats.clients, stats.away), (self.model.known.len(), away));
        assert!(stats.clients <= self.config.clients);
        let requests = &self.model.requests;
        assert_eq!(stats.requests, requests.waiting.len());
        assert_eq!(stats.pairings, requests.pairings());
        // The application was told the same as the clients.
        let lasting = self.pairings.iter().filter(|(_, (.., lasts))| *lasts);
        let lasting: BTreeSet<_> = lasting.map(|(pairing, _)| *pairing).collect();
        assert_eq!(lasting, after.values().map(|(pairing, _)| *pairing).collect());
        let listed = self.broker.clients();
        let visible = self.model.known.values().filter(|known| known.state != State::Arriving);
        assert_eq!(listed.len(), visible.count());
    }
}
