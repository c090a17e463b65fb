//! The behaviour of applications: they pair, unpair, call, wait, and cancel.

use std::time::Duration;

use crate::{
    ClientId, Path,
    client::{Command, Input},
    session::EmitOptions,
};

use crate::sim::{
    client::{SimClient, WaitingCall},
    event::Event,
    handlers::args_of,
    oracle::{CallNo, Manner, Report},
    parties::{Emission, name_of},
    world::World,
};

impl World {
    /// An application does something, and will again.
    pub(crate) fn act(&mut self, client: usize) {
        if self.application.is_some() {
            return self.tick(client);
        }
        if !self.stormy {
            return;
        }
        let after = self.millis(1..110) * self.plan.slowness.max(1);
        self.after(after, Event::Act(client));
        if self.clients[client].endpoint.is_none() {
            return;
        }
        if self.plan.watches > 0.0 && self.chance(self.plan.watches) {
            // Half of the time a paired client unpairs, so that there is something to tell.
            return match self.oracle.partner_of(client).is_some() && self.rng.bool() {
                true => self.unregister(client),
                false => self.change_watches(client),
            };
        }
        if self.oracle.partner_of(client).is_none() {
            if self.clients[client].asked == 0 && self.chance(0.3) {
                self.register(client);
            }
            return;
        }
        match self.rng.u32(..3000) {
            0..3 => self.unregister(client),
            3..60 => self.change_mind(client),
            // An application that waits for answers makes no calls without end.
            _ if self.clients[client].waiting.len() > 40 => {}
            60 => self.burst(client),
            61..63 => self.list(client),
            63 => self.leave(client),
            _ => {
                for _ in 0..self.rng.usize(1..4) {
                    self.call(client);
                }
            }
        }
    }

    fn register(&mut self, client: usize) {
        // A few ask for somebody whom they had better not have asked for.
        let ours = self.clients.len() + self.legacies.len();
        let other = self.rng.usize(..ours + self.hostiles.len());
        let target = match other.checked_sub(ours) {
            None => SimClient::new(other).name.parse(),
            Some(hostile) => name_of(hostile).parse(),
        };
        let target: ClientId = target.expect("a name is an id");
        let call = self.clients[client].next_request();
        self.clients[client]
            .wanted
            .extend(SimClient::number_of(target.as_str()).map(|wanted| (call, wanted)));
        // Who is impatient may be paired without having been told, for a moment.
        let impatient = self.chance(0.1);
        let patience = if impatient { self.millis(1..300) } else { Duration::from_secs(12) };
        let deadline = self.now + patience;
        self.ask_for((client, call), target, deadline);
    }

    fn list(&mut self, client: usize) {
        let call = self.clients[client].next_request();
        let deadline = self.now + Duration::from_secs(5);
        self.command(client, Command::List { call, deadline });
    }

    /// It goes, and begins anew.
    fn leave(&mut self, client: usize) {
        self.clients[client].dismissed = true;
        self.command(client, Command::Close);
    }

    fn unregister(&mut self, client: usize) {
        let call = self.clients[client].next_request();
        let deadline = self.now + Duration::from_secs(5);
        self.command(client, Command::Unregister { call, deadline });
    }

    /// A caller no longer wants to know.
    fn change_mind(&mut self, client: usize) {
        let open = self.clients[client].open.len();
        if open == 0 {
            return;
        }
        let which = self.rng.usize(..open);
        let call = self.clients[client].open.swap_remove(which);
        let waiting = &mut self.clients[client].waiting;
        if let Some(at) = waiting.iter().position(|waiting| waiting.call == call) {
            waiting.remove(at);
            self.oracle.reported(call, Report::NotExecuted);
            self.oracle.forgotten(call);
        } else if self.oracle.is_open(call) {
            self.oracle.forgotten(call);
            self.clients[client].pending.remove(&call);
            self.command(client, Command::Cancel(call as u64));
        }
    }

    /// A call, with whatever it may have.
    fn call(&mut self, client: usize) {
        let acknowledged = self.chance(0.8);
        let impatient = self.chance(0.03);
        let fleeting = self.chance(0.03);
        let patience = if impatient { self.millis(1..500) } else { Duration::from_secs(120) };
        let ttl = fleeting.then(|| self.millis(1..200));
        let excused = impatient || fleeting;
        let size = if self.chance(0.004) { self.rng.usize(..200_000) } else { 0 };
        let demands = self.clients[client].direct && self.chance(0.1);
        let via = demands.then(|| if self.rng.bool() { Path::Direct } else { Path::Relay });
        let excused = excused || demands || self.may_wait_for_direct(client);
        let manner = Manner { acknowledged, excused };
        let call = self.emit(client, Emission { manner, patience, ttl, size, via });
        if acknowledged {
            self.clients[client].open.push(call);
        }
    }

    /// More than a window holds, at once.
    fn burst(&mut self, client: usize) {
        let excused = self.may_wait_for_direct(client);
        let manner = Manner { acknowledged: self.rng.bool(), excused };
        for _ in 0..self.rng.usize(300..1_000) {
            let call = self.emit(client, Emission::new(manner, Duration::from_secs(120)));
            if manner.acknowledged {
                self.clients[client].open.push(call);
            }
        }
    }

    /// Emits something, now or when there is room.
    pub(crate) fn emit(&mut self, client: usize, emission: Emission) -> CallNo {
        let call = self.emit_later(client, emission);
        self.feed(client, Input::Timeout);
        call
    }

    /// Emits something when the client has its turn again.
    pub(crate) fn emit_later(&mut self, client: usize, emission: Emission) -> CallNo {
        let Emission { manner, patience, ttl, size, via } = emission;
        let call = self.oracle.called(client, manner);
        let (pairing, _) = self.oracle.partner_of(client).expect("who calls is paired");
        let deadline = self.now + patience;
        let expires = ttl.map(|ttl| self.now + ttl);
        if let Some(expires) = expires {
            self.expiries.insert(call, expires);
        }
        let reply_by = manner.acknowledged.then_some(deadline);
        let command = Command::Emit {
            call: call as u64,
            pairing,
            event: "call".to_owned(),
            args: args_of(call, size),
            options: EmitOptions { reply_by, expires, via },
        };
        let acknowledged = manner.acknowledged;
        self.clients[client].waiting.push_back(WaitingCall {
            call,
            command,
            deadline,
            acknowledged,
        });
        call
    }
}
