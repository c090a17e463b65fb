//! Arguments of the events and acknowledgements that are sent.

use std::io;

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeTuple};
use serde_json::{Value, value::RawValue};
use socketio_p2p_protocol::Args;

use super::queue::Class;

/// Arguments of an event or an acknowledgement. A value that serialises as a tuple becomes several
/// arguments for socketioxide, anything else becomes one.
#[derive(Clone, Copy)]
pub(crate) enum Arguments<'a> {
    Values(&'a [Value]),
    /// Arguments that are forwarded as they came.
    Raw(&'a [&'a RawValue]),
    /// Arguments with blobs as attachments.
    Args(&'a Args),
    /// One attachment.
    Binary(&'a Bytes),
}

impl Arguments<'_> {
    /// Returns the bytes that an event with these arguments takes on the wire, and its class. The
    /// server's own messages are the values.
    pub(super) fn cost(self, event: &str) -> (usize, Class) {
        /// The packet's type, and the quotes around its name.
        const MORE: usize = 4;
        let class = match self {
            Self::Values(_) => Class::Control,
            Self::Raw(_) | Self::Args(_) | Self::Binary(_) => Class::Relayed,
        };
        (self.len() + event.len() + MORE, class)
    }

    /// Returns the bytes that the arguments take on the wire, or a little less.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Values(values) => {
                let mut count = Count(0);
                // Neither values nor counting can fail.
                serde_json::to_writer(&mut count, values).ok();
                count.0
            }
            Self::Raw(raws) => raws.iter().map(|raw| raw.get().len() + 1).sum::<usize>() + 1,
            Self::Args(args) => {
                args.as_json().len() + args.blobs().iter().map(Bytes::len).sum::<usize>()
            }
            Self::Binary(blob) => blob.len(),
        }
    }

    pub(super) const fn has_attachments(self) -> bool {
        match self {
            Self::Values(_) | Self::Raw(_) => false,
            Self::Args(args) => !args.blobs().is_empty(),
            Self::Binary(_) => true,
        }
    }
}

impl Serialize for Arguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Values(values) => tuple(serializer, values),
            Self::Raw(raws) => tuple(serializer, raws),
            Self::Args(args) => args.serialize(serializer),
            Self::Binary(blob) => tuple(serializer, &[Attachment(blob)]),
        }
    }
}

fn tuple<S: Serializer>(serializer: S, items: &[impl Serialize]) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(items.len())?;
    for item in items {
        tuple.serialize_element(item)?;
    }
    tuple.end()
}

/// A writer that counts bytes.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Attachment<'a>(&'a Bytes);

impl Serialize for Attachment<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}
