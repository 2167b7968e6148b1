//! From values to leaves: walks a JSON text by what its format means and notes the place of every string.
//!
//! The rule is closed: a string, a member's name or a long number is a leaf unless it is one of the [`crate::words`] in a
//! place made for words, or an attachment's base64. What a format does not know is a leaf in [`Channel::Other`].

mod place;

use std::{collections::HashMap, ops::Range};

use countersign_core::{Channel, Format, InCall, Slot, SlotKind, Trust};

use crate::{
    WireError,
    json::{Kind, Value, text},
    words::{Word, word},
};
pub(crate) use place::{Place, Voice};

/// What a walk looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    Ask,
    Answer,
    Event,
}

/// The growing leaves of one stream: which text continues which.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    keys: ahash::RandomState,
    ids: HashMap<u64, u32, ahash::RandomState>,
    /// The calls of tools: those that a key tells apart.
    calls: HashMap<u64, u32, ahash::RandomState>,
    /// How many calls there are in all.
    count: u32,
}

/// A place within an event whose bytes may differ while the event's shape stays the same.
#[derive(Clone, Debug)]
pub(crate) enum Hole {
    /// The inside of a string: that of the slot at this index.
    Slot(usize),
    /// A small whole number.
    Digits(Range<usize>),
}

/// A walk and what it gathered.
pub(crate) struct Walk<'g> {
    format: Format,
    what: What,
    base: Voice,
    growth: Option<&'g mut Growth>,
    /// The voice of an event's text, for the formats whose events tell their type.
    event: Voice,
    /// The call of a tool that an event is about, for the formats whose events say it.
    about: Option<u64>,
    /// The call of a tool that is being read, and whether it is its name.
    call: Option<InCall>,
    calls: u32,
    pub(crate) slots: Vec<Slot>,
    pub(crate) holes: Vec<Hole>,
    /// The slots that are text which nobody vouches for, and which a model reads as text.
    pub(crate) texts: Vec<usize>,
    pub(crate) attachments: u32,
    pub(crate) logprobs: bool,
}

/// Growing leaves in one stream beyond which it is refused.
const MAX_GROWING: usize = 1024;

impl<'g> Walk<'g> {
    /// Walks a whole request.
    pub(crate) fn ask(format: Format, root: Value<'_>) -> Result<Self, WireError> {
        let mut walk = Self::new(format, What::Ask, None);
        walk.value(root, Place::Ask, walk.base, None)?;
        Ok(walk)
    }

    /// Walks a whole answer.
    pub(crate) fn answer(format: Format, root: Value<'_>) -> Result<Self, WireError> {
        let mut walk = Self::new(format, What::Answer, None);
        walk.value(root, Place::Answer, walk.base, None)?;
        Ok(walk)
    }

    /// Walks the data of one event. `kind` is its `type`, for the formats that have one.
    pub(crate) fn event(
        format: Format,
        kind: &str,
        root: Value<'_>,
        growth: &'g mut Growth,
    ) -> Result<Self, WireError> {
        let mut walk = Self::new(format, What::Event, Some(growth));
        let (place, grow) = match format {
            Format::Messages => {
                let block = if kind.starts_with("content_block") { index(root, "index")? } else { None };
                walk.event = Voice::ASSISTANT;
                walk.about = block.map(|i| walk.fold(0, &i.to_le_bytes()));
                (Place::of_message_event(kind), walk.about.unwrap_or(0))
            }
            Format::Responses => {
                let mut grow = walk.fold(0, kind.as_bytes());
                for name in ["output_index", "content_index", "summary_index"] {
                    let i = index(root, name)?.unwrap_or(u64::MAX);
                    grow = walk.fold(grow, &i.to_le_bytes());
                }
                walk.about = index(root, "output_index")?.map(|i| walk.fold(1, &i.to_le_bytes()));
                walk.event = Voice::of_response_event(kind);
                let place = if kind.ends_with(".delta") { Place::DeltaEvent } else { Place::Event };
                (place, grow)
            }
            _ => (Place::Answer, 0),
        };
        walk.value(root, place, walk.base, Some(grow))?;
        Ok(walk)
    }

    fn new(format: Format, what: What, growth: Option<&'g mut Growth>) -> Self {
        let base = Voice(Channel::Other, if what == What::Ask { Trust::Caller } else { Trust::Model });
        let (slots, holes) = (Vec::with_capacity(8), Vec::new());
        Self {
            format,
            what,
            base,
            growth,
            event: base,
            about: None,
            call: None,
            calls: 0,
            slots,
            holes,
            texts: Vec::new(),
            attachments: 0,
            logprobs: false,
        }
    }

    /// `grow` names the growing leaf that text here belongs to; none where everything stands for itself.
    fn value(&mut self, value: Value<'_>, place: Place, voice: Voice, grow: Option<u64>) -> Result<(), WireError> {
        match value.kind() {
            Kind::String => self.string(value, place, voice, grow),
            Kind::Number => self.number(value, place, voice),
            Kind::Array => self.array(value, place, voice, grow),
            Kind::Object => self.object(value, place, voice, grow),
            Kind::Null | Kind::True | Kind::False => Ok(()),
        }
    }

