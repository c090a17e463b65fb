//! A frame as one binary value.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{
    Body, Frame, FrameError,
    json::{WireFrame, check_object},
};
use crate::PairingId;

impl Frame {
    /// Returns one binary value.
    #[must_use]
    pub fn to_binary(&self, pairing: PairingId) -> Bytes {
        let pairing = pairing.to_string();
        let header = serde_json::to_vec(&WireFrame::of_frame(self, Bytes::len)).unwrap_or_default();
        let mut binary =
            BytesMut::with_capacity(5 + pairing.len() + header.len() + self.body.size());
        // A pairing id is at most 33 bytes long, and a header is far shorter than 4 GiB.
        binary.put_u8(pairing.len() as u8);
        binary.put_slice(pairing.as_bytes());
        binary.put_u32(header.len() as u32);
        binary.put_slice(&header);
        if let Body::Emit { args, .. } | Body::Reply { result: Ok(args), .. } = &*self.body {
            for blob in args.blobs() {
                binary.put_slice(blob);
            }
        }
        binary.freeze()
    }

    /// Reads one binary value; the blobs share its memory.
    ///
    /// # Errors
    ///
    /// Any [`FrameError`] but that of base64.
    pub fn from_binary(mut binary: Bytes) -> Result<(PairingId, Self), FrameError> {
        let length = usize::from(binary.try_get_u8().map_err(|_| FrameError::Lengths)?);
        let pairing = take(&mut binary, length)?;
        let pairing = std::str::from_utf8(&pairing).map_err(|_| FrameError::Pairing)?;
        let pairing = pairing.parse().map_err(|_| FrameError::Pairing)?;
        let length = binary.try_get_u32().map_err(|_| FrameError::Lengths)?;
        let header = take(&mut binary, usize::try_from(length).map_err(|_| FrameError::Lengths)?)?;
        check_object(header.starts_with(b"{"))?;
        let header = str::from_utf8(&header)
            .map_err(|error| FrameError::Json(serde::de::Error::custom(error)))?;
        let frame = WireFrame::<_, usize>::read(header)?.frame(|lengths| {
            lengths.into_iter().map(|length| take(&mut binary, length)).collect()
        })?;
        // What follows the header of an unknown kind is unknown, too.
        let is_whole = binary.is_empty() || matches!(*frame.body, Body::Other(_));
        if is_whole { Ok((pairing, frame)) } else { Err(FrameError::Lengths) }
    }
}

fn take(binary: &mut Bytes, length: usize) -> Result<Bytes, FrameError> {
    if binary.len() < length { Err(FrameError::Lengths) } else { Ok(binary.split_to(length)) }
}
