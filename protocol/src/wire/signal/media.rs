//! Sections of media beside a data channel.

/// A section of media.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Media {
    /// The text after `m=`.
    line: String,
    pub(super) mid: String,
    /// The attribute that describes the first format, `rtpmap:…`.
    format: String,
}

impl Media {
    pub(super) fn new(line: &str) -> Self {
        Self { line: line.to_owned(), mid: String::new(), format: String::new() }
    }

    /// Reads an attribute of the section.
    pub(super) fn attribute(&mut self, attribute: &str) {
        match attribute.split_once(':') {
            Some(("mid", mid)) => mid.clone_into(&mut self.mid),
            Some(("rtpmap", value))
                if self.format.is_empty()
                    && value.split(' ').next() == self.line.split(' ').nth(3) =>
            {
                attribute.clone_into(&mut self.format);
            }
            _ => {}
        }
    }

    /// Returns the section that rejects this one in an answer: its port is 0.
    pub(super) fn rejected(&self) -> String {
        let mut words: Vec<&str> = self.line.split(' ').collect();
        if let Some(port) = words.get_mut(1) {
            *port = "0";
        }
        let line = words.join(" ");
        let mid =
            if self.mid.is_empty() { String::new() } else { format!("a=mid:{}\r\n", self.mid) };
        format!("m={line}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n{mid}")
    }

    /// Returns the section that takes this one in an answer and sends and receives nothing, with the transport of the
    /// data channel section `data`. Returns `None` if it cannot be taken.
    pub(super) fn inactive(&self, data: &str) -> Option<String> {
        let [kind, _, transport, format, ..] = &*self.line.split(' ').collect::<Vec<_>>() else {
            return None;
        };
        if !transport.starts_with("UDP/TLS/RTP/") || self.format.is_empty() {
            return None;
        }
        let is_of_transport = |line: &&str| {
            let names = ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:"];
            names.iter().any(|name| line.starts_with(name))
        };
        let shared = data.lines().filter(is_of_transport);
        let shared: String = shared.flat_map(|line| [line, "\r\n"]).collect();
        Some(format!(
            "m={kind} 9 {transport} {format}\r\nc=IN IP4 0.0.0.0\r\na={}\r\na=inactive\r\na=rtcp-mux\r\n\
             a=mid:{}\r\n{shared}",
            self.format, self.mid
        ))
    }
}
