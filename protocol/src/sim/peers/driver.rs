//! The driver of a direct link at one peer.

use crate::peer::LinkId;

/// A peer's connection.
#[derive(Debug)]
pub(in crate::sim) struct Driver {
    pub(in crate::sim) link: LinkId,
    pub(in crate::sim) session: u64,
    /// The number of descriptions so far, which makes user names.
    pub(in crate::sim) descriptions: u32,
    /// The session and the user name in the partner's description.
    pub(in crate::sim) remote: Option<(String, String)>,
    pub(in crate::sim) is_open: bool,
}

impl Driver {
    pub(in crate::sim) fn ufrag(&self) -> String {
        format!("u{}n{}", self.session, self.descriptions)
    }

    pub(in crate::sim) fn knows(&self, partner: &Self) -> bool {
        self.remote == Some((partner.session.to_string(), partner.ufrag()))
    }
}
