//! The examples that serve a page, through their main stories in headless Chromium, which leave screenshots in
//! `target/screenshots`.

use std::path::Path;

use socketio_p2p_harness::Program;
use tokio::process::Command;

use crate::interop::{Failed, Story};

#[tokio::test]
async fn a_bot_serves_one_visitor_and_the_others_wait_in_line() -> Story {
    run("bot-page.mjs", &Program::example("bot", "SOCKETIO_P2P_BOT")?).await
}

#[tokio::test]
async fn a_remote_control_loses_no_command_to_the_network_the_server_or_a_reload() -> Story {
    run("remote-page.mjs", &Program::example("remote", "SOCKETIO_P2P_REMOTE")?).await
}

/// Runs a story with an example, which the story starts.
async fn run(story: &str, example: &Program) -> Result<(), Failed> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let screenshots = tests.join("../target/screenshots");
    std::fs::create_dir_all(&screenshots)?;
    let mut node = Command::new("node");
    node.current_dir(tests.join("interop")).kill_on_drop(true);
    node.arg(story).arg(example.path()).arg(screenshots);

    let output = node.output().await?;

    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{story}: {}\n{said}", output.status).into());
    }
    Ok(())
}
