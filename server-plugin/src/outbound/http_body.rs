//! The bodies of HTTP/1 messages: where they end.

use http::header;

/// The longest line with the size of a chunk, and the longest trailer, in bytes.
pub(super) const CHUNK_LINE_BYTES: usize = 1024;

/// The position in a body.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes are left.
    Left(u64),
    /// In the line before a chunk, of which these bytes were read.
    ChunkSize(Vec<u8>),
    /// In a chunk of which so many bytes are left.
    Chunk(u64),
    /// Behind the last chunk, in a line of which these bytes were read.
    Trailer(Vec<u8>),
}

impl Body {
    /// Returns the body that these headers announce, if they do. Returns `None` if its end is unclear.
    pub(super) fn announced(headers: &[httparse::Header<'_>]) -> Option<Option<Self>> {
        let all = |name: &str| {
            let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
            named.map(|header| header.value).collect::<Vec<_>>()
        };
        match (&*all(header::TRANSFER_ENCODING.as_str()), &*all(header::CONTENT_LENGTH.as_str())) {
            ([], []) => Some(None),
            ([], [length]) => {
                let length =
                    std::str::from_utf8(length).ok().and_then(|length| length.parse().ok());
                Some(Some(Self::Left(length?)))
            }
            ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => {
                Some(Some(Self::ChunkSize(Vec::new())))
            }
            _ => None,
        }
    }

    /// Returns whether there is nothing in it.
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::Left(0))
    }

    /// Reads bytes of the body, and returns those that follow it if it ends. Returns `None` if its end is
    /// unclear.
    pub(super) fn read<'a>(&mut self, mut bytes: &'a [u8]) -> Option<Option<&'a [u8]>> {
        while !bytes.is_empty() {
            match self {
                Self::Left(left) => {
                    bytes = skip(bytes, left);
                    if *left == 0 {
                        return Some(Some(bytes));
                    }
                }
                Self::ChunkSize(line) => {
                    let Some(rest) = read_line(bytes, line)? else { return Some(None) };
                    bytes = rest;
                    *self = match httparse::parse_chunk_size(line) {
                        Ok(httparse::Status::Complete((_, 0))) => Self::Trailer(Vec::new()),
                        // The line break behind the chunk counts.
                        Ok(httparse::Status::Complete((_, size))) => {
                            Self::Chunk(size.checked_add(2)?)
                        }
                        _ => return None,
                    };
                }
                Self::Chunk(left) => {
                    bytes = skip(bytes, left);
                    if *left == 0 {
                        *self = Self::ChunkSize(Vec::new());
                    }
                }
                Self::Trailer(line) => {
                    let Some(rest) = read_line(bytes, line)? else { return Some(None) };
                    bytes = rest;
                    let is_last = line.trim_ascii().is_empty();
                    line.clear();
                    if is_last {
                        return Some(Some(bytes));
                    }
                }
            }
        }
        Some(None)
    }
}

fn skip<'a>(bytes: &'a [u8], left: &mut u64) -> &'a [u8] {
    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= skipped as u64;
    &bytes[skipped..]
}

/// Adds bytes to a line, and returns what follows the line if it ends. Returns `None` if the line is
/// too long.
fn read_line<'a>(bytes: &'a [u8], line: &mut Vec<u8>) -> Option<Option<&'a [u8]>> {
    let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
    let (more, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    if line.len() + more.len() > CHUNK_LINE_BYTES {
        return None;
    }
    line.extend_from_slice(more);
    Some(end.map(|_| rest))
}
