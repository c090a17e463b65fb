//! Partners of a direct connection that are not ours: seven WebRTC stacks, each in both roles, through the same
//! stories.
//!
//! A story runs with one program of the stack, which makes connections one after another. What a stack does in its
//! own way is in [`Of`]. simple-peer has stories of its own, and so have the last messages before an end.

mod candidates;
mod channels;
mod endings;
mod later_offers;
mod messages;

use crate::interop::bare::Stack;
use crate::interop::{Failed, Story};

/// A WebRTC stack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Of {
    /// aiortc, in Python.
    Aiortc,
    /// A page of Chromium.
    Chromium,
    /// node-datachannel with its own API.
    Datachannel,
    /// A page of Firefox.
    Firefox,
    /// node-datachannel with the API of a browser.
    Polyfill,
    /// simple-peer on @roamhq/wrtc, which has one channel.
    SimplePeer,
    /// The same on node-datachannel with the API of a browser.
    SimplePeerOnPolyfill,
    /// werift, in TypeScript.
    Werift,
    /// @roamhq/wrtc, the stack of Chromium in Node.
    Wrtc,
}

impl Of {
    pub(crate) async fn start(self) -> Result<Stack, Failed> {
        match self {
            Self::Aiortc => Stack::aiortc().await,
            Self::Chromium => Stack::page().await,
            Self::Datachannel => Stack::datachannel().await,
            Self::Firefox => Stack::firefox().await,
            Self::Polyfill => Stack::of_npm("polyfill").await,
            Self::SimplePeer => Stack::simple_peer(&[]).await,
            Self::SimplePeerOnPolyfill => Stack::simple_peer(&["--polyfill"]).await,
            Self::Werift => Stack::of_npm("werift").await,
            Self::Wrtc => Stack::of_npm("wrtc").await,
        }
    }

    /// Returns the longest message that is sent to it, in bytes: its own limit, or ours if that is less.
    const fn limit(self) -> usize {
        match self {
            Self::Werift => 64 << 10,
            _ => 256 << 10,
        }
    }

    /// Returns the roles in which it opens. werift 0.24 sends no INIT of SCTP if it answers, and webrtc 0.21 none as the
    /// server of DTLS, which an offerer is to werift (RFC 8841, section 9.3: both may send one).
    pub(crate) const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Werift => &["offer"],
            _ => &["offer", "answer"],
        }
    }

    /// Returns true for a stack that numbers its channels by its role in ICE, not in DTLS (RFC 8832, section 6): if it
    /// offers and our end is the server of DTLS, both ends take odd numbers.
    fn takes_our_numbers(self) -> bool {
        self == Self::Werift
    }

    /// Returns true for a stack that ends a connection without a word to its partner.
    pub(crate) fn leaves_silently(self) -> bool {
        self == Self::Werift
    }

    /// Returns true for a stack that offers media and takes their rejection: aiortc wants a user name of ICE in each
    /// section of an answer, werift a codec, and the programs of node-datachannel offer none.
    fn has_media(self) -> bool {
        matches!(self, Self::Chromium | Self::Firefox | Self::Wrtc)
    }

    /// Returns false for a stack whose channels without order are announced as ordered if messages are sent again a
    /// limited number of times, or for a limited time: werift 0.24 puts the one in the place of the other.
    fn announces_order(self) -> bool {
        self != Self::Werift
    }

    /// Returns the later offers that it makes of the same session in this role: whether each restarts ICE. aiortc and
    /// libdatachannel cannot restart it, werift gives each offer another session, so that only the user name tells
    /// which connection it is for, and the polyfill never makes an offer after it has answered one.
    fn offers_again(self, role: &str) -> &'static [bool] {
        match self {
            Self::Chromium | Self::Firefox | Self::Wrtc => &[false, true],
            Self::Polyfill if role == "answer" => &[],
            _ => &[false],
        }
    }

    /// Returns true for a stack that sends what is longer than our limit, if it is told of another one.
    fn knows_no_limit_of_its_own(self) -> bool {
        matches!(self, Self::Aiortc | Self::Firefox)
    }

    /// Returns true for a stack that numbers the channels of its offer as it made them. libdatachannel does not.
    fn numbers_in_order(self) -> bool {
        !matches!(self, Self::Datachannel | Self::Polyfill)
    }

    /// Returns false for a stack that puts an empty message not on the wire.
    fn sends_empty_messages(self) -> bool {
        self != Self::Werift
    }

    /// Returns the options of a channel that it does not tell its application.
    fn keeps_to_itself(self) -> &'static [&'static str] {
        match self {
            Self::Datachannel | Self::Polyfill => {
                &["ordered", "maxRetransmits", "maxPacketLifeTime"]
            }
            _ => &[],
        }
    }
}

/// Goes through all stories with one program: the start of a browser takes longer than a story. The last ones
/// kill it.
async fn every_story(of: Of) -> Story {
    let mut stack = of.start().await?;
    for &role in of.roles() {
        told(
            "messages",
            role,
            messages::of_every_kind_and_length_arrive(&mut stack, of, role).await,
        )?;
        told("channels", role, channels::twenty_open_each_way(&mut stack, of, role).await)?;
        told("endings", role, endings::either_end_closes(&mut stack, of, role).await)?;
        told("candidates", role, candidates::are_taken_in_every_form(&mut stack, role).await)?;
        told("offers", role, later_offers::are_answered(&mut stack, of, role).await)?;
    }
    let mut stack = Some(stack);
    for &role in of.roles() {
        let stack = match stack.take() {
            Some(stack) => stack,
            None => of.start().await?,
        };
        let killed = endings::a_partner_that_is_killed_is_noticed(stack, of, role).await;
        told("killed", role, killed)?;
    }
    Ok(())
}

/// Names the story that failed.
fn told(story: &str, role: &str, result: Story) -> Story {
    result.map_err(|error| format!("{story}, it {role}s: {error}").into())
}

/// A test for each stack.
macro_rules! stacks {
    ($($stack:ident => $of:ident),* $(,)?) => { $(
        mod $stack {
            use super::{Of, every_story};
            use crate::interop::Story;

            #[tokio::test(flavor = "multi_thread")]
            async fn it_opens_talks_and_ends_in_both_roles() -> Story {
                every_story(Of::$of).await
            }
        }
    )* };
}

stacks! {
    aiortc => Aiortc,
    chromium => Chromium,
    datachannel => Datachannel,
    firefox => Firefox,
    polyfill => Polyfill,
    werift => Werift,
    wrtc => Wrtc,
}
