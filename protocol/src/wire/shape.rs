//! The shape of a JSON text: its depth, and doubts about its values, without parsing it.

/// What one look at a text that is JSON tells of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Shape {
    /// How deep arrays and objects are nested; [`HIDDEN`](Self::HIDDEN) if that cannot be told.
    pub depth: usize,
    /// Whether it may hold what is JSON by its grammar and yet no value for usual parsers: half a
    /// pair of surrogates, or a number beyond all floating-point numbers. Only parsing it tells.
    pub doubtful: bool,
}

impl Shape {
    /// The depth of what hides its depth: deeper than anything that is allowed.
    ///
    /// serde_json (1.0.154, with its feature `raw_value`) takes an object whose first key is a
    /// private name of its own for JSON within a string, and parses that as well, whatever it
    /// hides in its turn. Each string has a limit of depth to itself, so that 50 KiB are enough to
    /// overflow the stack.
    pub const HIDDEN: usize = 1 << 30;

    /// Looks at a text once, without parsing it.
    #[must_use]
    pub fn of(json: &str) -> Self {
        /// The largest floating-point number has 309 digits.
        const DIGITS: usize = 300;
        let mut shape = Self::default();
        let (mut depth, mut digits) = (0_usize, 0_usize);
        let mut bytes = json.bytes();
        // Whether the next string is the first key of an object.
        let mut opened = false;
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => {
                    if opened && is_private(bytes.clone()) {
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

/// Whether a string begins like the private names of serde_json, however it is escaped.
fn is_private(mut string: impl Iterator<Item = u8>) -> bool {
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

/// How deep arrays and objects are nested in a text that is JSON.
#[must_use]
pub fn depth(json: &str) -> usize {
    Shape::of(json).depth
}
