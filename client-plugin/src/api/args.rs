//! Conversion between Rust values and the arguments of an event, as socketioxide does it: a tuple is
//! several arguments, any other value is one; a value that serialises as bytes becomes a blob, and so does
//! a sequence of `u8`. A newtype is what it holds.

mod bytes;
mod decode;
mod probe;

use serde::{Serialize, de::DeserializeOwned};
use socketio_p2p_protocol::{Args, Code};
use socketioxide_core::{
    Str, Value,
    parser::{Parse as _, is_de_tuple},
};
use socketioxide_parser_common::CommonParser;

use self::{
    bytes::{Blobs, WithBlobs},
    probe::{is_tuple, is_tuple_type},
};

pub(crate) fn encode<T: Serialize + ?Sized>(args: &T) -> Result<Args, ArgsError> {
    let blobs = Blobs::default();
    let args = WithBlobs(args, &blobs);
    let text = if is_tuple(args.0) {
        serde_json::to_string(&args)
    } else {
        serde_json::to_string(&(args,))
    };
    Args::from_text(text.map_err(ArgsError::of)?, blobs.into_inner()).map_err(ArgsError::of)
}

pub(crate) fn decode<T: DeserializeOwned>(args: &Args) -> Result<T, ArgsError> {
    // socketioxide takes a newtype for a tuple.
    if args.blobs().is_empty() && is_tuple_type::<T>() == is_de_tuple::<T>() {
        let mut value = Value::Str(Str::copy_from_slice(args.as_json()), None);
        if let Ok(value) = CommonParser.decode_value(&mut value, false) {
            return Ok(value);
        }
    }
    decode::decode(args).map_err(ArgsError::of)
}

/// The reason for which a value cannot be arguments of an event, or for which arguments do not match a
/// type. Its text names the place, what was found and what was expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct ArgsError(String);

