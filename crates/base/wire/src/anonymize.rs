//! Presidio's `POST /anonymize`: a text, where its values stand, and what is to stand there instead. Nothing is looked for.
//!
//! What cannot be done as asked is refused: a value that stays where its caller counts on another thing in its place is a leak.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde_json::json;

use crate::{
    Limits, WireError,
    json::{Doc, Kind, Value},
};

/// A request.
#[derive(Clone, Debug)]
pub struct Anonymize {
    text: String,
    /// In order, none reaching into another; bytes of the text.
    spans: Vec<Span>,
    operators: BTreeMap<String, Operator>,
    most: usize,
}

/// How a value is hashed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

#[derive(Clone, Debug)]
struct Span {
    entity: String,
    start: usize,
    end: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Operator {
    Replace(Option<String>),
    Redact,
    Mask { with: char, most: usize, from_end: bool },
    Hash { by: Hash, salt: Option<String> },
    Keep,
}

impl Anonymize {
    /// Reads a request.
    ///
    /// # Errors
    /// When the body is too large or too involved, is not strict JSON, lacks what is needed, or asks for what is not done.
    pub fn read(body: &Bytes, limits: &Limits) -> Result<Self, WireError> {
        if body.len() > limits.body {
            return Err(WireError::TooLarge { what: "body", limit: limits.body });
        }
        let doc = Doc::read(body, limits)?;
        let root = doc.root();
        let Some(text) = root.get("text").and_then(Value::as_str) else {
            return bad("text", "is missing or is not a string");
        };
        let operators = match root.get("anonymizers").filter(|value| value.kind() != Kind::Null) {
            None => BTreeMap::new(),
            Some(value) if value.kind() == Kind::Object => {
                value.members().map(|(name, value)| operator(name, value)).collect::<Result<_, _>>()?
            }
            Some(_) => return bad("anonymizers", "is not an object"),
        };
        let Some(results) = root.get("analyzer_results").filter(|value| value.kind() == Kind::Array) else {
            return bad("analyzer_results", "is missing or is not an array");
        };
        let spans = spans(&text, results)?;
        Ok(Self { text: text.into_owned(), spans, operators, most: limits.body })
    }

    /// The text with everything in its place, and what stands where. `hash` hashes parts that follow one another and gives hexadecimal
    /// digits; `salt` is random, for values whose caller gave none.
    ///
    /// # Errors
    /// When the answer would be larger than a body may be.
    pub fn answer(&self, salt: &str, hash: impl Fn(Hash, &[&str]) -> String) -> Result<Bytes, WireError> {
        let (mut out, mut chars, mut at) = (String::with_capacity(self.text.len()), 0, 0);
        let mut items = Vec::with_capacity(self.spans.len());
        for span in &self.spans {
            let before = self.text.get(at..span.start).unwrap_or_default();
            let value = self.text.get(span.start..span.end).unwrap_or_default();
            at = span.end;
            let operator = self.operators.get(&span.entity).or_else(|| self.operators.get("DEFAULT"));
            let operator = operator.unwrap_or(&Operator::Replace(None));
            let with = operator.put(&span.entity, value, salt, &hash);
            out.push_str(before);
            let start = chars + before.chars().count();
            chars = start + with.chars().count();
            out.push_str(&with);
            if out.len() > self.most {
                return Err(WireError::TooLarge { what: "anonymised text", limit: self.most });
            }
            if *operator != Operator::Keep {
                items.push(json!({
                    "start": start, "end": chars, "entity_type": span.entity, "text": with, "operator": operator.name(),
                }));
            }
        }
        out.push_str(self.text.get(at..).unwrap_or_default());
        // Theirs come last first.
        items.reverse();
        Ok(json!({ "text": out, "items": items }).to_string().into())
    }
}

/// The names under which values are told by the analyzer, sorted.
#[must_use]
pub fn entities() -> Bytes {
    crate::inspect::entities().to_string().into()
}

impl Operator {
    const fn name(&self) -> &'static str {
        match self {
            Self::Replace(_) => "replace",
            Self::Redact => "redact",
            Self::Mask { .. } => "mask",
            Self::Hash { .. } => "hash",
            Self::Keep => "keep",
        }
    }

    fn put(&self, entity: &str, value: &str, random: &str, hash: impl Fn(Hash, &[&str]) -> String) -> String {
        match self {
            Self::Replace(Some(with)) => with.clone(),
            Self::Replace(None) => format!("<{entity}>"),
            Self::Redact => String::new(),
            Self::Mask { with, most, from_end } => {
                let count = value.chars().count();
                let masked = count.min(*most);
                let hidden = if *from_end { count - masked..count } else { 0..masked };
                value.chars().enumerate().map(|(i, c)| if hidden.contains(&i) { *with } else { c }).collect()
            }
            Self::Hash { by, salt } => hash(*by, &[salt.as_deref().unwrap_or(random), value]),
            Self::Keep => value.to_owned(),
        }
    }
}

