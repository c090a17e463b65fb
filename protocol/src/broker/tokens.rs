//! The tokens with which a client comes back to its session.

use crate::{
    ResumeToken,
    planted::{self, Fault},
};

/// The tokens with which a client may resume its session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    pub(super) present: ResumeToken,
    /// The one before, until the client has sent something on its new connection: the welcome with
    /// the present one may have been lost.
    previous: Option<ResumeToken>,
}

impl Tokens {
    pub(super) const fn new(fresh: ResumeToken) -> Self {
        Self { present: fresh, previous: None }
    }

    /// Returns whether the shown token is right. If it is, the fresh one takes its place.
    pub(super) fn exchange(&mut self, shown: Option<ResumeToken>, fresh: ResumeToken) -> bool {
        let Some(shown) = shown else { return false };
        // Both are compared in any case: the time that it takes reveals nothing.
        let is_present = shown == self.present;
        let is_previous = self.previous.is_some_and(|previous| shown == previous);
        if !(is_present | is_previous) && !planted::is(Fault::ResumeWithoutToken) {
            return false;
        }
        *self = Self { present: fresh, previous: Some(shown) };
        true
    }

    /// Notes that the client has the present token.
    pub(super) const fn confirm(&mut self) {
        self.previous = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_its_client_has_said_something_with_the_next() {
        let [first, second, third] = [1, 2, 3].map(|byte| ResumeToken::new([byte; 16]));
        let mut tokens = Tokens::new(first);

        assert!(!tokens.exchange(None, second));
        assert!(!tokens.exchange(Some(third), second));
        assert!(tokens.exchange(Some(first), second));
        assert!(tokens.exchange(Some(first), third), "the welcome was lost");
        assert!(tokens.exchange(Some(third), second));
        tokens.confirm();
        assert!(!tokens.exchange(Some(third), first));
        assert!(tokens.exchange(Some(second), first));
    }
}
