//! A session description: the fields that a direct path needs.

use std::{
    str::{FromStr, Lines},
    sync::Arc,
};

use super::{Candidate, SignalError, media::Media};
use crate::CandidatePlaces;
use crate::limits::{CHANNEL_MESSAGE_BYTES, SDP_BYTES};

/// The attribute that states the buffer of the sender's UDP socket, in bytes, and the sender's ICE user name.
const UDP_BUFFER: &str = "x-udp-buffer";
/// The attribute that states the window of the sender's raw channels, in bytes, and the sender's ICE user name.
const CHANNEL_WINDOW: &str = "x-channel-window";
/// The attribute that states, by a 1, that the sender takes messages in pieces, and the sender's ICE user name.
const CHANNEL_PIECES: &str = "x-channel-pieces";
/// The attribute that states the longest message that the sender takes, in bytes; 0 stands for any length.
const MAX_MESSAGE: &str = "max-message-size";
/// The line of a bundle, before the names of its sections.
const BUNDLE: &str = "a=group:BUNDLE ";
/// The attribute of a section that has no address but that of its bundle.
const BUNDLE_ONLY: &str = "bundle-only";
/// The longest message of a partner that states none, in bytes: RFC 8841.
const DEFAULT_MAX_MESSAGE: usize = 64 * 1024;

/// A session description with one data channel section. Sections of media beside it carry nothing in the answer.
///
/// Cloning is cheap.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sdp(Arc<Parsed>);

#[derive(Debug, Eq, PartialEq)]
struct Parsed {
    text: String,
    session: String,
    ufrag: String,
    mid: String,
    /// The place of the data channel section among all sections.
    index: usize,
    /// The other sections.
    media: Vec<Media>,
    candidates: Vec<Candidate>,
    max_message: usize,
    udp_buffer: usize,
    channel_window: usize,
    takes_pieces: bool,
}

impl Sdp {
    /// Reads a description of this peer, and adds the buffer of its UDP socket and the window of its raw channels.
    ///
    /// It also states that this peer takes messages in pieces. The lines name this peer: libdatachannel repeats in its
    /// answer the lines of an offer that it does not know.
    ///
    /// # Errors
    ///
    /// As for the description of a partner.
    pub fn own(text: &str, udp_buffer: usize, channel_window: usize) -> Result<Self, SignalError> {
        let plain: Self = text.parse()?;
        let ufrag = plain.ufrag();
        let udp_buffer = format!("a={UDP_BUFFER}:{udp_buffer} {ufrag}\r\n");
        let channel_window = format!("a={CHANNEL_WINDOW}:{channel_window} {ufrag}\r\n");
        let pieces = format!("a={CHANNEL_PIECES}:1 {ufrag}\r\n");
        format!("{text}{udp_buffer}{channel_window}{pieces}").parse()
    }

    /// Returns this description of this peer as an answer to an offer: with each section of media that the offer has in
    /// its place. They are rejected, except one whose address is that of the data channel: this one is inactive, for
    /// libwebrtc and Firefox cannot give their only address to another section.
    ///
    /// # Errors
    ///
    /// As for the description of a partner.
    pub fn answering(self, offer: &Self) -> Result<Self, SignalError> {
        if offer.0.media.is_empty() {
            return Ok(self);
        }
        let text = self.as_str();
        let (session, data) = text.split_at(text.find("m=application").unwrap_or(0));
        let (before, after) = offer.0.media.split_at(offer.0.index.min(offer.0.media.len()));
        let tag = offer.bundle_tag();
        let mut inactive = None;
        let mut answer = |media: &[Media]| {
            let answers = media.iter().map(|media| {
                let section = media.inactive(data).filter(|_| Some(&*media.mid) == tag);
                if section.is_some() {
                    inactive = Some(media.mid.clone());
                }
                section.unwrap_or_else(|| media.rejected())
            });
            answers.collect::<String>()
        };
        let (before, after) = (answer(before), answer(after));
        let session = match inactive {
            Some(mid) => session.replace(BUNDLE, &format!("{BUNDLE}{mid} ")),
            None => session.to_owned(),
        };
        [&session, &before, data, &after].concat().parse()
    }

