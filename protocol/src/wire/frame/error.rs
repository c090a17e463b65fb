//! The errors of reading a frame.

/// The reason for which arguments, a frame or a batch could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It is not JSON, or a field is missing or of the wrong type.
    #[error("not a frame")]
    Json(#[from] serde_json::Error),
    /// The arguments are not an array.
    #[error("the arguments are not an array")]
    NotAnArray,
    /// The arguments are nested deeper than [`crate::limits::JSON_DEPTH`].
    #[error("the arguments are nested too deeply")]
    Depth,
    /// The blobs are not base64.
    #[error("a blob is not valid base64")]
    Base64(#[from] base64::DecodeError),
    /// The binary spelling ends too early, or its lengths do not add up.
    #[error("the lengths in the binary frame do not add up")]
    Lengths,
    /// The binary spelling does not name a pairing.
    #[error("the binary frame has no pairing id")]
    Pairing,
    /// The parts do not make an emit or a reply.
    #[error("the parts form neither an emit nor a reply")]
    Part,
    /// The batch is empty, or has more than [`crate::limits::BATCH_FRAMES`].
    #[error("the batch is empty or has too many frames")]
    Batch,
}
