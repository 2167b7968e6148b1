//! Content reduced to leaves: every piece of text in a message, where it stands, in which channel and how far it is trusted.
//!
//! A [`Document`] is a message body, or one event of a stream, as the bytes that arrived plus the places of its strings.
//! Guards see only [`Leaf`]s. Edits are spliced back in place, so that everything else stays byte for byte what it was.

use std::{borrow::Cow, ops::Range};

use bytes::{Bytes, BytesMut};

use crate::spotlight::Gap;

/// Which voice a piece of text speaks in.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Channel {
    /// The operator's instructions to the model.
    System,
    /// What a person or program asks.
    User,
    /// What the model says.
    Assistant,
    /// What a tool returned, and documents handed in.
    ToolResult,
    /// What the model passes to a tool.
    ToolArguments,
    /// What the model shows of its reasoning.
    Reasoning,
    /// Any other string: tool definitions, metadata, fields we do not know.
    Other,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 7] = [
        Self::System,
        Self::User,
        Self::Assistant,
        Self::ToolResult,
        Self::ToolArguments,
        Self::Reasoning,
        Self::Other,
    ];

    /// The name used in configuration and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::ToolResult => "tool-result",
            Self::ToolArguments => "tool-arguments",
            Self::Reasoning => "reasoning",
            Self::Other => "other",
        }
    }
}

/// How far the source of a piece of text is trusted. Nothing is trusted wholly.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Trust {
    /// Written by nobody we know: documents, pages, tool results.
    Untrusted,
    /// Written by a model.
    Model,
    /// Written by the authenticated caller.
    Caller,
    /// Written by whoever runs the application (system prompts, tool definitions).
    Operator,
}

/// What stands at a slot, which decides how an edit is written back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SlotKind {
    /// The inside of a JSON string: the span excludes the quotes and holds escapes.
    Text,
    /// The inside of a JSON object's key.
    Key,
    /// A JSON number long enough to hide something; an edit replaces it whole by a string.
    Number,
}

/// The place of one leaf in a document's bytes.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Bytes of the leaf in the document, as it stands there (escapes and all).
    pub span: Range<usize>,
    /// The text where it differs from the bytes in the span (the string holds escapes).
    pub decoded: Option<Box<str>>,
    /// What stands there.
    pub kind: SlotKind,
    /// Which voice it speaks in.
    pub channel: Channel,
    /// How far it is trusted.
    pub trust: Trust,
    /// In a stream: `Some(n)` when this text continues the growing leaf `n` (one for each choice and channel);
    /// `None` when it stands for itself, as everything in a whole message does.
    pub grows: Option<u32>,
    /// In an answer: the call of a tool that it is a part of.
    pub call: Option<InCall>,
}

/// A piece of text's part in a call of a tool.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct InCall {
    /// Which call: the same number for all that belongs together, in one message or over the events of one stream.
    pub call: u32,
    /// Whether it is the tool's name, or a piece of it. Everything else is an argument.
    pub is_name: bool,
}

/// A message body or one event of a stream: its bytes and the places of its leaves, in order, without overlap.
#[derive(Clone, Debug, Default)]
pub struct Document {
    bytes: Bytes,
    slots: Vec<Slot>,
}

/// One piece of text as a guard sees it.
#[derive(Clone, Debug)]
pub struct Leaf<'a> {
    /// The text, escapes resolved.
    pub text: &'a str,
    /// Which voice it speaks in.
    pub channel: Channel,
    /// How far it is trusted.
    pub trust: Trust,
    /// In a stream, the growing leaf it continues.
    pub grows: Option<u32>,
}

/// A change to one leaf.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edit {
    /// Index of the leaf.
    pub leaf: usize,
    /// Bytes of the leaf's text to replace.
    pub span: Range<usize>,
    /// What to put there.
    pub with: String,
}

/// A document or an edit does not hold together; a defect in a codec or a detector, never the caller's fault.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct BadContent {
    what: &'static str,
}

impl Document {
    /// Puts a document together.
    ///
    /// # Errors
    /// When slots are out of order, overlap, leave the bytes or do not hold UTF-8.
    pub fn new(bytes: Bytes, slots: Vec<Slot>) -> Result<Self, BadContent> {
        let mut end = 0;
        for slot in &slots {
            if slot.span.start < end || slot.span.end < slot.span.start || slot.span.end > bytes.len() {
                return Err(BadContent { what: "a slot is out of order or out of bounds" });
            }
            end = slot.span.end;
            if slot.decoded.is_none() && std::str::from_utf8(&bytes[slot.span.clone()]).is_err() {
                return Err(BadContent { what: "a slot does not hold UTF-8" });
            }
        }
        Ok(Self { bytes, slots })
    }

    /// One text that stands for itself.
    #[must_use]
    pub fn of_text(text: impl Into<String>, channel: Channel, trust: Trust) -> Self {
        let bytes = Bytes::from(text.into());
        let (span, kind) = (0..bytes.len(), SlotKind::Text);
        Self { bytes, slots: vec![Slot { span, decoded: None, kind, channel, trust, grows: None, call: None }] }
    }