fn operator(name: Value<'_>, value: Value<'_>) -> Result<(String, Operator), WireError> {
    let at = |field: &str| format!("anonymizers.*.{field}");
    let given = |field: &str| value.get(field).filter(|value| value.kind() != Kind::Null);
    let string = |field: &'static str| match given(field) {
        None => Ok(None),
        Some(value) => match value.as_str() {
            Some(text) => Ok(Some(text.into_owned())),
            None => bad(at(field), "is not a string"),
        },
    };
    let operator = match value.get("type").and_then(Value::as_str).as_deref() {
        Some("replace") => Operator::Replace(string("new_value")?.filter(|with| !with.is_empty())),
        Some("redact") => Operator::Redact,
        Some("keep") => Operator::Keep,
        Some("mask") => {
            let character = string("masking_char")?.unwrap_or_default();
            let mut chars = character.chars();
            let (Some(with), None) = (chars.next(), chars.next()) else {
                return bad(at("masking_char"), "is not one character");
            };
            let Some(most) = given("chars_to_mask").and_then(Value::as_u64) else {
                return bad(at("chars_to_mask"), "is missing or is no whole number");
            };
            let from_end = match given("from_end").map(Value::kind) {
                Some(Kind::True) => true,
                Some(Kind::False) | None => false,
                Some(_) => return bad(at("from_end"), "is neither true nor false"),
            };
            Operator::Mask { with, most: usize::try_from(most).unwrap_or(usize::MAX), from_end }
        }
        Some("hash") => {
            let by = match string("hash_type")?.as_deref() {
                None | Some("sha256") => Hash::Sha256,
                Some("sha512") => Hash::Sha512,
                Some(_) => return bad(at("hash_type"), "is neither `sha256` nor `sha512`"),
            };
            Operator::Hash { by, salt: string("salt")? }
        }
        Some("encrypt") => return bad(at("type"), "is `encrypt`, which is not done with a caller's key"),
        _ => return bad(at("type"), "is none of `replace`, `redact`, `mask`, `hash` and `keep`"),
    };
    Ok((name.as_str().unwrap_or_default().into_owned(), operator))
}

/// The places in order. Where one reaches into another, the one that begins first, and of two the longer one, has the text they share.
fn spans(text: &str, results: Value<'_>) -> Result<Vec<Span>, WireError> {
    let mut asked = Vec::new();
    for (i, result) in results.items().enumerate() {
        let number = |field: &'static str| {
            let number = result.get(field).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            number.map_or_else(|| bad(format!("analyzer_results[{i}].{field}"), "is missing or is no whole number"), Ok)
        };
        let (start, end) = (number("start")?, number("end")?);
        let Some(entity) = result.get("entity_type").and_then(Value::as_str).filter(|entity| entity.len() <= NAME)
        else {
            return bad(format!("analyzer_results[{i}].entity_type"), "is missing or is not a short string");
        };
        if start > end {
            return bad(format!("analyzer_results[{i}]"), "ends before it begins");
        }
        asked.push((start, end, entity.into_owned()));
    }
    let bytes = bytes(text, asked.iter().flat_map(|(start, end, _)| [*start, *end]).collect());
    asked.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
    let (mut out, mut reached) = (Vec::with_capacity(asked.len()), 0);
    for (start, end, entity) in asked {
        let (Some(start), Some(end)) = (bytes.get(&start), bytes.get(&end)) else {
            return bad("analyzer_results", "holds a place past the end of the text");
        };
        let start = reached.max(*start);
        if start < *end {
            reached = *end;
            out.push(Span { entity, start, end: *end });
        }
    }
    Ok(out)
}

/// The byte at which each of the characters `places` begins; none for what is past the end.
fn bytes(text: &str, mut places: Vec<usize>) -> HashMap<usize, usize> {
    places.sort_unstable();
    places.dedup();
    let mut out = HashMap::with_capacity(places.len());
    let mut places = places.into_iter().peekable();
    for (chars, at) in text.char_indices().map(|(at, _)| at).chain([text.len()]).enumerate() {
        if places.next_if_eq(&chars).is_some() {
            out.insert(chars, at);
        }
    }
    out
}

fn bad<T>(path: impl Into<String>, what: &'static str) -> Result<T, WireError> {
    Err(WireError::Field { path: path.into(), what })
}

/// Bytes of a type's name: it is repeated for each value.
const NAME: usize = 64;

#[cfg(test)]
mod tests;
