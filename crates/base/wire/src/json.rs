//! A strict JSON reader: bytes in, a flat tape of values with their places out.
//!
//! It answers parser differentials: whatever two readers could take differently (duplicate members, lone surrogates,
//! invalid UTF-8, a byte order mark, control characters, trailing bytes) is refused, so that what the guards read is what the
//! provider reads. It does not recurse, and copies nothing but strings that hold escapes, when they are asked for.

mod scan;
pub(crate) mod text;

use std::{borrow::Cow, ops::Range};

use crate::{Limits, WireError};

/// Levels of nesting no limit can raise; walks over values may recurse this deep.
pub const DEPTH: usize = 256;

/// A JSON text and the places of its values.
#[derive(Debug)]
pub struct Doc<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

/// One value of a [`Doc`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'d> {
    doc: &'d Doc<'d>,
    at: usize,
}

/// The name of one member of an object.
pub type Name<'d> = Value<'d>;

/// What a value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A value on the tape. An object's children alternate between name and value.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Bytes of the value; of a string, what is between the quotes.
    start: u32,
    end: u32,
    /// Index of the first node that is not within this one.
    next: u32,
    kind: Kind,
    /// A string that holds escapes.
    escaped: bool,
}

impl<'a> Doc<'a> {
    /// Reads one JSON text.
    ///
    /// # Errors
    /// When the bytes are not strict JSON or pass a limit (`limits.depth` and `limits.nodes`; the caller checks sizes).
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, WireError> {
        let text = std::str::from_utf8(bytes).map_err(|e| WireError::Utf8 { at: e.valid_up_to() })?;
        Self::read_str(text, limits)
    }

    /// Reads one JSON text that is known to be UTF-8.
    ///
    /// # Errors
    /// As [`Doc::read`].
    pub fn read_str(text: &'a str, limits: &Limits) -> Result<Self, WireError> {
        // Places are 32-bit.
        if u32::try_from(text.len()).is_err() {
            return Err(WireError::TooLarge { what: "JSON text", limit: u32::MAX as usize });
        }
        Ok(Self { text, nodes: scan::scan(text, limits)? })
    }

    /// The outermost value.
    #[must_use]
    pub const fn root(&self) -> Value<'_> {
        // The scanner leaves at least one node or fails.
        Value { doc: self, at: 0 }
    }

    fn node(&self, at: usize) -> Node {
        const NULL: Node = Node { start: 0, end: 0, next: u32::MAX, kind: Kind::Null, escaped: false };
        self.nodes.get(at).copied().unwrap_or(NULL)
    }
}

impl<'d> Value<'d> {
    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.doc.node(self.at).kind
    }

    /// Its bytes in the text; of a string, what is between the quotes.
    #[must_use]
    pub fn span(self) -> Range<usize> {
        let node = self.doc.node(self.at);
        node.start as usize..node.end as usize
    }

    /// The text of its span, escapes and all.
    #[must_use]
    pub fn raw(self) -> &'d str {
        self.doc.text.get(self.span()).unwrap_or_default()
    }

    /// Whether it is a string that holds escapes.
    #[must_use]
    pub fn escaped(self) -> bool {
        self.doc.node(self.at).escaped
    }

    /// The string it is, escapes resolved.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'d, str>> {
        (self.kind() == Kind::String).then(|| match self.escaped() {
            true => Cow::Owned(text::unescape(self.raw())),
            false => Cow::Borrowed(self.raw()),
        })
    }

    /// The whole number it is, written plainly (no sign, fraction or exponent).
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        (self.kind() == Kind::Number).then(|| self.raw().parse().ok()).flatten()
    }

    /// The member of that name; none when this is no object.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'d>> {
        self.members().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }

    /// Whether it is the string `text`.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        match self.escaped() {
            true => text::unescape(self.raw()) == text,
            false => self.kind() == Kind::String && self.raw() == text,
        }
    }

    /// The members, in order; none when this is no object.
    pub fn members(self) -> impl Iterator<Item = (Name<'d>, Value<'d>)> {
        let node = self.doc.node(self.at);
        let mut at = self.at + 1;
        let end = if node.kind == Kind::Object { node.next as usize } else { 0 };
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let (name, value) = (Value { doc: self.doc, at }, Value { doc: self.doc, at: at + 1 });
                at = self.doc.node(at + 1).next as usize;
                (name, value)
            })
        })
    }

    /// The elements, in order; none when this is no array.
    pub fn items(self) -> impl Iterator<Item = Value<'d>> {
        let node = self.doc.node(self.at);
        let mut at = self.at + 1;
        let end = if node.kind == Kind::Array { node.next as usize } else { 0 };
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let value = Value { doc: self.doc, at };
                at = self.doc.node(at).next as usize;
                value
            })
        })
    }
}

#[cfg(test)]
mod tests;
