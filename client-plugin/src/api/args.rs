//! Conversion between Rust values and the arguments of an event, as socketioxide does it: a tuple is
//! several arguments, any other value is one; a value that serialises as bytes becomes a blob.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Error;
use socketio_p2p_protocol::{Args, FrameError};
use socketioxide_core::{
    Str, Value,
    parser::{Parse as _, ParserError},
};
use socketioxide_parser_common::CommonParser;

pub(crate) fn encode<T: Serialize + ?Sized>(args: &T) -> Result<Args, ArgsError> {
    match CommonParser.encode_value(args, None).map_err(ArgsError::Value)? {
        Value::Str(text, blobs) => {
            let blobs = blobs.map_or_else(Vec::new, Vec::from);
            Args::from_text(text.into(), blobs).map_err(|error| match error {
                FrameError::Json(error) => ArgsError::Json(error),
                _ => ArgsError::Json(serde::ser::Error::custom("not an array")),
            })
        }
        Value::Bytes(_) => Ok(Args::default()), // Another parser makes this.
    }
}

pub(crate) fn decode<T: DeserializeOwned>(args: &Args) -> Result<T, ArgsError> {
    let blobs = (!args.blobs().is_empty()).then(|| args.blobs().to_vec().into());
    let mut value = Value::Str(Str::copy_from_slice(args.as_json()), blobs);
    CommonParser.decode_value(&mut value, false).map_err(ArgsError::Value)
}

/// The reason for which a value does not fit the arguments of an event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArgsError {
    /// The value cannot be serialised, or the arguments have another shape.
    #[error("{0}")]
    Value(ParserError),
    /// The serialised value is not JSON.
    #[error("not valid JSON: {0}")]
    Json(Error),
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tuple_is_several_arguments_and_anything_else_is_one() {
        assert_eq!(encode(&(1, "b", json!({ "c": 3 }))).unwrap().as_json(), r#"[1,"b",{"c":3}]"#);
        assert_eq!(encode("hi").unwrap().as_json(), r#"["hi"]"#);
        assert_eq!(encode(&vec![1, 2]).unwrap().as_json(), "[[1,2]]");
        assert_eq!(encode(&json!([1, 2])).unwrap().as_json(), "[[1,2]]");
    }

    #[test]
    fn bytes_are_blobs() {
        let args = encode(&("file", Bytes::from_static(b"\x1e\x00"))).unwrap();

        assert_eq!(args.as_json(), r#"["file",{"_placeholder":true,"num":0}]"#);
        let (name, blob): (String, Bytes) = decode(&args).unwrap();
        assert_eq!((name.as_str(), &blob[..]), ("file", &b"\x1e\x00"[..]));
    }
}
