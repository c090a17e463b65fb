//! Frames that wait for others to travel with them.
//!
//! All but acknowledgements are in the session's window, which bounds them and from which they are
//! sent again: they can be dropped at any time.

use std::collections::VecDeque;

use super::{LinkId, LinkMessage, Output, Peer, link::LinkCommand};
use crate::{
    Body, Frame, PairingId,
    limits::{BATCH_BYTES, BATCH_FRAMES},
};

#[derive(Debug, Default)]
pub(super) struct Outbox {
    relay: VecDeque<Frame>,
    direct: VecDeque<Frame>,
    /// The link that carries the frames for the direct path.
    link: Option<LinkId>,
}

impl Outbox {
    pub(super) fn push_relay(&mut self, frame: Frame) {
        self.relay.push_back(frame);
    }

    pub(super) fn clear_relay(&mut self) {
        self.relay.clear();
    }

    /// Adds a frame for this link. Frames for an earlier link are lost with it.
    pub(super) fn push_direct(&mut self, link: LinkId, frame: Frame) {
        if self.link.replace(link) != Some(link) {
            self.direct.clear();
        }
        self.direct.push_back(frame);
    }
}

/// Takes as many frames as travel together. A frame that is larger than a batch travels alone, and
/// so does one that `alone` names.
fn take_batch(frames: &mut VecDeque<Frame>, alone: impl Fn(&Frame) -> bool) -> Vec<Frame> {
    let mut bytes = 0;
    let fits = frames.iter().take(BATCH_FRAMES).take_while(|frame| {
        bytes += frame.body.size();
        bytes <= BATCH_BYTES && !alone(frame)
    });
    let count = fits.count().max(1).min(frames.len());
    frames.drain(..count).collect()
}

/// Returns true if the frame has blobs, which the binary spelling carries as they are.
fn has_blobs(frame: &Frame) -> bool {
    match &*frame.body {
        Body::Emit { args, .. } | Body::Reply { result: Ok(args), .. } => !args.blobs().is_empty(),
        _ => false,
    }
}

/// Spells a batch for the direct path.
fn spell(batch: &[Frame], pairing: PairingId) -> LinkMessage {
    match batch {
        [frame] if has_blobs(frame) => LinkMessage::Binary(frame.to_binary(pairing)),
        [frame] => LinkMessage::Text(frame.to_text()),
        frames => {
            let texts: Vec<_> = frames.iter().map(Frame::to_text).collect();
            LinkMessage::Text(format!("[{}]", texts.join(",")))
        }
    }
}

impl Peer {
    /// Returns true while frames wait for [`Self::poll_relay`].
    #[must_use]
    pub fn has_relayed(&self) -> bool {
        !self.outbox.relay.is_empty()
    }

    /// Takes the next batch of frames for the relay.
    pub fn poll_relay(&mut self) -> Option<Vec<Frame>> {
        self.has_relayed().then(|| take_batch(&mut self.outbox.relay, |_| false))
    }

    /// Takes the next message with frames for the direct path.
    pub fn poll_direct(&mut self) -> Option<(LinkId, LinkMessage)> {
        let link = self.outbox.link.filter(|_| !self.outbox.direct.is_empty())?;
        let batch = take_batch(&mut self.outbox.direct, has_blobs);
        Some((link, spell(&batch, self.info.id)))
    }

    /// Sends the frames that were collected for the direct path before another command for the
    /// link.
    pub(super) fn flush_direct(&mut self) {
        while let Some((link, message)) = self.poll_direct() {
            self.outputs.push_back(Output::Link(link, LinkCommand::Send(message)));
        }
    }
}
