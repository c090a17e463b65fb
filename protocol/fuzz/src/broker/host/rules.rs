//! The rules that hold after each step.

use socketio_p2p_protocol::{ClientId, Partner};

use super::{
    super::model::{Conn, Known, State},
    Host, Pairings,
};

impl Host {
    /// Exclusive, mutual, told, routed, counted.
    pub(super) fn check(&mut self) {
        let mut after = Pairings::new();
        for (id, known) in &self.model.known {
            let stands = self.conns.get(&known.conn).is_some_and(|conn| conn.client == *id);
            assert_eq!(stands, !matches!(known.state, State::Away { .. }), "{id}");
            if let Some((pairing, partner)) = self.broker.pairing_of(id) {
                after.insert(id.clone(), (pairing, partner.clone()));
                let back = self.broker.pairing_of(partner);
                assert_eq!(back, Some((pairing, id)), "{id} and {partner} agree");
                assert_ne!(id, partner);
            }
        }
        for (conn, Conn { dismissed, .. }) in &self.conns {
            let is_present = self.model.known.values().any(|known| known.conn == *conn);
            assert!(is_present && !dismissed, "{conn} is nobody's");
        }
        self.check_told(&after);
        self.check_routes(&after);
        self.check_counts(&after);
        self.model.check();
        self.before = after;
    }

    /// Each end that is still there was told of the end of its pairing.
    fn check_told(&self, after: &Pairings) {
        for (client, (pairing, _)) in &self.before {
            let ended = after.get(client).is_none_or(|(present, _)| present != pairing);
            let (.., lasts) = &self.pairings[pairing];
            assert_eq!(*lasts, !ended, "the application is told of the end of {pairing}");
            let welcomed =
                |known: &Known| self.conns.get(&known.conn).is_some_and(|conn| conn.announced);
            if ended && self.model.known.get(client).is_some_and(welcomed) {
                let told = self.told_end.contains(&(*pairing, client.clone()));
                assert!(told, "{client} is told of the end of {pairing}");
            }
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
        }
    }

    fn check_counts(&self, after: &Pairings) {
        let stats = self.broker.stats();
        let known = self.model.known.values();
        let away = known.filter(|known| matches!(known.state, State::Away { .. })).count();
        assert_eq!((stats.clients, stats.away), (self.model.known.len(), away));
        assert!(stats.clients <= self.config.clients);
        // A client has one request of its own at most.
        assert!(stats.requests <= stats.clients);
        let paired = after.len() / 2;
        assert!((paired..=paired + self.grants.len()).contains(&stats.pairings));
        let lasting = self.pairings.values().filter(|(.., lasts)| *lasts).count();
        assert_eq!(lasting, paired);
        let listed = self.broker.clients();
        let visible = self.model.known.values().filter(|known| known.state != State::Arriving);
        assert_eq!(listed.len(), visible.count());
    }
}
