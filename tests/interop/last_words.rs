//! What a partner sends right before it closes many channels at once arrives. One at a time, and connections: `stacks`.

use serde_json::json;
use socketio_p2p_client::direct::ChannelMessage;
use tokio::time::timeout;

use crate::interop::Story;
use crate::interop::bare::Stack;
use crate::interop::direct::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn channels_that_a_page_closes_at_once_are_handed_over_with_what_they_brought() -> Story {
    const AT_ONCE: usize = 20;
    let mut stack = Stack::page().await?;
    let (mut shown, mut lost) = (0, 0);
    for role in ["offer", "answer"] {
        let mut bare = stack.connect(role).await?;
        for number in 0..AT_ONCE {
            bare.tell(json!({ "short": number.to_string() })).await?;
        }
        for _ in 0..AT_ONCE {
            let channel = bare.channel().await?;
            shown += 1;
            let message = timeout(PATIENCE, channel.recv()).await?;
            lost += usize::from(message != Some(ChannelMessage::from(channel.label())));
        }
        bare.connection.close().await;
    }
    assert_eq!((shown, lost), (2 * AT_ONCE, 0));
    stack.end().await
}
