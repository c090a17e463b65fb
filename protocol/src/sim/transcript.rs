//! Transcripts: the inputs of a client or a peer with their times, and all its outputs, as lines of
//! JSON.
//!
//! `TRANSCRIPTS.md` specifies the format. It names no type of Rust, so that a client in another
//! language can replay a transcript and compare its own outputs.

mod client;
mod events;
mod fields;
mod link;
mod notes;
pub(crate) mod peer;
mod terms;

use std::{fmt, time::Instant};

use serde_json::{Map, Value, json};

use self::{
    fields::Fields,
    notes::{Notes, merge, micros},
};
use crate::{Client, Peer};

/// The version of the format.
const VERSION: u64 = 1;

/// A state machine whose inputs and outputs can be written.
pub(crate) trait Machine: Sized {
    /// Its name in the first line.
    const NAME: &'static str;

    type Config;
    type Input;
    type Output;

    fn new(config: Self::Config, now: Instant) -> Self;
    fn handle(&mut self, input: Self::Input, now: Instant);
    fn poll_output(&mut self) -> Option<Self::Output>;
    fn poll_timeout(&self) -> Option<Instant>;

    fn write_config(config: &Self::Config) -> Value;
    fn read_config(fields: &Fields<'_>) -> Result<Self::Config, String>;
    fn write_input(input: &Self::Input, notes: &mut Notes) -> Value;
    fn read_input(fields: &Fields<'_>, notes: &Notes) -> Result<Self::Input, String>;
    fn write_output(output: &Self::Output, notes: &mut Notes) -> Value;
}

/// A state machine, and the transcript of its inputs and outputs if there is to be one.
#[derive(Debug)]
pub(crate) struct Recorded<M> {
    machine: M,
    recorder: Option<Recorder>,
}

/// The lines of a transcript.
#[derive(Debug)]
pub(crate) struct Recorder {
    notes: Notes,
    lines: Vec<String>,
    /// True at the start and after an input, until the outputs have been polled.
    busy: bool,
}

impl<M: Machine> Recorded<M> {
    pub(crate) fn new(config: M::Config, now: Instant, recorded: bool) -> Self {
        let recorder = recorded.then(|| {
            let header = json!({
                "transcript": VERSION,
                "of": M::NAME,
                "config": M::write_config(&config),
            });
            Recorder { notes: Notes::new(now), lines: vec![header.to_string()], busy: true }
        });
        Self { machine: M::new(config, now), recorder }
    }

    pub(crate) fn handle(&mut self, input: M::Input, now: Instant) {
        if let Some(Recorder { notes, lines, busy }) = &mut self.recorder {
            let mut line = json!({ "at": notes.micros(now) });
            merge(&mut line, M::write_input(&input, notes));
            lines.push(line.to_string());
            *busy = true;
        }
        self.machine.handle(input, now);
    }

    pub(crate) fn poll_output(&mut self) -> Option<M::Output> {
        let output = self.machine.poll_output();
        if let Some(Recorder { notes, lines, busy }) = &mut self.recorder {
            match &output {
                Some(output) => lines.push(M::write_output(output, notes).to_string()),
                None if std::mem::take(busy) => {
                    lines.push(due(self.machine.poll_timeout(), notes).to_string());
                }
                None => {}
            }
        }
        output
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }

    /// Returns the number of lines so far.
    pub(crate) fn lines(&self) -> usize {
        self.recorder.as_ref().map_or(0, |recorder| recorder.lines.len())
    }

    /// Returns the transcript up to the last time that all outputs had been polled.
    pub(crate) fn into_transcript(self) -> Option<String> {
        let mut lines = self.recorder?.lines;
        while lines.len() > 1 && !lines.last().is_some_and(|line| line.starts_with("{\"due\"")) {
            lines.pop();
        }
        Some(lines.join("\n") + "\n")
    }
}

impl<M> std::ops::Deref for Recorded<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.machine
    }
}