    fn string(&mut self, value: Value<'_>, place: Place, voice: Voice, grow: Option<u64>) -> Result<(), WireError> {
        let raw = value.raw();
        match place {
            Place::Word if word(raw).is_some() => return Ok(()),
            Place::ModelName if is_name(raw) => return Ok(()),
            // Attachments are counted and left to policy. What a model says is read whatever it seems to be.
            Place::Payload if self.what == What::Ask && (is_base64(raw) || is_data_url(raw)) => return Ok(()),
            Place::Link if self.what == What::Ask && is_data_url(raw) => return Ok(()),
            Place::Vector if is_base64(raw) => return Ok(()),
            Place::Word | Place::ModelName => return self.slot(value, SlotKind::Text, self.base, None, false),
            _ => {}
        }
        let pad = place == Place::Pad && self.what == What::Event;
        self.slot(value, SlotKind::Text, voice, grow, pad)
    }

    fn number(&mut self, value: Value<'_>, place: Place, voice: Voice) -> Result<(), WireError> {
        let raw = value.raw();
        match place {
            Place::Sequence if self.what == What::Event && value.as_u64().is_some() && raw.len() <= 8 => {
                self.holes.push(Hole::Digits(value.span()));
            }
            Place::Time if is_time(raw) => {}
            Place::Vector if raw.contains('.') => {}
            _ if raw.len() >= 9 && raw.bytes().filter(u8::is_ascii_digit).count() >= 9 => {
                self.push(value.span(), None, SlotKind::Number, voice, None)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn array(&mut self, value: Value<'_>, place: Place, voice: Voice, grow: Option<u64>) -> Result<(), WireError> {
        if place == Place::Logprobs && value.items().next().is_some() {
            self.logprobs = true;
        }
        // Text as token numbers is text that no guard can read.
        if place == Place::Prompt && value.items().any(|item| item.kind() == Kind::Number) {
            self.attachments = self.attachments.saturating_add(1);
        }
        for (position, item) in value.items().enumerate() {
            let grow = match grow {
                None => None,
                // One token after the other, however many came with one event.
                Some(g) if place == Place::Logprobs => Some(g),
                Some(g) => {
                    let named = matches!(place, Place::Choice | Place::ToolCall).then(|| index(item, "index"));
                    let i = named.transpose()?.flatten().unwrap_or(position as u64);
                    Some(self.fold(g, &i.to_le_bytes()))
                }
            };
            self.value(item, place, voice, grow)?;
        }
        Ok(())
    }

    fn object(&mut self, value: Value<'_>, place: Place, voice: Voice, grow: Option<u64>) -> Result<(), WireError> {
        let (place, voice) = place.enter(value, voice);
        match place {
            Place::MediaPart => self.attachments = self.attachments.saturating_add(1),
            Place::Logprobs => self.logprobs = true,
            _ => {}
        }
        let around = self.call;
        if around.is_none() && self.what != What::Ask && voice.0 == Channel::ToolArguments {
            let call = self.number_of_call(self.about.or(grow))?;
            self.call = Some(InCall { call, is_name: false });
        }
        // What a provider offers by itself has no name but its type.
        let nameless = around.is_none() && place == Place::Message && value.get("name").is_none();
        for (name, member) in value.members() {
            let key = text::decoded(name.raw(), name.escaped());
            let known = word(&key);
            let (child, child_voice, grows) = match known {
                Some(w) => place.child(w, voice, self.format, self.base, self.event),
                None => {
                    self.unknown(&key, place)?;
                    let within = if place.is_opaque() { voice } else { self.base };
                    self.slot(name, SlotKind::Key, within, None, false)?;
                    (place.unknown(), within, !place.is_root())
                }
            };
            let grow = match grow {
                Some(g) if grows && place.is_root() && known != Some(Word::Logprobs) => Some(g),
                Some(g) if grows => Some(self.fold(g, key.as_bytes())),
                _ => None,
            };
            if let (Some(Word::Name), Some(call), true) = (known, &mut self.call, place.names_a_call()) {
                call.is_name = true;
            }
            if let (Some(Word::Type), true, Some(call)) = (known, nameless, &mut self.call) {
                call.is_name = true;
                self.slot(member, SlotKind::Text, voice, None, false)?;
            } else {
                let (slots, text) = (self.slots.len(), known.is_some_and(|name| place.is_text(name, member)));
                self.value(member, child, child_voice, grow)?;
                if text && child_voice == Voice::RESULT && self.slots.len() > slots {
                    self.texts.push(slots);
                }
            }
            if let Some(call) = &mut self.call {
                call.is_name = false;
            }
        }
        self.call = around;
        Ok(())
    }

    /// Some providers take member names in any letter case, and the last of several; a guard would have read another.
    fn unknown(&self, key: &str, place: Place) -> Result<(), WireError> {
        let odd = |b: u8| b.is_ascii_uppercase() || !b.is_ascii();
        if self.what != What::Ask || place.is_opaque() || !key.bytes().any(odd) {
            return Ok(());
        }
        let folded = key.to_ascii_lowercase().replace('\u{17f}', "s").replace('\u{212a}', "k");
        match word(&folded) {
            Some(_) => Err(WireError::Field { path: folded, what: "is written in other letters than the format's" }),
            None => Ok(()),
        }
    }

    /// Notes a leaf. `pad` says that it changes from event to event without growing.
    fn slot(
        &mut self,
        value: Value<'_>,
        kind: SlotKind,
        voice: Voice,
        grow: Option<u64>,
        pad: bool,
    ) -> Result<(), WireError> {
        let span = value.span();
        let grows = grow.and_then(|key| self.growth.as_mut().map(|growth| growth.id(key))).transpose()?;
        if grows.is_some() || pad {
            self.holes.push(Hole::Slot(self.slots.len()));
        } else if span.is_empty() {
            return Ok(());
        }
        let decoded = value.escaped().then(|| text::unescape(value.raw()).into_boxed_str());
        self.push(span, decoded, kind, voice, grows)
    }

    fn push(
        &mut self,
        span: Range<usize>,
        decoded: Option<Box<str>>,
        kind: SlotKind,
        voice: Voice,
        grows: Option<u32>,
    ) -> Result<(), WireError> {
        let mut call = None;
        if voice.0 == Channel::ToolArguments && self.what != What::Ask {
            call = match self.call {
                None => Some(InCall { call: self.number_of_call(self.about)?, is_name: false }),
                call => call,
            };
        }
        self.slots.push(Slot { span, decoded, kind, channel: voice.0, trust: voice.1, grows, call });
        Ok(())
    }

    /// The number of the call that `key` tells apart; of a new one where nothing but its place does.
    fn number_of_call(&mut self, key: Option<u64>) -> Result<u32, WireError> {
        match &mut self.growth {
            Some(growth) => growth.call(key),
            None => {
                self.calls += 1;
                Ok(self.calls)
            }
        }
    }

    fn fold(&self, key: u64, step: &[u8]) -> u64 {
        self.growth.as_ref().map_or(0, |growth| growth.keys.hash_one((key, step)))
    }
}

impl Hole {
    /// Index of the slot it is.
    pub(crate) const fn slot(&self) -> Option<usize> {
        match self {
            Self::Slot(i) => Some(*i),
            Self::Digits(_) => None,
        }
    }
}

impl Growth {
    /// The dense number of the growing leaf `key`.
    fn id(&mut self, key: u64) -> Result<u32, WireError> {
        let next = self.ids.len();
        if let Some(id) = self.ids.get(&key) {
            return Ok(*id);
        }
        if next >= MAX_GROWING {
            return Err(WireError::TooMany { what: "growing texts in one stream", limit: MAX_GROWING });
        }
        self.ids.insert(key, next as u32);
        Ok(next as u32)
    }

    fn call(&mut self, key: Option<u64>) -> Result<u32, WireError> {
        if let Some(known) = key.and_then(|key| self.calls.get(&key)) {
            return Ok(*known);
        }
        if self.count as usize >= MAX_GROWING {
            return Err(WireError::TooMany { what: "tool calls in one stream", limit: MAX_GROWING });
        }
        self.count += 1;
        if let Some(key) = key {
            self.calls.insert(key, self.count);
        }
        Ok(self.count)
    }
}

/// An index that says which text a delta continues. One that is not written plainly could be read in two ways.
fn index(value: Value<'_>, name: &str) -> Result<Option<u64>, WireError> {
    match value.get(name) {
        None => Ok(None),
        Some(i) if i.kind() == Kind::Null => Ok(None),
        Some(i) => match i.as_u64() {
            Some(i) => Ok(Some(i)),
            None => Err(WireError::Field { path: name.into(), what: "is not a whole number" }),
        },
    }
}

/// The name of a model, short and without anything that could be text.
fn is_name(raw: &str) -> bool {
    raw.len() <= 64 && raw.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:/-".contains(&b))
}

/// Base64 and nothing else, in either alphabet.
fn is_base64(raw: &str) -> bool {
    let body = raw.trim_end_matches('=');
    raw.len() - body.len() <= 2 && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(&b))
}

/// A `data:` URL with a media type and base64.
fn is_data_url(raw: &str) -> bool {
    let Some((head, data)) = raw.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) else {
        return false;
    };
    head.len() <= 100 && head.bytes().all(|b| b.is_ascii_alphanumeric() || b"/+-.;=".contains(&b)) && is_base64(data)
}

/// Seconds since 1970, perhaps with a fraction.
fn is_time(raw: &str) -> bool {
    let (whole, fraction) = raw.split_once('.').unwrap_or((raw, ""));
    whole.len() <= 10 && fraction.len() <= 9 && fraction.bytes().all(|b| b.is_ascii_digit())
}
