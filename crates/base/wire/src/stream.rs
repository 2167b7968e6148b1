//! Streamed answers: bytes in, one document for each event out.
//!
//! Text that continues the text of an earlier event carries the number of its growing leaf, so that a secret cut over many
//! events stands in one text again. Events of one shape are read by comparison with the last one ([`template`]).

mod template;

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;
use countersign_core::{Channel, Document, Format, Slot, SlotKind, Trust};

use crate::{
    Limits, Usage, WireError,
    json::{Doc, Kind, Value},
    sse::{self, FieldName, Splitter},
    walk::{Growth, Walk},
    words::word,
};
use template::Template;

/// One event of a stream.
#[derive(Clone, Debug)]
pub struct Event {
    /// The event's bytes as they arrived, its empty line included, and its leaves.
    pub document: Document,
    /// What the provider has counted so far, when this event tells something of it.
    pub usage: Option<Usage>,
    /// Whether the event ends the answer: its end mark, or an error.
    pub terminal: bool,
    /// Whether it holds probabilities of tokens, which repeat the text where an edit does not reach.
    pub logprobs: bool,
}

/// Reads a stream.
#[derive(Debug)]
pub struct Events {
    format: Format,
    limits: Limits,
    splitter: Splitter,
    growth: Growth,
    template: Option<Template>,
    usage: Usage,
    first: bool,
    terminal: bool,
    failed: Option<WireError>,
}

impl Events {
    /// Begins to read a stream of that format.
    #[must_use]
    pub fn new(format: Format, limits: Limits) -> Self {
        Self {
            format,
            limits,
            splitter: Splitter::new(limits.event),
            growth: Growth::default(),
            template: None,
            usage: Usage::default(),
            first: true,
            terminal: false,
            failed: None,
        }
    }

    /// Takes in what arrived.
    pub fn push(&mut self, chunk: Bytes) {
        self.splitter.push(chunk);
    }

    /// The next event; none when more bytes are needed. The documents' bytes together are the stream.
    ///
    /// # Errors
    /// When the stream is not what the format promises; from then on always.
    pub fn next_event(&mut self) -> Result<Option<Event>, WireError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let event = self.splitter.next_event().and_then(|raw| raw.map(|raw| self.event(raw)).transpose());
        if let Err(error) = &event {
            self.failed = Some(error.clone());
        }
        event
    }

    /// Tells that the stream is over.
    ///
    /// # Errors
    /// When it ended inside an event or before the event that ends an answer.
    pub fn finish(&mut self) -> Result<(), WireError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if !self.splitter.is_empty() {
            return Err(WireError::Stream { what: "ended inside an event" });
        }
        if self.terminal { Ok(()) } else { Err(WireError::Stream { what: "ended before its last event" }) }
    }

    fn event(&mut self, raw: Bytes) -> Result<Event, WireError> {
        if let Some(template) = &self.template
            && let Some(document) = template.read(&raw)?
        {
            return Ok(Event { document, usage: None, terminal: false, logprobs: false });
        }
        self.read(raw)
    }

    /// Reads an event in full.
    fn read(&mut self, raw: Bytes) -> Result<Event, WireError> {
        let text = std::str::from_utf8(&raw).map_err(|e| WireError::Utf8 { at: e.valid_up_to() })?;
        let first = std::mem::take(&mut self.first);
        let mut lines = Lines::of(text, first);
        let payload = lines.payload(text);
        let mut slots = std::mem::take(&mut lines.slots);
        let mut holes = Vec::new();
        let (mut usage, mut terminal, mut logprobs) = (None, false, false);
        if &*payload == "[DONE]" {
            terminal = matches!(self.format, Format::Chat | Format::Completions);
        } else if !payload.is_empty() {
            let doc = Doc::read_str(&payload, &self.limits)?;
            let root = doc.root();
            if root.kind() != Kind::Object {
                return Err(WireError::Stream { what: "holds an event that is not an object" });
            }
            let kind = kind(self.format, root, lines.name)?;
            let walk = Walk::event(self.format, &kind, root, &mut self.growth)?;
            usage = [root, root.get("message").unwrap_or(root), root.get("response").unwrap_or(root)]
                .into_iter()
                .find_map(|holder| self.usage.updated(holder.get("usage")?));
            terminal = ends(self.format, &kind, root);
            logprobs = walk.logprobs;
            let alone = slots.is_empty() && lines.data.len() == 1;
            let found = walk.slots.into_iter();
            slots.extend(found.map(|slot| Slot { span: lines.place(slot.span), ..slot }));
            if alone {
                holes = walk.holes;
            } else {
                slots.sort_by_key(|slot| slot.span.start);
            }
        }
        let shift = lines.data.first().map_or(0, |line| line.start);
        self.usage = usage.unwrap_or(self.usage);
        self.terminal |= terminal;
        let plain = usage.is_none() && !terminal && !logprobs && !first;
        self.template = if plain { Template::new(raw.clone(), &slots, &holes, shift) } else { None };
        let document = crate::document(raw.clone(), slots)?;
        Ok(Event { document, usage, terminal, logprobs })
    }
}

