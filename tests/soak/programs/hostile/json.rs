//! JSON that nobody expects.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// An object key that serde_json reserves, so that the depth of its object cannot be counted.
const RESERVED_KEY: &str = "$serde_json::private::RawValue";

/// Any value, nested at most so deep.
pub(super) fn value(random: &mut Rng, depth: usize) -> Value {
    match random.u32(..if depth == 0 { 9 } else { 12 }) {
        0 => Value::Null,
        1 => json!(random.bool()),
        2 => json!(random.u64(..)),
        3 => json!(random.i64(..)),
        4 => json!(f64::from_bits(random.u64(..))),
        5 => json!(""),
        6 => json!(random.u32(..10).to_string()),
        7 => json!("\0\u{feff}\u{202e}𝄞"),
        8 => json!("x".repeat(random.usize(..300))),
        9 => (0..random.usize(..4)).map(|_| value(random, depth - 1)).collect(),
        10 => json!({ "_placeholder": true, "num": random.i32(..) }),
        _ => {
            let mut fields = Map::new();
            for _ in 0..random.usize(..4) {
                let keys = ["req", "pairing", "code", "state", "event", "args", "__proto__", ""];
                let key = keys[random.usize(..keys.len())];
                fields.insert(key.to_owned(), value(random, depth - 1));
            }
            Value::Object(fields)
        }
    }
}

/// Returns JSON that is nested deeper than is allowed, or whose depth cannot be counted. A
/// `careful` client keeps to depths at which the parser of Socket.IO does not end the connection.
pub(super) fn deep(random: &mut Rng, careful: bool) -> String {
    let levels = [60, 70, 110, 130, 1_000, 20_000][random.usize(..if careful { 3 } else { 6 })];
    match random.u32(..4) {
        0 if !careful => "[".repeat(levels),
        0 | 1 => format!("{}{}", "[".repeat(levels), "]".repeat(levels)),
        2 => format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels)),
        _ => json!({ RESERVED_KEY: "[]" }).to_string(),
    }
}

/// The text with something cut off, doubled or exchanged.
pub(super) fn mutated(random: &mut Rng, text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..characters.len().max(1));
        match random.u32(..5) {
            0 => characters.truncate(at),
            1 => characters.insert(at.min(characters.len()), random.char(..)),
            2 if at < characters.len() => _ = characters.remove(at),
            3 if at < characters.len() => {
                characters[at] = ['"', '\\', '[', '{', ']', '}'][random.usize(..6)];
            }
            _ => characters.extend_from_within(at.min(characters.len())..),
        }
    }
    characters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_garbage() {
        let garbage = |seed| {
            let mut random = Rng::with_seed(seed);
            let value = value(&mut random, 3).to_string();
            (mutated(&mut random, &value), deep(&mut random, false))
        };

        assert_eq!(garbage(3), garbage(3));
    }
}
