//! Arguments as a value of serde: what an adapter hands to its host.

use bytes::Bytes;
use serde_json::json;
use socketio_p2p_protocol::Args;

fn args(text: &str, blobs: &[&'static [u8]]) -> Args {
    let blobs = blobs.iter().map(|blob| Bytes::from_static(blob)).collect();
    Args::from_text(text.to_owned(), blobs).unwrap()
}

#[test]
fn arguments_without_blobs_keep_their_text() {
    let text = r#"[1.0,"é\u00e9",{"b":1,"a":[null]},{"_placeholder":true,"num":0}]"#;

    assert_eq!(serde_json::to_string(&args(text, &[])).unwrap(), text);
    assert_eq!(serde_json::to_string(&Args::default()).unwrap(), "[]");
}

#[test]
fn blobs_stand_where_their_placeholders_stood() {
    let text = r#"[{"file":{"_placeholder":true,"num":1}},[{"_placeholder":true,"num":0}],{"_placeholder":false}]"#;

    let value = serde_json::to_value(args(text, &[b"\x01", b"\x02\x03"])).unwrap();

    assert_eq!(value, json!([{"file": [2, 3]}, [[1]], {"_placeholder": false}]));
}

#[test]
fn a_placeholder_for_no_blob_is_an_error_and_no_panic() {
    for num in ["1", "-1", "1.5", "null", "18446744073709551615", "\"0\""] {
        let text = format!(r#"[{{"_placeholder":true,"num":{num}}}]"#);

        assert!(serde_json::to_string(&args(&text, &[b"x"])).is_err(), "{num}");
    }
}

#[test]
fn arguments_nested_too_deep_to_be_read_are_an_error() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);

    assert!(serde_json::to_string(&args(&deep, &[b"x"])).is_err());
}
