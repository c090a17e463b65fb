//! A file that a visitor sends: it is counted and hashed, not kept.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The longest file that is taken, in bytes.
const LONGEST: u64 = 1 << 30;

/// A file on its way.
#[derive(Debug)]
pub(crate) struct Upload {
    size: u64,
    has: u64,
    hash: Sha256,
    bar: ProgressBar,
}

/// A refusal of a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// The file is longer than what is taken.
    #[error("a file of {0} bytes is too long for me: I take {LONGEST}")]
    TooLong(u64),
    /// A piece does not belong where the file ends so far, or is longer than what was announced.
    #[error("a piece at {at} does not fit: I have {has} bytes of the file")]
    Misplaced { at: u64, has: u64 },
    /// The file has ended early.
    #[error("the file ended after {has} of {size} bytes")]
    Incomplete { has: u64, size: u64 },
}

impl Upload {
    pub(crate) fn begin(name: String, size: u64) -> Result<Self, UploadError> {
        if size > LONGEST {
            return Err(UploadError::TooLong(size));
        }
        let style = ProgressStyle::with_template("  {msg} {wide_bar} {bytes}/{total_bytes}");
        let bar = ProgressBar::new(size)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        // A visitor's text: none of it may steer the terminal.
        bar.set_message(name.escape_debug().to_string());
        Ok(Self { size, has: 0, hash: Sha256::new(), bar })
    }

    pub(crate) fn take(&mut self, at: u64, bytes: &[u8]) -> Result<(), UploadError> {
        let length = bytes.len() as u64;
        if at != self.has || length > self.size - self.has {
            return Err(UploadError::Misplaced { at, has: self.has });
        }
        self.hash.update(bytes);
        self.has += length;
        self.bar.set_position(self.has);
        Ok(())
    }

    /// Returns the number of bytes and their SHA-256.
    pub(crate) fn finish(self) -> Result<Value, UploadError> {
        let Self { size, has, hash, bar } = self;
        if has < size {
            return Err(UploadError::Incomplete { has, size });
        }
        bar.finish();
        let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(json!({ "bytes": has, "sha256": hash }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_and_what_does_not_fit_is_refused() {
        let mut upload = Upload::begin("a".to_owned(), 3).unwrap();
        upload.take(0, b"ab").unwrap();

        assert!(matches!(upload.take(0, b"ab"), Err(UploadError::Misplaced { at: 0, has: 2 })));
        assert!(matches!(upload.take(2, b"cd"), Err(UploadError::Misplaced { .. })));
        upload.take(2, b"c").unwrap();
        let told = upload.finish().unwrap();

        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(told, json!({ "bytes": 3, "sha256": sha256 }));
    }

    #[test]
    fn a_file_that_is_too_long_or_ends_early_is_refused() {
        let early = Upload::begin("a".to_owned(), 3).unwrap();

        assert!(matches!(early.finish(), Err(UploadError::Incomplete { has: 0, size: 3 })));
        assert!(matches!(Upload::begin("b".to_owned(), u64::MAX), Err(UploadError::TooLong(_))));
    }
}
