//! Reading the fields of a line.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The fields of a JSON object.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn new(fields: &'a Map<String, Value>) -> Self {
        Self(fields)
    }

    fn needed(&self, name: &str) -> Result<&'a Value, String> {
        self.0.get(name).ok_or_else(|| format!("no field {name:?}"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, String> {
        self.needed(name)?.as_str().ok_or_else(|| format!("{name:?} is not a string"))
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, String> {
        self.needed(name)?.as_u64().ok_or_else(|| format!("{name:?} is not a number"))
    }

    pub(super) fn array(&self, name: &str) -> Result<&'a Vec<Value>, String> {
        self.needed(name)?.as_array().ok_or_else(|| format!("{name:?} is not an array"))
    }

    pub(super) fn object(&self, name: &str) -> Result<&'a Map<String, Value>, String> {
        self.needed(name)?.as_object().ok_or_else(|| format!("{name:?} is not an object"))
    }

    /// Returns a field of a type that serde reads.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        let value = self.needed(name)?.clone();
        serde_json::from_value(value).map_err(|error| format!("{name:?}: {error}"))
    }

    /// Returns a field of a type that serde reads, or `None` if there is none.
    pub(super) fn read_some<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        if self.has(name) { self.read(name).map(Some) } else { Ok(None) }
    }
}
