//! The packets the driver sends and what it expects back, for each dialect, formatted by hand.
//!
//! Nothing here parses JSON on the way of a measured message: a packet is a fixed head and tail
//! around the few numbers that change.

use std::net::SocketAddr;

use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Length of the payload that every measured emit carries, in bytes.
pub(crate) const PAYLOAD: usize = 64;

/// The packets that the two ends exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    /// The same bytes as `V2`, on a bare websocket: no handshake, no registration.
    Bare,
    /// Socket.IO without any plugin: connected, and nothing else. Used for memory only.
    SocketIo,
    /// The dialect of socket.io-p2p-plugin: native Socket.IO acknowledgements.
    V1,
    /// This project's own dialect.
    V2,
}

impl Dialect {
    /// Returns the URL of an end. Bare sockets are joined by `pair`; the others by their client id.
    pub(crate) fn url(self, server: SocketAddr, client: &str, pair: &str) -> String {
        match self {
            Self::Bare => format!("ws://{server}/relay/{pair}"),
            Self::SocketIo | Self::V2 => {
                format!("ws://{server}/socket.io/?EIO=4&transport=websocket")
            }
            Self::V1 => {
                format!("ws://{server}/socket.io/?EIO=4&transport=websocket&clientId={client}")
            }
        }
    }

    /// The packet that joins the namespace.
    pub(crate) fn connect(self, client: &str) -> Option<String> {
        match self {
            Self::Bare => None,
            Self::SocketIo | Self::V1 => Some("40".to_owned()),
            Self::V2 => Some(format!(r#"40{{"clientId":"{client}","p2p":2}}"#)),
        }
    }

    /// Returns the beginning of the last packet before the client may send.
    pub(crate) fn connected(self) -> Option<&'static str> {
        match self {
            Self::Bare => None,
            Self::SocketIo | Self::V1 => Some("40"),
            Self::V2 => Some(r#"42["P2P_WELCOME""#),
        }
    }

    /// The source's request for a pairing.
    pub(crate) fn register(self, target: &str, req: u64) -> String {
        match self {
            Self::V1 => format!(r#"42{req}["P2P_REGISTER","{target}"]"#),
            _ => format!(r#"42["P2P_REGISTER","{target}",{{"req":{req}}}]"#),
        }
    }

    /// The target's consent to the question `asked`.
    pub(crate) fn accept(self, asked: &str) -> Option<String> {
        match self {
            Self::V1 => Some(format!("43{}[true]", ack_id(asked)?)),
            _ => Some(format!(
                r#"42["P2P_REGISTER_SUCCESS",{{"req":{}}}]"#,
                number_after(asked, r#""req":"#)?
            )),
        }
    }

    /// Returns whether `text` reports that the pairing is committed; in v1 only the source receives
    /// this.
    pub(crate) fn is_paired(self, text: &str) -> bool {
        match self {
            Self::V1 => text.starts_with("43") && text.ends_with("[true]"),
            _ => text.starts_with(r#"42["P2P_REGISTER_SUCCESS""#),
        }
    }

    /// The source's request to end the pairing.
    pub(crate) fn unregister(self, req: u64) -> String {
        match self {
            Self::V1 => format!(r#"42{req}["P2P_UNREGISTER"]"#),
            _ => format!(r#"42["P2P_UNREGISTER",{{"req":{req}}}]"#),
        }
    }

    /// The packets of an acknowledged emit between the two ends of `pairing`.
    pub(crate) fn packets(self, pairing: &str, target: &str) -> Packets {
        let payload = "x".repeat(PAYLOAD);
        let (head, tail) = match self {
            Self::V1 => (
                r#"["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":""#.to_owned() + target,
                format!(r#"","event":"bench","args":["{payload}"]}}]"#),
            ),
            _ => (
                format!(r#"42["P2P_FRAME","{pairing}",{{"s":"#),
                format!(r#","t":"emit","e":"bench","a":["{payload}"],"r":true}}]"#),
            ),
        };
        Packets { dialect: self, head, tail }
    }
}

/// The packets of an acknowledged emit, complete but for their numbers.
#[derive(Clone, Debug)]
pub(crate) struct Packets {
    dialect: Dialect,
    head: String,
    tail: String,
}

impl Packets {
    /// The source's `n`th emit, sent when `answered` of them were answered.
    pub(crate) fn emit(&self, n: u64, answered: u64) -> Utf8Bytes {
        let Self { head, tail, .. } = self;
        match self.dialect {
            Dialect::V1 => format!("42{n}{head}{tail}"),
            _ => format!(r#"{head}{n},"k":{answered}{tail}"#),
        }
        .into()
    }

    /// The target's answer to the `n`th emit, which arrived as `emit`; `None` if it is no emit.
    pub(crate) fn answer(&self, n: u64, emit: &str) -> Option<Utf8Bytes> {
        let head = &self.head;
        let answer = match self.dialect {
            Dialect::V1 => {
                let id = ack_id(emit).filter(|_| emit.contains(r#"["bench""#))?;
                format!(r#"43{id}["ok"]"#)
            }
            _ if emit.starts_with(head) => {
                format!(r#"{head}{n},"k":{n},"t":"reply","to":{n},"a":["ok"]}}]"#)
            }
            _ => return None,
        };
        Some(answer.into())
    }

    /// Returns whether `text` is an answer, as the source receives it.
    pub(crate) fn is_answer(&self, text: &str) -> bool {
        match self.dialect {
            Dialect::V1 => text.starts_with("43") && text.ends_with(r#"["ok"]"#),
            _ => text.starts_with(&self.head) && text.ends_with(r#""a":["ok"]}]"#),
        }
    }
}

/// A v1 target's answer to the `P2P_UNREGISTER` it is sent, if the server waits for one.
pub(crate) fn released(asked: &str) -> Option<String> {
    Some(format!("43{}[]", ack_id(asked)?))
}

/// The id of the pairing that `text` announces.
pub(crate) fn pairing_id(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(r#""id":""#)?;
    rest.split('"').next()
}

/// The acknowledgement id of a Socket.IO packet: the digits between its type and its data.
fn ack_id(packet: &str) -> Option<&str> {
    let (id, _) = packet.get(2..)?.split_once('[')?;
    (!id.is_empty()).then_some(id)
}

/// The digits that follow `key` in `text`.
fn number_after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.rsplit_once(key)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_carries_the_number_of_its_question() {
        let asked = r#"42["P2P_REGISTER","a",{"req":17}]"#;

        assert_eq!(
            Dialect::V2.accept(asked).as_deref(),
            Some(r#"42["P2P_REGISTER_SUCCESS",{"req":17}]"#)
        );
        assert_eq!(Dialect::V1.accept(r#"425["P2P_REGISTER","a"]"#).as_deref(), Some("435[true]"));
    }

    #[test]
    fn the_source_recognises_the_answer_of_the_target() {
        for dialect in [Dialect::Bare, Dialect::V2] {
            let packets = dialect.packets("p1", "b");

            let answer = packets.answer(1, &packets.emit(1, 0)).unwrap();

            assert!(packets.is_answer(&answer));
            assert!(!packets.is_answer(r#"42["P2P_ERROR",{"code":"not-paired"}]"#));
        }
    }
}
