//! Frames that wait for others to travel with them.
//!
//! All but acknowledgements are in the session's window, which bounds them and from which they are
//! sent again: they can be dropped at any time, and they are when the window is sent again.

use std::collections::VecDeque;

use super::{LinkId, LinkMessage, Output, Peer, emits::FRAME_OVERHEAD, link::LinkCommand};
use crate::{
    Body, Frame, PairingId,
    frame::spelled,
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
        push(&mut self.relay, frame);
    }

    /// Drops everything: the session sends it again.
    pub(super) fn clear(&mut self) {
        self.relay.clear();
        self.direct.clear();
    }

    pub(super) fn clear_relay(&mut self) {
        self.relay.clear();
    }

    /// Adds a frame for this link. Frames for an earlier link are lost with it.
    pub(super) fn push_direct(&mut self, link: LinkId, frame: Frame) {
        if self.link.replace(link) != Some(link) {
            self.direct.clear();
        }
        push(&mut self.direct, frame);
    }
}

/// Returns the most bytes that a frame takes in a message.
fn spelled_size(frame: &Frame) -> usize {
    /// Numbers and names of fields, beyond those that the size of the content accounts for.
    const NUMBERS: usize = 64;
    let text = match &*frame.body {
        Body::Emit { event, .. } => event,
        Body::Reply { result: Err(refusal), .. } => &*refusal.message,
        _ => "",
    };
    let escapes = text.bytes().map(|byte| spelled(byte) - 1).sum::<usize>();
    frame.body.size() + NUMBERS + escapes
}

/// Adds a frame. An acknowledgement takes the place of one that was added immediately before it:
/// the window bounds all other frames, so that it bounds acknowledgements too.
fn push(frames: &mut VecDeque<Frame>, frame: Frame) {
    let is_ack = |frame: &Frame| matches!(*frame.body, Body::Ack);
    if is_ack(&frame) && frames.back().is_some_and(is_ack) {
        frames.pop_back();
    }
    frames.push_back(frame);
}

/// Takes as many frames as travel together in a message of so many bytes. A frame that is larger
/// than a batch travels alone, and so does one that `alone` names.
fn take_batch(
    frames: &mut VecDeque<Frame>,
    message: usize,
    alone: impl Fn(&Frame) -> bool,
) -> Vec<Frame> {
    let (mut bytes, mut spelled_bytes) = (0, 0);
    let fits = frames.iter().take(BATCH_FRAMES).take_while(|frame| {
        bytes += frame.body.size();
        spelled_bytes += spelled_size(frame);
        bytes <= BATCH_BYTES && spelled_bytes <= message && !alone(frame)
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
        let message = self.limits.frame_bytes.saturating_sub(FRAME_OVERHEAD);
        self.has_relayed().then(|| take_batch(&mut self.outbox.relay, message, |_| false))
    }

    /// Takes the next message with frames for the direct path.
    pub fn poll_direct(&mut self) -> Option<(LinkId, LinkMessage)> {
        let link = self.outbox.link.filter(|_| !self.outbox.direct.is_empty())?;
        let batch = take_batch(&mut self.outbox.direct, usize::MAX, has_blobs);
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