    /// The bytes as they arrived.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The places of the leaves.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The text of leaf `index`; empty when there is none.
    #[must_use]
    pub fn text(&self, index: usize) -> &str {
        self.slots.get(index).map_or("", |slot| match &slot.decoded {
            Some(text) => text,
            // Checked by `new`; a second look is cheaper than unsafe code is dear.
            None => std::str::from_utf8(&self.bytes[slot.span.clone()]).unwrap_or_default(),
        })
    }

    /// The leaves, in order; indices agree with [`Edit::leaf`].
    pub fn leaves(&self) -> impl ExactSizeIterator<Item = Leaf<'_>> {
        self.slots.iter().enumerate().map(|(i, slot)| Leaf {
            text: self.text(i),
            channel: slot.channel,
            trust: slot.trust,
            grows: slot.grows,
        })
    }

    /// The bytes with `edits` made (any order, no two may overlap).
    ///
    /// # Errors
    /// When an edit names no leaf, leaves its text, cuts a character or overlaps another.
    pub fn edited(&self, edits: &[Edit]) -> Result<Bytes, BadContent> {
        self.edited_with(edits, None)
    }

    /// As [`Document::edited`], and with a text in a gap between the leaves.
    ///
    /// # Errors
    /// As [`Document::edited`], and when the gap is within a leaf that is edited or out of bounds.
    pub fn edited_with(&self, edits: &[Edit], said: Option<(&Gap, &str)>) -> Result<Bytes, BadContent> {
        if edits.is_empty() && said.is_none() {
            return Ok(self.bytes.clone());
        }
        let mut sorted: Vec<&Edit> = edits.iter().collect();
        sorted.sort_by_key(|e| (e.leaf, e.span.start));
        let mut out = BytesMut::with_capacity(self.bytes.len() + 64);
        let mut done = 0;
        let mut rest = sorted.as_slice();
        let mut said = said;
        let mut keep = |out: &mut BytesMut, done: usize, to: usize| {
            let Some((gap, text)) = said.take_if(|(gap, _)| gap.at.end <= to) else {
                return self.copy(done..to, out);
            };
            self.copy(done..gap.at.start, out)?;
            out.extend_from_slice(gap.before.as_bytes());
            escape_json(text, out);
            out.extend_from_slice(gap.after.as_bytes());
            self.copy(gap.at.end..to, out)
        };
        while let Some(first) = rest.first() {
            let (mine, later) = rest.split_at(rest.iter().take_while(|e| e.leaf == first.leaf).count());
            rest = later;
            let slot = self.slots.get(first.leaf).ok_or(BadContent { what: "an edit names no leaf" })?;
            let text = splice(self.text(first.leaf), mine)?;
            keep(&mut out, done, slot.span.start)?;
            let quoted = slot.kind == SlotKind::Number;
            if quoted {
                out.extend_from_slice(b"\"");
            }
            escape_json(&text, &mut out);
            if quoted {
                out.extend_from_slice(b"\"");
            }
            done = slot.span.end;
        }
        keep(&mut out, done, self.bytes.len())?;
        if said.is_some() {
            return Err(BadContent { what: "a gap is out of bounds" });
        }
        Ok(out.freeze())
    }

    /// The same message without some characters, in any of its leaves; none where there are none of them.
    #[must_use]
    pub fn without(&self, unwanted: &[char]) -> Option<Self> {
        let holds = |slot: &Slot, text: &str| slot.kind != SlotKind::Number && text.contains(unwanted);
        if !self.slots.iter().enumerate().any(|(index, slot)| holds(slot, self.text(index))) {
            return None;
        }
        let mut out = BytesMut::with_capacity(self.bytes.len());
        let mut slots = Vec::with_capacity(self.slots.len());
        let mut done = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            let text = self.text(index);
            out.extend_from_slice(&self.bytes[done..slot.span.start]);
            done = slot.span.end;
            let start = out.len();
            let mut decoded = slot.decoded.clone();
            if holds(slot, text) {
                let rest = text.replace(unwanted, "");
                escape_json(&rest, &mut out);
                decoded = Some(rest.into());
            } else {
                out.extend_from_slice(&self.bytes[slot.span.clone()]);
            }
            slots.push(Slot { span: start..out.len(), decoded, ..slot.clone() });
        }
        out.extend_from_slice(&self.bytes[done..]);
        Some(Self { bytes: out.freeze(), slots })
    }

    /// Copies bytes as they are.
    fn copy(&self, range: Range<usize>, out: &mut BytesMut) -> Result<(), BadContent> {
        let bytes = self.bytes.get(range).ok_or(BadContent { what: "a gap is within a leaf or out of bounds" })?;
        out.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends `text` as the inside of a JSON string (RFC 8259, section 7), without the quotes.
pub fn escape_json(text: &str, out: &mut BytesMut) {
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if u32::from(c) < 0x20 => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// `text` with the edits of one leaf made; they are sorted by start.
fn splice<'a>(text: &'a str, edits: &[&Edit]) -> Result<Cow<'a, str>, BadContent> {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        let kept =
            text.get(done..edit.span.start).ok_or(BadContent { what: "an edit overlaps or cuts a character" })?;
        if text.get(edit.span.clone()).is_none() {
            return Err(BadContent { what: "an edit leaves its text or cuts a character" });
        }
        out.push_str(kept);
        out.push_str(&edit.with);
        done = edit.span.end;
    }
    out.push_str(&text[done..]);
    Ok(Cow::Owned(out))
}

#[cfg(test)]
mod tests;
