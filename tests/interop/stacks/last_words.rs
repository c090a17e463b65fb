//! Messages right before an end.

use std::fmt;

use serde_json::json;
use socketio_p2p_client::direct::{ChannelEnd, ChannelMessage, DirectEnd, DirectEvent};
use tokio::time::timeout;

use crate::interop::Failed;
use crate::interop::bare::{Bare, Stack};
use crate::interop::direct::PATIENCE;
use crate::interop::partners::Of;

/// How a partner ends after its message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// It opens a raw channel, sends, and closes the channel.
    Raw,
    /// It sends on the main channel, and closes that.
    Main,
    /// It sends on the main channel, and closes the connection.
    Connection,
    /// The same as [`Self::Main`], as soon as its main channel is open.
    MainAtOnce,
    /// The same as [`Self::Connection`], as soon as its main channel is open.
    ConnectionAtOnce,
}

/// What became of the messages of one way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Count {
    pub(super) lost: usize,
    pub(super) tries: usize,
}

impl Way {
    pub(super) const ALL: [Self; 5] =
        [Self::Raw, Self::Main, Self::Connection, Self::MainAtOnce, Self::ConnectionAtOnce];

    /// Returns whether a stack can end in this way so that our end can tell. werift sends the reset of a stream before
    /// the message that came first: rtc-sctp 0.21 then loses that, and a number that is used again.
    fn is_of(self, of: Of) -> bool {
        let has_one_channel = matches!(of, Of::SimplePeer | Of::SimplePeerOnPolyfill);
        match self {
            Self::Raw | Self::Main => !has_one_channel && of != Of::Werift,
            Self::MainAtOnce => !has_one_channel,
            Self::Connection | Self::ConnectionAtOnce => !of.leaves_silently(),
        }
    }

    /// Returns false for a way in which some messages cannot arrive. Chromium may close a connection before it sends
    /// what it was given as soon as it opened. Firefox sends that before it confirms the channel, and webrtc 0.21
    /// delivers nothing of a channel that is not confirmed.
    pub(super) fn is_delivered(self) -> bool {
        self != Self::ConnectionAtOnce
    }

    fn order(self) -> &'static str {
        match self {
            Self::Raw => "short",
            Self::Main | Self::MainAtOnce => "sendAndClose",
            Self::Connection | Self::ConnectionAtOnce => "sendAndEnd",
        }
    }

    /// Has a stack end so many times in this way, half of them in each of its roles. `None`: it cannot.
    pub(super) async fn measure(
        self,
        of: Of,
        stack: &mut Stack,
        tries: usize,
    ) -> Result<Option<Count>, Failed> {
        if !self.is_of(of) {
            return Ok(None);
        }
        let mut count = Count::default();
        let roles = of.roles();
        if self == Self::Raw {
            for (number, role) in roles.iter().enumerate() {
                let mut bare = stack.connect(role).await?;
                for label in (number..tries).step_by(roles.len()) {
                    count.add(raw_channel(&mut bare, &label.to_string()).await?);
                }
                bare.connection.close().await;
            }
            return Ok(Some(count));
        }
        for number in 0..tries {
            let role = roles[number % roles.len()];
            let arrived = match self {
                Self::MainAtOnce | Self::ConnectionAtOnce => {
                    at_once(stack, role, self.order()).await
                }
                _ => main_channel(stack, role, self.order()).await,
            };
            count.add(arrived.map_err(|error| format!("{self}, it {role}s: {error}"))?);
        }
        Ok(Some(count))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Main => "main",
            Self::Connection => "connection",
            Self::MainAtOnce => "main at once",
            Self::ConnectionAtOnce => "connection at once",
        })
    }
}

impl Count {
    fn add(&mut self, arrived: bool) {
        self.tries += 1;
        self.lost += usize::from(!arrived);
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.lost, self.tries)
    }
}

/// Returns whether the message of a short-lived channel arrived.
async fn raw_channel(bare: &mut Bare<'_>, label: &str) -> Result<bool, Failed> {
    bare.tell(json!({ "short": label })).await?;
    let channel = bare.channel().await?;
    let mut messages = Vec::new();
    while let Some(message) = timeout(PATIENCE, channel.recv()).await? {
        messages.push(message);
    }
    let end = channel.end();
    match (&*messages, end) {
        ([], Some(ChannelEnd::Partner)) => Ok(false),
        ([message], Some(ChannelEnd::Partner)) if *message == label.into() => Ok(true),
        (messages, end) => Err(format!("raw channel {label}: {messages:?}, {end:?}").into()),
    }
}

/// Returns whether the last message on the main channel arrived, over which one went there and back before.
async fn main_channel(stack: &mut Stack, role: &str, order: &str) -> Result<bool, Failed> {
    let mut bare = stack.connect(role).await?;
    bare.connection.send("first").await?;
    assert_eq!(bare.message().await?, ChannelMessage::from("first"));
    bare.tell(json!({ order: LAST })).await?;
    last_word(&mut bare).await
}

/// Returns whether the only message on the main channel arrived.
async fn at_once(stack: &mut Stack, role: &str, order: &str) -> Result<bool, Failed> {
    let mut bare = stack.begin(json!({ "connect": role, "then": { order: LAST } })).await?;
    match bare.event().await? {
        DirectEvent::Open => last_word(&mut bare).await,
        DirectEvent::Closed(DirectEnd::Partner) => Ok(false),
        event => Err(format!("{event:?}").into()),
    }
}

const LAST: &str = "the last";

/// Returns whether the message came before the end.
async fn last_word(bare: &mut Bare<'_>) -> Result<bool, Failed> {
    let arrived = match bare.event().await? {
        DirectEvent::Closed(DirectEnd::Partner) => return Ok(false),
        DirectEvent::Message(message) => message == LAST.into(),
        event => return Err(format!("{event:?}").into()),
    };
    match bare.closed().await? {
        DirectEnd::Partner if arrived => Ok(true),
        end => Err(format!("another message, or {end:?}").into()),
    }
}
