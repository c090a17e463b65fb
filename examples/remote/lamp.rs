//! The device: a lamp on a motor, with a bell.

use serde::{Deserialize, Serialize};

/// The state of the device.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lamp {
    is_on: bool,
    /// In percent.
    brightness: u8,
    /// The colour, in degrees.
    hue: u16,
    /// The direction in which the motor turns: -1, 0 or 1.
    turns: i8,
    /// Where the lamp points, in degrees.
    angle: u16,
    /// How often the bell rang.
    rings: u64,
}

/// A command of a page.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Command {
    Power(bool),
    Brightness(u8),
    Hue(u16),
    Turn(i8),
    Ring,
}

impl Lamp {
    pub(crate) fn new() -> Self {
        Self { is_on: true, brightness: 60, hue: 40, ..Self::default() }
    }

    pub(crate) fn obey(&mut self, command: Command) {
        match command {
            Command::Power(is_on) => self.is_on = is_on,
            Command::Brightness(percent) => self.brightness = percent.min(100),
            Command::Hue(degrees) => self.hue = degrees % 360,
            Command::Turn(direction) => self.turns = direction.signum(),
            Command::Ring => self.rings += 1,
        }
    }

    /// Turns the motor one step. Returns false if it stands still.
    pub(crate) fn step(&mut self) -> bool {
        self.angle = match self.turns {
            0 => return false,
            1 => (self.angle + 3) % 360,
            _ => (self.angle + 357) % 360,
        };
        true
    }

    /// Returns a line for a terminal, with a spot in the colour and the brightness of the lamp.
    pub(crate) fn spot(&self) -> String {
        let [red, green, blue] = self.light();
        format!("\x1b[38;2;{red};{green};{blue}m⬤\x1b[0m  {self}")
    }

    /// Returns red, green and blue of its light.
    fn light(&self) -> [u8; 3] {
        if !self.is_on {
            return [40; 3];
        }
        let strength = 0.2 + 0.8 * f64::from(self.brightness) / 100.0;
        [0.0, 120.0, 240.0].map(|shift| {
            // The distance from the colour in which this component is strongest.
            let distance = ((f64::from(self.hue) - shift + 540.0) % 360.0 - 180.0).abs();
            // From 0 to 255.
            (255.0 * strength * (2.0 - distance / 60.0).clamp(0.25, 1.0)) as u8
        })
    }
}

impl std::fmt::Display for Lamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { brightness, hue, angle, rings, .. } = self;
        let power = if self.is_on { "on" } else { "off" };
        let motor =
            ["turns left", "stands", "turns right"][usize::from((self.turns + 1).unsigned_abs())];
        write!(
            f,
            "lamp {power}, {brightness} %, hue {hue}, {motor} at {angle}°, rang {rings} times"
        )
    }
}

/// The pages whose last command is remembered. Beyond it, the page that has been silent for longest is forgotten.
const PAGES: usize = 64;

/// The longest name of a page, in bytes.
const LONGEST_NAME: usize = 64;

/// The last command of each page that was obeyed: one that is repeated, because its reply was lost, is not obeyed twice.
#[derive(Debug, Default)]
pub(crate) struct Obeyed {
    /// The page that was heard last comes last.
    last: Vec<(String, u64)>,
}

impl Obeyed {
    /// Notes a command. Returns true if it is a new one.
    pub(crate) fn note(&mut self, page: &str, number: u64) -> Result<bool, NameTooLong> {
        if page.len() > LONGEST_NAME {
            return Err(NameTooLong);
        }
        let known = self.last.iter().position(|(known, _)| known == page);
        let (name, last) = match known {
            Some(at) => self.last.remove(at),
            None => (page.to_owned(), 0),
        };
        if self.last.len() == PAGES {
            self.last.remove(0);
        }
        self.last.push((name, last.max(number)));
        Ok(number > last)
    }
}

/// A refusal of a page whose name is too long.
#[derive(Debug, thiserror::Error)]
#[error("the name of a page has at most {LONGEST_NAME} bytes")]
pub(crate) struct NameTooLong;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_obeyed_once_whatever_other_pages_send() {
        let mut obeyed = Obeyed::default();

        assert!(obeyed.note("a", 1).unwrap());
        assert!(obeyed.note("b", 1).unwrap());
        assert!(!obeyed.note("a", 1).unwrap());
        assert!(obeyed.note("a", 2).unwrap());
        assert!(!obeyed.note("a", 1).unwrap());
    }

    #[test]
    fn pages_that_are_remembered_are_bounded_and_the_silent_ones_forgotten_first() {
        let mut obeyed = Obeyed::default();
        obeyed.note("silent", 1).unwrap();
        for page in 0..PAGES * 2 {
            obeyed.note("busy", page as u64 + 1).unwrap();
            obeyed.note(&page.to_string(), 1).unwrap();
        }

        assert_eq!(obeyed.last.len(), PAGES);
        assert!(!obeyed.note("busy", 1).unwrap());
        assert!(obeyed.note("silent", 1).unwrap());
        assert!(obeyed.note(&"x".repeat(65), 1).is_err());
    }

    #[test]
    fn commands_are_read_from_the_json_of_the_page_and_kept_in_their_ranges() {
        let mut lamp = Lamp::new();
        for command in
            [r#"{"power":false}"#, r#"{"brightness":200}"#, r#"{"hue":400}"#, r#""ring""#]
        {
            lamp.obey(serde_json::from_str(command).unwrap());
        }
        lamp.obey(Command::Turn(-7));
        assert!(lamp.step());

        assert_eq!(lamp.to_string(), "lamp off, 100 %, hue 40, turns left at 357°, rang 1 times");
    }

    #[test]
    fn the_light_has_the_colour_and_the_brightness_of_the_lamp() {
        let mut lamp = Lamp::new();
        let [red, green, blue] = lamp.light();
        assert!(red > green && green > blue, "amber");
        lamp.obey(Command::Hue(240));
        let dim = lamp.light()[2];
        lamp.obey(Command::Brightness(100));

        assert!(lamp.light()[2] > dim);
        assert_eq!(lamp.light(), [63, 63, 255]);
        lamp.obey(Command::Power(false));
        assert_eq!(lamp.light(), [40; 3]);
    }
}
