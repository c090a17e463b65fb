//! Later offers of a partner, without and with a restart of ICE.

use serde_json::json;

use super::Of;
use super::messages::echo;
use crate::interop::Story;
use crate::interop::bare::Stack;

/// The connection stays. After a restart our end has a user name of its own again, and knows no path of before: an echo
/// takes a new one.
pub(super) async fn are_answered(stack: &mut Stack, of: Of, role: &str) -> Story {
    let mut bare = stack.connect(role).await?;
    echo(&mut bare, "first".into()).await?;
    for &is_restart in of.offers_again(role) {
        let (answered, ufrags) = (bare.answered, bare.ufrags.clone());
        bare.tell(json!({ "offerAgain": true, "restart": is_restart })).await?;
        let done = bare.negotiate_until(|bare| bare.answered > answered).await;
        done.map_err(|error| format!("restart: {is_restart}: {error}"))?;

        let is_same = bare.ufrags.last() == ufrags.last();
        assert_eq!((bare.ufrags.len(), is_same), (ufrags.len() + 1, !is_restart));
        echo(&mut bare, format!("restart: {is_restart}").into()).await?;
    }
    bare.connection.close().await;
    Ok(())
}