/// Returns the line of the next timeout: rounded up, so that it is not early.
fn due(timeout: Option<Instant>, notes: &Notes) -> Value {
    let up = |moment: Instant| {
        let time = moment.saturating_duration_since(notes.start);
        micros(time) + u64::from(!time.subsec_nanos().is_multiple_of(1_000))
    };
    json!({ "due": timeout.map(up) })
}

/// The reason why a transcript could not be replayed, or what differed.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayError {
    /// The line, counted from 1.
    pub line: usize,
    /// The kind of the error.
    pub kind: ReplayErrorKind,
}

/// A kind of [`ReplayError`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReplayErrorKind {
    /// The line is not one of a transcript.
    Malformed(String),
    /// The line says something else than the client or the peer did.
    Differs {
        /// The line of the transcript.
        expected: Value,
        /// The output, or the time at which the next timeout is due. `None` if there was no output.
        got: Option<Value>,
    },
}

impl std::error::Error for ReplayError {}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.kind {
            ReplayErrorKind::Malformed(error) => f.write_str(error),
            ReplayErrorKind::Differs { expected, got: Some(got) } => {
                write!(f, "expected {expected}, got {got}")
            }
            ReplayErrorKind::Differs { expected, got: None } => {
                write!(f, "expected {expected}, got no output")
            }
        }
    }
}

/// Replays a transcript with the client or the peer of this crate, and returns the number of lines.
///
/// # Errors
///
/// A [`ReplayError`] for the first line that cannot be read, or that differs from what the client or
/// the peer does.
pub fn replay(transcript: &str) -> Result<usize, ReplayError> {
    let mut lines = transcript.lines().enumerate().map(|(at, line)| (at + 1, line));
    let malformed = |line, error: String| {
        let kind = ReplayErrorKind::Malformed(error);
        ReplayError { line, kind }
    };
    let (_, first) = lines.next().ok_or_else(|| malformed(1, "no line".to_owned()))?;
    let header = object(first).map_err(|error| malformed(1, error))?;
    let fields = Fields::new(&header);
    let of = fields.text("of").map_err(|error| malformed(1, error))?;
    if header.get("transcript") != Some(&VERSION.into()) {
        return Err(malformed(1, format!("not version {VERSION} of a transcript")));
    }
    match of {
        Client::NAME => replay_lines::<Client>(&fields, lines),
        Peer::NAME => replay_lines::<Peer>(&fields, lines),
        other => Err(malformed(1, format!("a transcript of {other:?}"))),
    }
}

fn replay_lines<'a, M: Machine>(
    header: &Fields<'_>,
    lines: impl Iterator<Item = (usize, &'a str)>,
) -> Result<usize, ReplayError> {
    let mut last = 1;
    let malformed =
        |line| move |error| ReplayError { line, kind: ReplayErrorKind::Malformed(error) };
    let config = header.object("config").map_err(malformed(1))?;
    let mut notes = Notes::new(Instant::now());
    let mut machine =
        M::new(M::read_config(&Fields::new(config)).map_err(malformed(1))?, notes.start);
    for (number, text) in lines {
        last = number;
        let line = object(text).map_err(malformed(number))?;
        let fields = Fields::new(&line);
        if line.contains_key("in") {
            let at = fields.number("at").and_then(|at| notes.moment(at));
            let at = at.map_err(malformed(number))?;
            let input = M::read_input(&fields, &notes).map_err(malformed(number))?;
            machine.handle(input, at);
            continue;
        }
        let output = machine.poll_output().map(|output| M::write_output(&output, &mut notes));
        let got = match output {
            None if line.contains_key("due") => Some(due(machine.poll_timeout(), &notes)),
            output => output,
        };
        let expected = Value::Object(line);
        if got.as_ref() != Some(&expected) {
            let kind = ReplayErrorKind::Differs { expected, got };
            return Err(ReplayError { line: number, kind });
        }
    }
    Ok(last)
}

fn object(line: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}
