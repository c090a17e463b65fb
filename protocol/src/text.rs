//! Names and texts from other programs, as they are printed: bounded, and without characters that would garble a
//! terminal or a log.

use std::fmt::{Display, Write as _};

use crate::limits::{CLIENT_ID_BYTES, EVENT_NAME_BYTES, LABEL_BYTES, MESSAGE_BYTES};

/// The bytes of a name that are printed: all of an id or of an event's name that is allowed.
const NAME_BYTES: usize =
    if CLIENT_ID_BYTES > EVENT_NAME_BYTES { CLIENT_ID_BYTES } else { EVENT_NAME_BYTES };

/// Returns a name in quotation marks: at most the 128 bytes that ids and names of events may have, with an ellipsis if
/// there is more. What cannot be printed is escaped.
///
/// # Examples
///
/// ```
/// use socketio_p2p_protocol::text::quoted;
///
/// assert_eq!(quoted("chat"), r#""chat""#);
/// assert_eq!(quoted("a\nb\u{202e}"), r#""a\nb\u{202e}""#);
/// ```
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("{:?}", beginning(name, NAME_BYTES))
}

/// Returns a text in one line: its first 1,024 bytes ([`MESSAGE_BYTES`]), with an ellipsis if there is more.
/// Control characters, line separators, and characters that are invisible or turn the direction of writing are escaped.
///
/// # Examples
///
/// ```
/// use socketio_p2p_protocol::text::legible;
///
/// assert_eq!(legible("the disk is full"), "the disk is full");
/// assert_eq!(legible("full\n\u{1b}[2J"), r"full\n\u{1b}[2J");
/// ```
#[must_use]
pub fn legible(text: impl Display) -> String {
    let text = text.to_string();
    let mut line = String::with_capacity(text.len().min(MESSAGE_BYTES));
    for char in beginning(&text, MESSAGE_BYTES).chars() {
        match is_garbling(char) {
            // Writing to a `String` cannot fail.
            true => write!(line, "{}", char.escape_debug()).unwrap_or_default(),
            false => line.push(char),
        }
    }
    line
}

fn is_garbling(char: char) -> bool {
    let is_format = matches!(
        char,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    char.is_control() || is_format
}

/// Returns the beginning of a name from another program, to be shown in a text: at most [`LABEL_BYTES`], and an
/// ellipsis if there is more.
pub(crate) fn shown(name: &str) -> String {
    beginning(name, LABEL_BYTES)
}

/// Returns the beginning of a text, and an ellipsis if there is more.
fn beginning(text: &str, most: usize) -> String {
    match &text[..text.floor_char_boundary(most)] {
        whole if whole.len() == text.len() => whole.to_owned(),
        start => format!("{start}…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_allowed_are_printed_whole_and_longer_ones_cut() {
        let longest = "é".repeat(64);
        assert_eq!(quoted(&longest), format!("{longest:?}"));
        assert_eq!(quoted(&format!("{longest}x")), format!("\"{longest}…\""));
        assert!(quoted(&"\u{1}".repeat(100_000)).len() < 128 * 6);
    }

    #[test]
    fn a_text_is_one_line_and_nothing_in_it_turns_the_direction() {
        let directions = ['\u{200e}', '\u{200f}', '\u{061c}', '\u{202e}', '\u{2066}', '\u{2069}'];
        let lines = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}', '\u{b}'];
        let others = ['\0', '\u{7}', '\u{1b}', '\u{7f}', '\u{9b}', '\u{feff}', '\u{e0041}'];

        for char in [&directions[..], &lines, &others].concat() {
            let (name, text) = (quoted(&format!("a{char}b")), legible(format!("a{char}b")));
            assert!(!name.contains(char) && !text.contains(char), "{name} {text}");
            assert!(text.starts_with("a\\") && text.ends_with('b'), "{text}");
        }
        let kept = r#"it's "quoted", C:\temp, ä, שלום, 家, 👩‍🚀 at 5 °C"#;
        assert_eq!(legible(kept), kept);
        assert_eq!(legible("e\u{301}"), "e\u{301}");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(legible("ä".repeat(1_000)), format!("{}…", "ä".repeat(512)));
        assert!(legible("\u{2028}".repeat(100_000)).len() < 9 * MESSAGE_BYTES);
    }
}
