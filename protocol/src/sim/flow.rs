//! The frames that the two peers of a pairing have under way, whatever path carries them.

use std::collections::BTreeMap;

use crate::{
    Frame, PairingId, limits,
    sim::oracle::{ClientNo, Oracle, Rule},
};

/// Frames that one peer may have under way, as the specification has it.
const UNDER_WAY: u64 = 529;

/// The frames that one peer of a pairing has sent, and those of the other that arrived there.
#[derive(Debug, Default)]
struct Flow {
    sent: u64,
    got: u64,
}

/// The frames of all pairings.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    flows: BTreeMap<(PairingId, ClientNo), Flow>,
}

impl Flows {
    /// Notes frames that a peer of a pairing sends to the other.
    pub(crate) fn sent(
        &mut self,
        [from, to]: [ClientNo; 2],
        pairing: PairingId,
        frames: &[Frame],
        oracle: &mut Oracle,
    ) {
        let pairing = oracle.first_name(pairing);
        let got = self.flows.get(&(pairing, to)).map_or(0, |flow| flow.got);
        let flow = self.flows.entry((pairing, from)).or_default();
        for frame in frames {
            flow.sent = flow.sent.max(frame.seq);
            flow.got = flow.got.max(frame.got);
        }
        if flow.sent > got + UNDER_WAY {
            let what = format!("{from} sends {}, and only {got} arrived", flow.sent);
            oracle.violate(Rule::Bounded, what);
        }
        if let [_, _, ..] = frames {
            let bytes: usize = frames.iter().map(|frame| frame.body.size()).sum();
            if frames.len() > limits::BATCH_FRAMES || bytes > limits::BATCH_BYTES {
                let what = format!("{} frames of {bytes} bytes at once", frames.len());
                oracle.violate(Rule::Bounded, what);
            }
        }
    }
}
