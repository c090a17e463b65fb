//! The WebRTC data channel between two ends in this process, over loopback.

mod channels;
mod closing;
mod hostile;
mod messages;
mod pair;

/// What a test returns: the first step that failed.
type Outcome = Result<(), Box<dyn std::error::Error>>;