/// The lines of an event, taken apart.
struct Lines<'a> {
    name: Option<&'a str>,
    /// Where the lines of the data stand.
    data: Vec<Range<usize>>,
    /// Text outside the data, which reaches the caller as well.
    slots: Vec<Slot>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str, first: bool) -> Self {
        let mut lines = Self { name: None, data: Vec::with_capacity(1), slots: Vec::new() };
        for field in sse::fields(text.as_bytes(), first) {
            let value = text.get(field.value.clone()).unwrap_or_default();
            let harmless = match field.name {
                FieldName::Data => {
                    lines.data.push(field.value);
                    continue;
                }
                FieldName::Event => {
                    // Readers take the last.
                    lines.name = Some(value);
                    word(value).is_some()
                }
                FieldName::Retry => value.len() <= 8 && value.bytes().all(|b| b.is_ascii_digit()),
                FieldName::Id | FieldName::Ignored => value.is_empty(),
            };
            if !harmless {
                lines.slots.push(Slot {
                    span: field.value,
                    decoded: None,
                    kind: SlotKind::Text,
                    channel: Channel::Other,
                    trust: Trust::Model,
                    grows: None,
                    call: None,
                });
            }
        }
        lines
    }

    /// The data: the lines joined by line feeds.
    fn payload(&self, text: &'a str) -> Cow<'a, str> {
        let line = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        match self.data.as_slice() {
            [one] => Cow::Borrowed(line(one)),
            many => Cow::Owned(many.iter().map(line).collect::<Vec<_>>().join("\n")),
        }
    }

    /// Where in the event a span of the payload stands. A string lies in one line, as it holds no line feed.
    fn place(&self, span: Range<usize>) -> Range<usize> {
        let mut before = 0;
        for line in &self.data {
            if span.end <= before + line.len() {
                return line.start + span.start - before..line.start + span.end - before;
            }
            before += line.len() + 1;
        }
        span
    }
}

/// The event's type, for the formats whose events tell it. A name that says another is read differently by different clients.
fn kind<'a>(format: Format, root: Value<'a>, name: Option<&'a str>) -> Result<Cow<'a, str>, WireError> {
    if !matches!(format, Format::Messages | Format::Responses) {
        return Ok(Cow::Borrowed(name.unwrap_or_default()));
    }
    match (root.get("type").and_then(Value::as_str), name) {
        (Some(kind), Some(name)) if kind != name => {
            Err(WireError::Stream { what: "names an event by two different types" })
        }
        (Some(kind), _) => Ok(kind),
        (None, name) => Ok(Cow::Borrowed(name.unwrap_or_default())),
    }
}

/// Whether an event of that type ends an answer.
fn ends(format: Format, kind: &str, root: Value<'_>) -> bool {
    let error = kind == "error" || (root.get("error").is_some_and(|e| e.kind() != Kind::Null));
    error
        || match format {
            Format::Messages => kind == "message_stop",
            Format::Responses => matches!(kind, "response.completed" | "response.incomplete" | "response.failed"),
            _ => false,
        }
}

#[cfg(test)]
mod tests;
