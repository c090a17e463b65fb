//! The bot's knowledge.

use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use socketio_p2p_client::ClientId;

/// Answers a question: the time, a sum, or dice.
pub(crate) fn answer(question: &str) -> String {
    let words = question.to_lowercase();
    if words.contains("time") {
        return format!("It is {} UTC here.", time_of_day());
    }
    if words.contains("dice") || words.contains("roll") {
        return roll(&words);
    }
    if words.contains("hello") || words.contains("hi ") || words == "hi" {
        return "Hello! Ask me for the time, for dice, or for 6 * 7.".to_owned();
    }
    calculate(question).unwrap_or_else(|| {
        "I know little: the time, dice (roll 3 dice), sums (6 * 7). I can also explain how we are \
         connected, paint a picture, and take a file."
            .to_owned()
    })
}

fn time_of_day() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{:02}:{:02}:{:02}", since / 3_600 % 24, since / 60 % 60, since % 60)
}

/// Rolls as many dice as the text names, at most ten, three by default.
fn roll(text: &str) -> String {
    let count = text.split(|c: char| !c.is_ascii_digit()).find_map(|part| part.parse().ok());
    let dice: Vec<u32> =
        (0..count.unwrap_or(3).clamp(1, 10)).map(|_: u32| fastrand::u32(1..=6)).collect();
    let mut text = String::from("I rolled");
    for (at, die) in dice.iter().enumerate() {
        // A `String` takes everything.
        write!(text, "{}{die}", if at == 0 { " " } else { ", " }).ok();
    }
    format!("{text}: {} in all.", dice.iter().sum::<u32>())
}

/// Computes `a + b`, `a - b`, `a * b` or `a / b`, with words around it.
fn calculate(text: &str) -> Option<String> {
    let at = text.find(['+', '*', '/', '×', '÷', '-']).filter(|&at| at > 0)?;
    let sign = text[at..].chars().next()?;
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let a = text[..at].trim_end().rsplit(|c| !number(c)).next()?.parse::<f64>().ok()?;
    let rest = text[at + sign.len_utf8()..].trim_start();
    let b = rest.split(|c| !number(c)).next()?.trim_end_matches('.').parse::<f64>().ok()?;
    let result = match sign {
        '+' => a + b,
        '-' => a - b,
        '*' | '×' => a * b,
        _ if b == 0.0 => return Some("Nobody can divide by 0.".to_owned()),
        _ => a / b,
    };
    Some(format!("{a} {sign} {b} = {result}"))
}

/// Explains the connection to a visitor.
pub(crate) fn explanation(visitor: &ClientId) -> String {
    format!(
        "You are {visitor}, and for as long as you stay, I talk to nobody else: the server paired us. \
         Each word of this is an event that you confirm before I send the next one. At first they go \
         through the server. As soon as your browser and I find a direct way to each other, they take \
         that, and the server sees none of them. If that way is lost, the server carries on, and no \
         word is lost or said twice."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_computed_with_words_around_them() {
        assert_eq!(answer("what is 6 * 7?"), "6 * 7 = 42");
        assert_eq!(answer("1.5+2."), "1.5 + 2 = 3.5");
        assert_eq!(answer("8 ÷ 2"), "8 ÷ 2 = 4");
        assert_eq!(answer("1/0"), "Nobody can divide by 0.");
    }

    #[test]
    fn other_questions_are_answered_with_what_it_can_do() {
        for question in ["", "-", "*", "é-ü", "why?", "a - b", "-1", "🎲+🎲"] {
            assert!(answer(question).starts_with("I know little"), "{question}");
        }
    }

    #[test]
    fn dice_are_as_many_as_wanted_and_at_most_ten() {
        assert_eq!(answer("roll 2 dice").matches(',').count(), 1);
        assert_eq!(answer("roll 4000000 dice").matches(',').count(), 9);
        assert_eq!(answer("dice!").matches(',').count(), 2);
    }
}