    /// Returns the name of the section whose address is that of the data channel: the first of its bundle.
    fn bundle_tag(&self) -> Option<&str> {
        let bundles = self.0.text.lines().filter_map(|line| line.strip_prefix(BUNDLE));
        let mut bundles = bundles.map(|mids| mids.split_whitespace());
        bundles.find(|mids| mids.clone().any(|mid| mid == self.mid()))?.next()
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Returns the text for a WebRTC stack: without candidates, sections of media and the attributes that are ours,
    /// and with a port that rejects nothing. Its limit of messages is [`CHANNEL_MESSAGE_BYTES`]: webrtc 0.21 takes
    /// the lesser of both peers' limits for what it receives as well, and cannot read one of 2³² bytes or more.
    #[must_use]
    pub fn without_candidates(&self) -> String {
        let left_out =
            ["candidate", BUNDLE_ONLY, MAX_MESSAGE, UDP_BUFFER, CHANNEL_WINDOW, CHANNEL_PIECES];
        let is_kept = |line: &&str| {
            let name = line.strip_prefix("a=").and_then(|line| line.split(':').next());
            !name.is_some_and(|name| left_out.contains(&name))
        };
        let mut text = String::with_capacity(self.0.text.len());
        let mut sections = 0;
        let mut is_media = false;
        for line in self.0.text.lines().filter(is_kept) {
            if line.starts_with("m=") {
                is_media = sections != self.0.index;
                sections += 1;
            }
            if is_media {
                continue;
            }
            if let Some(rest) = line.strip_prefix("m=application 0 ") {
                text.push_str("m=application 9 ");
                text.push_str(rest);
            } else if line.starts_with(BUNDLE) && !self.0.media.is_empty() {
                text.push_str(BUNDLE);
                text.push_str(&self.0.mid);
            } else {
                text.push_str(line);
            }
            text.push_str("\r\n");
        }
        text + &format!("a={MAX_MESSAGE}:{CHANNEL_MESSAGE_BYTES}\r\n")
    }

    /// Returns the candidates in the description, except those that cannot be read and those without a place.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.0.candidates
    }

    /// Returns the id of the session. It differs between two connections of one peer; an ICE restart
    /// keeps it.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.0.session
    }

    /// Returns the ICE user name. It differs between two attempts: an ICE restart changes it.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.0.ufrag
    }

    /// Returns the name of the data channel section, or an empty text.
    #[must_use]
    pub fn mid(&self) -> &str {
        &self.0.mid
    }

    /// Returns the place of the data channel section among all sections, from 0.
    #[must_use]
    pub fn index(&self) -> u16 {
        u16::try_from(self.0.index).unwrap_or(u16::MAX)
    }

    /// Returns false if a candidate names a section of media, unless the data channel has the address of that one.
    #[must_use]
    pub fn concerns(&self, candidate: &Candidate) -> bool {
        if self.0.media.is_empty() {
            return true;
        }
        let is_named = |mid: &str, index: usize| match candidate.mid() {
            Some(named) => named == mid,
            None => candidate.index().is_none_or(|named| usize::from(named) == index),
        };
        let tag = self.bundle_tag();
        is_named(self.mid(), self.0.index)
            || self
                .media()
                .any(|(index, media)| Some(&*media.mid) == tag && is_named(&media.mid, index))
    }

    /// Returns the sections of media, each with its place among all sections.
    fn media(&self) -> impl Iterator<Item = (usize, &Media)> {
        let places = (0..).filter(|&place| place != self.0.index);
        places.zip(&self.0.media)
    }

    /// Returns the length of the longest message that the sender takes, in bytes.
    #[must_use]
    pub fn max_message(&self) -> usize {
        self.0.max_message
    }

    /// Returns the buffer of the sender's UDP socket in bytes, or 0 if the sender states none.
    #[must_use]
    pub fn udp_buffer(&self) -> usize {
        self.0.udp_buffer
    }

    /// Returns the window of the sender's raw channels in bytes, or 0 if the sender states none.
    #[must_use]
    pub fn channel_window(&self) -> usize {
        self.0.channel_window
    }

    /// Returns true if the sender takes messages in pieces, on channels that may lose them.
    #[must_use]
    pub fn takes_pieces(&self) -> bool {
        self.0.takes_pieces
    }
}

