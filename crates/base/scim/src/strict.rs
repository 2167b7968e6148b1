//! JSON in which no object has two members of one name.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::Fault;

/// Reads a body.
///
/// # Errors
/// [`Fault::Syntax`] when it is not JSON, nests more than 128 deep, or names a member twice, in whatever case: names of attributes
/// are the same in every case.
pub fn read(body: &[u8]) -> Result<Value, Fault> {
    let Strict(value) = serde_json::from_slice(body).map_err(|_| Fault::Syntax("a member twice, or no JSON"))?;
    Ok(value)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        let mut all = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Strict(all.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
        let mut all = Map::new();
        let mut names = std::collections::BTreeSet::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(A::Error::custom("a member twice"));
            }
            all.insert(name, value);
        }
        Ok(Strict(all.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_twice_is_refused_in_any_case() {
        assert!(read(br#"{"a": [1, {"b": null, "c": 1.5}], "d": -1, "e": true}"#).is_ok());
        for bad in
            [&br#"{"active": true, "ACTIVE": false}"#[..], br#"{"a": {"b": 1, "b": 1}}"#, b"", b"{", b"{} {}", b"\xff"]
        {
            assert!(read(bad).is_err());
        }
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }
}
