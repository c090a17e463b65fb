//! The roles of the two sides of a negotiation.

/// The end of a connection that makes the offer, or the other one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Offerer,
    Answerer,
}