impl FromStr for Sdp {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > SDP_BYTES {
            return Err(SignalError::TooLarge);
        }
        if text.chars().any(|char| char.is_control() && !matches!(char, '\r' | '\n')) {
            return Err(SignalError::Sdp);
        }
        let mut lines = text.lines();
        if lines.next() != Some("v=0") {
            return Err(SignalError::Sdp);
        }
        let (mut session, mut ufrag) = (None, None);
        let (mut has_password, mut has_fingerprint) = (false, false);
        let mut sections = 0;
        let mut is_media = false;
        let mut places = CandidatePlaces::signalled();
        let mut parsed = Parsed {
            text: text.to_owned(),
            session: String::new(),
            ufrag: String::new(),
            mid: String::new(),
            index: 0,
            media: Vec::new(),
            candidates: Vec::new(),
            max_message: DEFAULT_MAX_MESSAGE,
            udp_buffer: 0,
            channel_window: 0,
            takes_pieces: false,
        };
        while let Some(line) = lines.next() {
            let Some((kind, value)) = line.split_once('=') else {
                return Err(SignalError::Sdp);
            };
            match kind {
                "o" => session = value.split(' ').nth(1).filter(|id| !id.is_empty()),
                "m" if is_data(value, lines.clone()) => {
                    sections += 1;
                    is_media = false;
                    parsed.index = parsed.media.len();
                }
                "m" => {
                    is_media = true;
                    parsed.media.push(Media::new(value.trim_end()));
                }
                "a" if is_media => {
                    if let Some(media) = parsed.media.last_mut() {
                        media.attribute(value.trim_end());
                    }
                }
                "a" => match value.split_once(':') {
                    Some(("ice-ufrag", value)) => ufrag = Some(value.trim_end()),
                    Some(("mid", mid)) => parsed.mid = mid.trim_end().into(),
                    Some(("ice-pwd", _)) => has_password = true,
                    Some(("fingerprint", _)) => has_fingerprint = true,
                    Some(("candidate", _)) => {
                        let candidate = Candidate::new(line, None, None).ok();
                        parsed.candidates.extend(candidate.filter(|it| places.take(it)));
                    }
                    Some((MAX_MESSAGE, size)) => parsed.max_message = max_message(size.trim())?,
                    _ => {}
                },
                _ => {}
            }
        }
        if sections > 1 || sections == 0 && !parsed.media.is_empty() {
            return Err(SignalError::Media);
        }
        match (session, ufrag) {
            (Some(session), Some(ufrag))
                if sections == 1 && !ufrag.is_empty() && has_password && has_fingerprint =>
            {
                parsed.session = session.into();
                parsed.ufrag = ufrag.into();
                parsed.udp_buffer = stated(text, UDP_BUFFER, ufrag);
                parsed.channel_window = stated(text, CHANNEL_WINDOW, ufrag);
                parsed.takes_pieces = stated(text, CHANNEL_PIECES, ufrag) > 0;
                Ok(Self(Arc::new(parsed)))
            }
            _ => Err(SignalError::Sdp),
        }
    }
}

/// Reads the length of the longest message. A number that is too large for this machine is as good as any length.
fn max_message(size: &str) -> Result<usize, SignalError> {
    if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SignalError::Sdp);
    }
    Ok(size.parse().ok().filter(|&size| size != 0).unwrap_or(usize::MAX))
}

/// Returns the number that an attribute of ours states, or 0. A line that names another sender is an echo.
fn stated(text: &str, attribute: &str, ufrag: &str) -> usize {
    let mut values = text.lines().filter_map(|line| {
        let value = line.strip_prefix("a=")?.strip_prefix(attribute)?.strip_prefix(':')?;
        let (size, sender) = value.trim_end().split_once(' ')?;
        size.parse().ok().filter(|_| sender == ufrag)
    });
    values.next_back().unwrap_or(0)
}

/// Returns whether a section, with these lines after it, is `application <port> UDP/DTLS/SCTP webrtc-datachannel`. The
/// port 0 rejects the section, unless the section is for its bundle only (RFC 9143, section 6).
fn is_data(section: &str, lines: Lines<'_>) -> bool {
    let fields: Vec<&str> = section.trim_end().split(' ').collect();
    let ["application", port, "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP", "webrtc-datachannel"] = &*fields
    else {
        return false;
    };
    let mut attributes = lines.take_while(|line| !line.starts_with("m="));
    *port != "0"
        || attributes.any(|line| line.strip_prefix("a=").map(str::trim_end) == Some(BUNDLE_ONLY))
}