impl ArgsError {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }

    /// Returns the code, as it travels.
    #[must_use]
    pub fn code(&self) -> &'static str {
        Code::BadArgs.as_str()
    }

    /// Returns `false`: the same value and the same type never match.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ::bytes::Bytes;
    use serde::Deserialize;
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
    fn a_newtype_is_what_it_holds() {
        #[derive(Debug, Deserialize, PartialEq, Serialize)]
        struct Celsius(f64);
        #[derive(Debug, Deserialize, PartialEq, Serialize)]
        struct Names(Vec<String>);
        #[derive(Debug, Deserialize, PartialEq, Serialize)]
        struct Reading((String, Celsius));
        #[derive(Debug, Deserialize, PartialEq, Serialize)]
        struct Point(i8, i8);

        fn travels<T>(value: &T, json: &str)
        where
            T: DeserializeOwned + PartialEq + Serialize + std::fmt::Debug,
        {
            let args = encode(value).unwrap();
            assert_eq!(args.as_json(), json);
            assert_eq!(&decode::<T>(&args).unwrap(), value);
        }
        travels(&Celsius(20.5), "[20.5]");
        travels(&Names(vec!["a".to_owned(), "b".to_owned()]), r#"[["a","b"]]"#);
        travels(&Reading(("oven".to_owned(), Celsius(180.0))), r#"["oven",180.0]"#);
        travels(&Point(1, -1), "[1,-1]");
        travels(&vec![Celsius(1.5)], "[[1.5]]");
        travels(&Some(Celsius(1.5)), "[1.5]");
        assert!(decode::<Names>(&Args::from(vec![json!("a"), json!("b")])).is_err());
    }

    #[test]
    fn bytes_are_blobs() {
        let args = encode(&("file", Bytes::from_static(b"\x1e\x00"))).unwrap();

        assert_eq!(args.as_json(), r#"["file",{"_placeholder":true,"num":0}]"#);
        let (name, blob): (String, Bytes) = decode(&args).unwrap();
        assert_eq!((name.as_str(), &blob[..]), ("file", &b"\x1e\x00"[..]));
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct File<B> {
        name: String,
        content: Option<B>,
        pages: BTreeMap<u8, Vec<B>>,
        kind: Kind<B>,
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    enum Kind<B> {
        Plain,
        Signed(B),
        Dated { day: u8, seal: B },
    }

    fn file<B>(bytes: impl Fn(u8) -> B, kind: Kind<B>) -> File<B> {
        let pages = BTreeMap::from([(7, vec![bytes(1), bytes(2)])]);
        File { name: "f".to_owned(), content: Some(bytes(3)), pages, kind }
    }

    fn kinds<B>(bytes: impl Fn(u8) -> B) -> [Kind<B>; 3] {
        [Kind::Plain, Kind::Signed(bytes(8)), Kind::Dated { day: 1, seal: bytes(9) }]
    }

    #[test]
    fn sequences_of_u8_are_blobs_wherever_they_are_and_are_read_as_either_type() {
        let (vec, shared) = (|byte| vec![byte; 3], |byte| Bytes::from(vec![byte; 3]));
        for (of_vec, of_bytes) in kinds(vec).into_iter().zip(kinds(shared)) {
            let (of_vec, of_bytes) = (file(vec, of_vec), file(shared, of_bytes));
            let (a, b) = (encode(&of_vec).unwrap(), encode(&of_bytes).unwrap());

            assert_eq!(a, b, "the same travels");
            assert!(a.blobs().len() >= 3);
            assert_eq!(decode::<File<Vec<u8>>>(&b).unwrap(), of_vec);
            assert_eq!(decode::<File<Bytes>>(&a).unwrap(), of_bytes);
        }
        let slice: &[u8] = &[0; 100_000];
        assert_eq!(encode(slice).unwrap().blobs(), [Bytes::copy_from_slice(slice)]);
        assert_eq!(
            decode::<([u8; 2], String)>(&encode(&(vec(5), "x")).unwrap()).unwrap_err().0,
            "args[0]: invalid length 3, expected 2 elements in sequence"
        );
    }

    #[test]
    fn numbers_stay_numbers() {
        for (args, json) in [
            (encode(&(1_u8, 2_u8)), "[1,2]"),
            (encode(&[[1_u8, 2]]), "[[1,2]]"),
            (encode(&Vec::<u8>::new()), "[[]]"),
            (encode(&vec![1_u16, 2]), "[[1,2]]"),
            (encode(&json!([1, 2, null])), "[[1,2,null]]"),
        ] {
            let args = args.unwrap();
            assert_eq!((args.as_json(), args.blobs().len()), (json, 0));
        }
        // A partner may send numbers for bytes, but not a text.
        let numbers = Args::from(vec![json!([1, 2])]);
        assert_eq!(decode::<Bytes>(&numbers).unwrap(), Bytes::from_static(&[1, 2]));
        assert!(decode::<Bytes>(&Args::from(vec![json!([1, 256])])).is_err());
        assert!(decode::<Bytes>(&Args::from(vec![json!("text")])).is_err());
    }

    #[test]
    fn a_mismatch_names_its_place_and_what_was_expected() {
        let order = json!({ "items": [{ "price": 1 }, { "price": "dear" }] });
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "it is never read")]
        struct Order {
            items: Vec<Item>,
        }
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "it is never read")]
        struct Item {
            price: u32,
        }

        for (args, line) in [
            (
                encode(&("tea", &order)),
                r#"args[1].items[1].price: invalid type: string "dear", expected u32"#,
            ),
            (
                encode(&("tea", &order, Bytes::from_static(b"blob"))),
                r#"args[1].items[1].price: invalid type: string "dear", expected u32"#,
            ),
            (encode(&("tea", json!({}))), "args[1]: missing field `items`"),
            (encode("tea"), "args: invalid length 1, expected a tuple of size 2"),
        ] {
            let error = decode::<(String, Order)>(&args.unwrap()).unwrap_err();
            assert_eq!(error.to_string(), line);
        }
        let none = Args::default();
        assert_eq!(decode::<String>(&none).unwrap_err().to_string(), "args: there is no argument");
    }

    #[test]
    fn a_mismatch_shows_at_most_200_characters_of_the_data() {
        #[derive(Debug, Deserialize)]
        enum Size {
            Small,
        }
        let long = "ä".repeat(100_000);
        let shown = format!("{}…", "ä".repeat(200));

        let number = decode::<u8>(&encode(&long).unwrap()).unwrap_err().to_string();
        assert_eq!(number, format!("args[0]: invalid type: string \"{shown}\", expected u8"));
        let size = decode::<Size>(&encode(&long).unwrap()).unwrap_err().to_string();
        assert_eq!(
            size,
            format!("args[0]: unknown variant `{shown}`, expected one of [\"Small\"]")
        );
        let key = BTreeMap::from([(&long, "no number")]);
        let key = decode::<BTreeMap<String, u8>>(&encode(&key).unwrap()).unwrap_err().to_string();
        assert!(key.starts_with(&format!("args[0].{shown}: ")), "{key}");
        assert!(
            decode::<std::net::IpAddr>(&encode(&long).unwrap()).unwrap_err().to_string().len()
                < 2_000
        );
        assert!(matches!(decode(&encode("Small").unwrap()), Ok(Size::Small)));
    }
}
