//! The driver of a direct link at one peer.

use crate::peer::LinkId;

/// A peer's connection.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) link: LinkId,
    pub(super) session: u64,
    /// The number of descriptions so far, which makes user names.
    pub(super) descriptions: u32,
    /// The session and the user name in the partner's description.
    pub(super) remote: Option<(String, String)>,
    pub(super) is_open: bool,
}

impl Driver {
    pub(super) fn ufrag(&self) -> String {
        format!("u{}n{}", self.session, self.descriptions)
    }

    pub(super) fn knows(&self, partner: &Self) -> bool {
        self.remote == Some((partner.session.to_string(), partner.ufrag()))
    }
}
