//! The notes that the writer or the reader of a transcript keeps, and its times.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{LinkId, ResumeToken};

/// The longest time in a transcript: longer ones could not be added to a clock.
pub(super) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The notes that a writer or reader keeps: the start of time, the tokens, and the links.
#[derive(Debug)]
pub(crate) struct Notes {
    pub(super) start: Instant,
    /// Resume tokens in the order of their appearance. A transcript holds their numbers instead.
    tokens: Vec<ResumeToken>,
    pub(super) links: BTreeMap<String, LinkId>,
}

impl Notes {
    pub(super) fn new(start: Instant) -> Self {
        Self { start, tokens: Vec::new(), links: BTreeMap::new() }
    }

    /// Returns the whole microseconds from the start until this moment.
    pub(super) fn micros(&self, moment: Instant) -> u64 {
        micros(moment.saturating_duration_since(self.start))
    }

    pub(super) fn moment(&self, micros: u64) -> Result<Instant, String> {
        let time = Duration::from_micros(micros);
        let moment = (time <= LONGEST).then(|| self.start.checked_add(time)).flatten();
        moment.ok_or_else(|| format!("{micros} us is too long"))
    }

    /// Returns the text that stands for a token: that of its number.
    pub(super) fn token(&mut self, token: ResumeToken) -> String {
        let at = self.tokens.iter().position(|known| *known == token).unwrap_or_else(|| {
            self.tokens.push(token);
            self.tokens.len() - 1
        });
        ResumeToken::new((at as u128 + 1).to_be_bytes()).reveal()
    }

    pub(super) fn link(&mut self, link: LinkId) -> Value {
        let name = link.to_string();
        self.links.insert(name.clone(), link);
        name.into()
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn merge(line: &mut Value, fields: Value) {
    if let (Value::Object(line), Value::Object(fields)) = (line, fields) {
        line.extend(fields);
    }
}
