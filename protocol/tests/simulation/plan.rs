//! How a history goes, drawn from its seed: what kind of weather, and how much happens.

use fastrand::Rng;
use socketio_p2p_protocol::DuplicatePolicy;

/// How much of everything.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    pub(crate) legacies: usize,
    pub(crate) hostiles: usize,
    /// Calls, and faults, until the weather calms down.
    pub(crate) calls: usize,
    pub(crate) faults: usize,
    /// Microseconds that a message takes, from and to.
    pub(crate) delay: (u64, u64),
    /// How likely it is that the relay refuses a message.
    pub(crate) congestion: f64,
    /// How likely a lost client stays away for longer than usual, perhaps too long.
    pub(crate) long_absence: f64,
    /// How likely a fault is a restart of the server.
    pub(crate) restarts: f64,
    /// What becomes of a connection whose name is in use.
    pub(crate) duplicates: DuplicatePolicy,
    /// Whether pairings are granted from afar: later, too late, or not at all.
    pub(crate) distant_grants: bool,
    /// Whether the server asks for a pace.
    pub(crate) paced: bool,
    /// Whether everything is written and read again on its way.
    pub(crate) codec: bool,
    /// A fault of the relay, to be caught.
    pub(crate) skips_pairing_ids: bool,
}

/// Messages a second and at once, and bytes a second and at once.
pub(crate) type PaceOf = ((u32, u32), (u64, u64));

impl Plan {
    /// The pace that the server asks for.
    pub(crate) fn pace(&self) -> Option<PaceOf> {
        self.paced.then_some(((200, 100), (2 << 20, 512 << 10)))
    }

    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5eed);
        let near = rng.bool();
        Self {
            seed,
            clients: rng.usize(4..9),
            legacies: if rng.u8(..3) == 0 { rng.usize(1..4) } else { 0 },
            hostiles: if rng.u8(..3) == 0 { rng.usize(1..3) } else { 0 },
            calls: 600,
            faults: 150,
            delay: if near { (50, 1_000) } else { (5_000, 60_000) },
            congestion: if rng.u8(..4) == 0 { 0.05 } else { 0.0 },
            long_absence: if rng.u8(..4) == 0 { 0.05 } else { 0.0 },
            restarts: if rng.u8(..8) == 0 { 0.03 } else { 0.0 },
            duplicates: match rng.u8(..6) {
                0 => DuplicatePolicy::TakeOver,
                _ => DuplicatePolicy::Reject,
            },
            distant_grants: rng.u8(..4) == 0,
            paced: rng.u8(..8) == 0,
            codec: rng.u8(..16) == 0,
            skips_pairing_ids: false,
        }
    }
}
