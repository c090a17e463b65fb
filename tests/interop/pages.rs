//! socket.io-client 4.8.4 in a page of headless Chromium.

use serde_json::{Value, json};
use socketio_p2p_harness::Server;
use tokio::process::Command;

use crate::interop::Story;

/// Chromium sends what is longer than about 128 KiB in several frames.
#[tokio::test]
async fn a_page_is_told_what_is_too_long_and_keeps_its_pairing() -> Story {
    let server = Server::start().await?;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/interop");
    let sizes = [1_000, 250_000, 400_000, 700_000, 3_000_000, 2_000];
    let mut command = Command::new("node");
    command.current_dir(folder).arg("long-messages.mjs").arg(server.url());
    command.args(sizes.map(|size| size.to_string())).kill_on_drop(true);

    let output = command.output().await?;

    let errors = String::from_utf8_lossy(&output.stderr);
    let heard: Value = serde_json::from_slice(&output.stdout).map_err(|_| errors.into_owned())?;
    let refused = json!("too-large");
    let expected = sizes.map(|size| if size < 262_144 { json!(size) } else { refused.clone() });
    let twice: Vec<_> = expected.iter().flat_map(|answer| [answer, answer]).collect();
    assert_eq!(heard, json!(twice));
    Ok(())
}
