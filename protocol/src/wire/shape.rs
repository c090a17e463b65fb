//! The shape of a JSON text: its depth, and doubts about its values, without parsing it.

/// The properties of a JSON text that one pass over it finds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Shape {
    /// Levels of arrays and objects; [`HIDDEN`](Self::HIDDEN) if they cannot be counted.
    pub depth: usize,
    /// `true` if the text may contain a value that the grammar of JSON allows and usual parsers
    /// refuse: a lone surrogate, or a number outside the range of floating-point numbers. Parsing
    /// decides.
    pub doubtful: bool,
    /// Commas on the second level: in the arrays and objects of the outermost array.
    pub commas: usize,
}

impl Shape {
    /// The depth of an object whose first key is one that serde_json reserves for itself: deeper than
    /// any limit.
    ///
    /// serde_json (1.0.154) gives such an object a meaning of its own, so the brackets in the text do
    /// not tell how deep a parser would go. No client of this protocol sends one.
    pub const HIDDEN: usize = 1 << 30;

    /// Reads a text once, without parsing it.
    #[must_use]
    pub fn of(json: &str) -> Self {
        /// The largest floating-point number has 309 digits.
        const DIGITS: usize = 300;
        let mut shape = Self::default();
        let (mut depth, mut digits) = (0_usize, 0_usize);
        let mut bytes = json.bytes();
        // True while the next string is the first key of an object.
        let mut opened = false;
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => {
                    if opened && is_reserved(bytes.clone()) {
                        shape.depth = Self::HIDDEN;
                    }
                    while let Some(byte) = bytes.next() {
                        match byte {
                            b'"' => break,
                            b'\\' => shape.doubtful |= bytes.next() == Some(b'u'),
                            _ => {}
                        }
                    }
                }
                b'[' | b'{' => {
                    depth += 1;
                    shape.depth = shape.depth.max(depth);
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' if depth == 2 => shape.commas += 1,
                _ => {}
            }
            opened = byte == b'{' || opened && byte.is_ascii_whitespace();
            if byte.is_ascii_digit() {
                digits += 1;
                shape.doubtful |= digits > DIGITS;
            } else {
                // The `e` of `true` and `false` follows a letter.
                shape.doubtful |= digits > 0 && matches!(byte, b'e' | b'E');
                digits = 0;
            }
        }
        shape
    }
}

/// Returns whether a string begins with serde_json's reserved prefix, escaped or not.
fn is_reserved(mut string: impl Iterator<Item = u8>) -> bool {
    const PREFIX: &[u8] = b"$serde_json::private::";
    let hex = |digit: Option<u8>| char::from(digit?).to_digit(16);
    PREFIX.iter().all(|expected| match string.next() {
        // Only the long escape can stand for one of these.
        Some(b'\\') => {
            let long = string.next() == Some(b'u');
            let digits = [(); 4].map(|()| hex(string.next()));
            let code = digits.into_iter().try_fold(0, |code, digit| Some(code * 16 + digit?));
            long && code == Some(u32::from(*expected))
        }
        byte => byte == Some(*expected),
    })
}

/// Returns the number of levels of arrays and objects in a JSON text.
#[must_use]
pub fn depth(json: &str) -> usize {
    Shape::of(json).depth
}
