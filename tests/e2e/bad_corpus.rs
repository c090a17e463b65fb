//! Every input of the protocol's fuzz targets, on the wire: what the server reads itself, before
//! or after the protocol does, and what a partner's client reads that gets it relayed.

use std::{fs, path::Path};

use serde_json::json;

use crate::support::{
    bystanders::Bystanders, clients::connect, panics, server::TestServer, wire::Wire,
};

#[tokio::test(flavor = "multi_thread")]
async fn no_event_of_the_corpus_harms_the_server() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let inputs = ["client_message", "server_message"].map(corpus);

    let mut wires = [Wire::v1(&server, "A").await, Wire::v2(&server, "B").await];
    for (number, input) in inputs.iter().flatten().enumerate() {
        let Ok(text) = str::from_utf8(input) else { continue };
        for packet in [format!("42{text}"), format!("427{text}")] {
            let [v1, v2] = &mut wires;
            v1.send(&packet).await;
            v2.send(&packet).await;
            // What is no packet ends the connection.
            if v1.rest_or_end().await.1 {
                *v1 = Wire::v1(&server, &format!("A{number}{}", packet.len())).await;
            }
            // Who leaves is answered nothing any more.
            if text.contains("P2P_LEAVE") || v2.rest_or_end().await.1 {
                *v2 = Wire::v2(&server, &format!("B{number}{}", packet.len())).await;
            }
        }
    }

    drop(wires);
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_frame_of_the_corpus_harms_the_server_or_the_partner() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;

    for (number, input) in corpus("frame").iter().enumerate() {
        let (source, target) = (format!("A{number}"), format!("B{number}"));
        let partner = connect(&server, &target).await;
        let mut wire = Wire::v2(&server, &source).await;
        let pairing = wire.register(&target).await;
        wire.send(r#"451-["P2P_FRAME",{"_placeholder":true,"num":0}]"#).await;
        wire.send_binary(&renamed(input, &pairing)).await;
        if let Ok(text) = str::from_utf8(input) {
            wire.send(&format!(r#"42["P2P_FRAME","{pairing}",{text}]"#)).await;
        }
        wire.rest_or_end().await;
        partner.close().await;
    }

    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_and_no_token_of_the_corpus_harms_the_server() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let inputs = ["resume_token", "client_message"].map(corpus);

    for input in inputs.iter().flatten() {
        let text = String::from_utf8_lossy(input);
        for auth in [
            json!({ "clientId": text }).to_string(),
            json!({ "clientId": "A", "p2p": 2, "resume": text }).to_string(),
            json!({ "clientId": "A", "p2p": text }).to_string(),
            // An auth that is whatever the text is.
            text.clone().into_owned(),
        ] {
            let mut wire = Wire::open(&server, "EIO=4").await;
            wire.send(&format!("40{auth}")).await;
            wire.packet().await;
        }
    }

    bystanders.noticed_nothing(&server).await;
    panics::assert_none();
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/fuzz/corpus").join(target);
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let inputs: Vec<_> = files.collect();
    assert!(!inputs.is_empty(), "no corpus for {target}");
    inputs
}

/// A binary frame of this pairing, if it is one of another.
fn renamed(binary: &[u8], pairing: &str) -> Vec<u8> {
    let [length, rest @ ..] = binary else { return Vec::new() };
    let Some(rest) = rest.get(usize::from(*length)..) else { return binary.to_vec() };
    let mut frame = vec![u8::try_from(pairing.len()).unwrap()];
    frame.extend(pairing.as_bytes());
    frame.extend(rest);
    frame
}
