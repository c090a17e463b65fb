//! The verdicts on an event that a v1 client sends to its partner.

use std::{borrow::Borrow, ops::Deref};

use bytes::Bytes;
use serde_json::{Value, value::RawValue};

use super::Route;
use crate::{
    Args, Code, Dialect, Refusal,
    limits::{JSON_DEPTH, RELAYED_FRAME_BYTES},
    peer::v1::check_attachments,
    wire::{self, V1EmitFields, check_event},
};

/// An event of a v1 client for its partner: the argument of `P2P_EMIT` or
/// `P2P_EMIT_ACKNOWLEDGE`.
#[derive(Clone, Debug, PartialEq)]
pub struct V1Emit {
    /// The client whom the sender believes to be its partner.
    pub target: String,
    /// The event's name.
    pub event: String,
    /// The arguments for the partner's handler.
    pub args: Args,
}

impl V1Emit {
    /// Reads the whole text of the packet, the name of its event included, and its attachments.
    ///
    /// # Errors
    ///
    /// [`Code::TooLarge`] if it is too long or nested too deep; [`Code::BadArgs`] if it cannot be
    /// read; [`Code::BadEvent`] if the event may not be sent.
    pub fn read(text: &str, attachments: Vec<Bytes>) -> Result<Self, Refusal> {
        let size = text.len() + attachments.iter().map(Bytes::len).sum::<usize>() * 4 / 3;
        if size > RELAYED_FRAME_BYTES || wire::depth(text) > JSON_DEPTH {
            return Err(Code::TooLarge.into());
        }
        let packet: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| bad(&error))?;
        let emit = packet.get(1).ok_or_else(|| bad(&"arguments are missing"))?;
        let V1EmitFields { target_client_id, event, args } =
            serde_json::from_str(emit.get()).map_err(|error| bad(&error))?;
        let args = Args::new(args.to_owned(), attachments).map_err(|error| bad(&error))?;
        check_event(&event)?;
        Ok(Self { target: target_client_id, event, args })
    }

    /// Returns the sender's route if the event may take it; `takes_attachments` tells whether the
    /// partner's transport does.
    ///
    /// # Errors
    ///
    /// [`Code::NotPaired`] if the sender has no route, or one to somebody else; [`Code::BadArgs`]
    /// if the partner cannot read the arguments.
    pub fn admit<R>(
        &self,
        route: Option<R>,
        takes_attachments: impl FnOnce(&R::Target) -> bool,
    ) -> Result<R, Refusal>
    where
        R: Deref<Target: Borrow<Route>>,
    {
        let route = route.ok_or(Code::NotPaired)?;
        let Route { partner, partner_dialect, .. } = (*route).borrow();
        if partner.as_str() != self.target {
            return Err(Code::NotPaired.into());
        }
        let speaks_v2 = *partner_dialect == Dialect::V2;
        if !self.args.blobs().is_empty() && !takes_attachments(&route) {
            return Err(bad(&"the partner's transport does not support attachments"));
        }
        if speaks_v2 {
            // A string of JavaScript may contain a lone surrogate. The parser of a Rust client would
            // drop the whole frame, and the session would wait for it forever.
            self.args.parse::<Vec<Value>>().map_err(|error| bad(&error))?;
        } else {
            check_attachments(&self.args)?;
        }
        Ok(route)
    }
}

fn bad(error: &dyn ToString) -> Refusal {
    Refusal::new(Code::BadArgs, &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConnId, PairingId, Partner};

    fn route(dialect: Dialect) -> Route {
        let (pairing, conn) = (PairingId::new(0, 1), ConnId(2));
        Route::new(&Partner { pairing, client: "b".parse().unwrap(), conn, dialect, direct: false })
    }

    fn emit(args: &str) -> V1Emit {
        let text = format!(r#"["P2P_EMIT",{{"targetClientId":"b","event":"e","args":{args}}}]"#);
        V1Emit::read(&text, Vec::new()).unwrap()
    }

    fn code<T>(result: Result<T, Refusal>) -> Option<Code> {
        result.err().map(|refusal| refusal.code)
    }

    #[test]
    fn an_event_that_may_not_be_sent_is_refused_whoever_the_partner_is() {
        let read = |text: &str| code(V1Emit::read(text, Vec::new()));

        assert_eq!(read(r#"["P2P_EMIT"]"#), Some(Code::BadArgs));
        assert_eq!(read(r#"["P2P_EMIT",{"event":"e","args":[]}]"#), Some(Code::BadArgs));
        let reserved = r#"["P2P_EMIT",{"targetClientId":"b","event":"connect","args":[]}]"#;
        assert_eq!(read(reserved), Some(Code::BadEvent));
        assert_eq!(read(&"[".repeat(JSON_DEPTH + 1)), Some(Code::TooLarge));
    }

    #[test]
    fn an_event_for_somebody_who_is_not_the_partner_is_refused() {
        let emit = emit("[1]");
        let other = V1Emit { target: "c".to_owned(), ..emit.clone() };

        assert!(emit.admit(Some(&route(Dialect::V1)), |_| true).is_ok());
        assert_eq!(code(emit.admit(None::<&Route>, |_| true)), Some(Code::NotPaired));
        assert_eq!(code(other.admit(Some(&route(Dialect::V1)), |_| true)), Some(Code::NotPaired));
    }

    #[test]
    fn what_only_a_v1_partner_can_read_is_refused_for_a_v2_partner() {
        let emit = emit(r#"["\ud800"]"#);

        assert!(emit.admit(Some(&route(Dialect::V1)), |_| true).is_ok());
        assert_eq!(code(emit.admit(Some(&route(Dialect::V2)), |_| true)), Some(Code::BadArgs));
    }

    #[test]
    fn attachments_are_refused_for_a_transport_that_takes_none() {
        let mut emit = emit(r#"[{"_placeholder":true,"num":0}]"#);
        let (json, _) = emit.args.into_parts();
        emit.args = Args::new(json, vec![Bytes::from_static(b"blob")]).unwrap();

        assert!(emit.admit(Some(&route(Dialect::V1)), |_| true).is_ok());
        assert_eq!(code(emit.admit(Some(&route(Dialect::V1)), |_| false)), Some(Code::BadArgs));
    }

    #[test]
    fn more_attachments_than_a_v1_partner_takes_are_refused() {
        let with = |count: usize| {
            let places: Vec<_> =
                (0..count).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
            let blobs = vec![Bytes::from_static(b"blob"); count];
            let args = Args::from_text(format!("[{}]", places.join(",")), blobs).unwrap();
            V1Emit { args, ..emit("[]") }
        };
        let admitted = |count, dialect| code(with(count).admit(Some(&route(dialect)), |_| true));

        assert_eq!(admitted(10, Dialect::V1), None);
        assert_eq!(admitted(11, Dialect::V1), Some(Code::BadArgs));
        assert_eq!(admitted(11, Dialect::V2), None);
    }
}
