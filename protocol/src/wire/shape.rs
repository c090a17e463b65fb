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
        let mut shape = Self::default();
        let mut depth = 0_usize;
        // True while the next string is the first key of an object.
        let mut opened = false;
        let mut rest = json.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'"' => {
                    if opened && is_reserved(rest.iter().copied()) {
                        shape.depth = Self::HIDDEN;
                    }
                    let escapes;
                    (rest, escapes) = skip_string(rest);
                    shape.doubtful |= escapes;
                    opened = false;
                }
                b'0'..=b'9' => {
                    let doubtful;
                    (rest, doubtful) = skip_digits(rest);
                    shape.doubtful |= doubtful;
                    opened = false;
                }
                b'[' | b'{' => {
                    depth += 1;
                    shape.depth = shape.depth.max(depth);
                    opened = byte == b'{';
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    opened = false;
                }
                b',' => {
                    shape.commas += usize::from(depth == 2);
                    opened = false;
                }
                _ => opened &= byte.is_ascii_whitespace(),
            }
        }
        shape
    }
}

/// Returns what follows a string, and whether there is an escape by number in it.
fn skip_string(mut rest: &[u8]) -> (&[u8], bool) {
    let mut escapes = false;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        if rest[at] == b'"' {
            return (&rest[at + 1..], escapes);
        }
        escapes |= rest.get(at + 1) == Some(&b'u');
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    (&[], escapes)
}

/// Returns what follows the digits after a first one, and whether they may be a number outside the range of
/// floating-point numbers: a very long one, or one with an exponent.
fn skip_digits(rest: &[u8]) -> (&[u8], bool) {
    /// The largest floating-point number has 309 digits.
    const DIGITS: usize = 300;
    let more = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = &rest[more..];
    (rest, more >= DIGITS || matches!(rest.first(), Some(b'e' | b'E')))
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
