//! Texts that a caller wants looked at and not answered, in the shapes of other products: Lakera's `POST /v2/guard`, OpenAI's
//! `POST /v1/moderations` and Presidio's `POST /analyze`.

mod places;
mod presidio;

pub(crate) use presidio::supported as entities;

use std::{borrow::Cow, collections::BTreeSet, ops::Range};

use bytes::Bytes;
use countersign_core::{Channel, Document, Format, Kind as Found, RequestId, Side, Slot, SlotKind, Trust};
use serde_json::{Map, Value as Json, json};

use crate::{
    Limits, WireError,
    ask::message,
    json::{Doc, Kind, Value},
    walk::Walk,
};

/// Whose words are spoken.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Shape {
    /// Lakera's: one conversation.
    Guard,
    /// OpenAI's: texts that stand for themselves.
    Moderations,
    /// Presidio's: the sensitive values in one text.
    Analyze,
}

impl Shape {
    /// The path it is asked for at.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Guard => "/v2/guard",
            Self::Moderations => "/v1/moderations",
            Self::Analyze => "/presidio/analyze",
        }
    }

    /// The name in metrics and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Moderations => "moderations",
            Self::Analyze => "analyze",
        }
    }
}

/// What is to be looked at.
#[derive(Clone, Debug)]
pub struct Inspect {
    /// Each is judged by itself.
    pub texts: Vec<Text>,
    wish: Wish,
}

/// What is to be told.
#[derive(Clone, Debug)]
enum Wish {
    Guard { breakdown: bool, payload: bool },
    Moderations,
    Analyze(presidio::Filter),
}

/// A conversation, or a text that stands for itself.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// What goes to a model, and what comes from it.
    pub parts: Vec<Part>,
    /// Images and the like, which no guard reads.
    pub attachments: u32,
}

/// Leaves that go the same way.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which way.
    pub side: Side,
    /// The leaves.
    pub document: Document,
    /// The message that each of them stands in.
    messages: Vec<usize>,
}

/// What was found in a text, without any of the text itself.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    told: Vec<Told>,
}

#[derive(Clone, Debug)]
struct Told {
    kind: Found,
    rule: &'static str,
    confidence: f32,
    /// Whether the rules would let it pass.
    passes: bool,
    part: usize,
    leaf: usize,
    /// Bytes of the leaf.
    span: Range<usize>,
}

impl Inspect {
    /// Reads a request. Members that its shape does not know are let be.
    ///
    /// # Errors
    /// When the body is too large or too involved, is not strict JSON, or lacks what the shape needs.
    pub fn read(shape: Shape, body: &Bytes, limits: &Limits) -> Result<Self, WireError> {
        if body.len() > limits.body {
            return Err(WireError::TooLarge { what: "body", limit: limits.body });
        }
        let doc = Doc::read(body, limits)?;
        let root = doc.root();
        if root.kind() != Kind::Object {
            return bad("$", "is not an object");
        }
        let (texts, wish) = match shape {
            Shape::Guard => {
                let (breakdown, payload) = (flag(root, "breakdown")?, flag(root, "payload")?);
                (vec![conversation(body, root)?], Wish::Guard { breakdown, payload })
            }
            Shape::Moderations => (inputs(body, root)?, Wish::Moderations),
            Shape::Analyze => {
                let value = presidio::text(root)?;
                (vec![text(body, vec![slot(value)], 0)?], Wish::Analyze(presidio::Filter::read(root)?))
            }
        };
        Ok(Self { texts, wish })
    }

    /// The answer, with a verdict on each of the texts.
    #[must_use]
    pub fn answer(&self, verdicts: &[Verdict], request: RequestId) -> Bytes {
        let none = (Text::default(), Verdict::default());
        let (text, verdict) = self.texts.first().zip(verdicts.first()).unwrap_or((&none.0, &none.1));
        let body = match &self.wish {
            Wish::Guard { breakdown, payload } => {
                let mut body = json!({
                    "flagged": verdict.flagged(),
                    "metadata": { "request_uuid": request.to_string() },
                });
                if *breakdown {
                    body["breakdown"] = verdict.breakdown(text);
                }
                if *payload {
                    body["payload"] = verdict.payload(text);
                }
                body
            }
            Wish::Moderations => json!({
                "id": format!("modr-{request}"),
                "model": "countersign",
                "results": verdicts.iter().map(Verdict::categories).collect::<Vec<_>>(),
            }),
            Wish::Analyze(filter) => filter.answer(text, verdict),
        };
        body.to_string().into()
    }
}

impl Verdict {
    /// Notes a finding in part `part` of the text, and whether the rules would let it pass.
    pub fn note(&mut self, part: usize, finding: &countersign_core::Finding, passes: bool) {
        let (kind, rule, confidence, leaf) = (finding.kind, finding.rule, finding.confidence, finding.leaf);
        self.told.push(Told { kind, rule, confidence, passes, part, leaf, span: finding.span.clone() });
    }

    /// Whether anything would not pass.
    #[must_use]
    pub fn flagged(&self) -> bool {
        self.told.iter().any(|told| !told.passes)
    }

    fn categories(&self) -> Json {
        let (mut flags, mut scores, mut applied) = (Map::new(), Map::new(), Map::new());
        for name in THEIRS {
            flags.insert(name.into(), false.into());
            scores.insert(name.into(), 0.0.into());
            applied.insert(name.into(), json!([]));
        }
        for kind in Found::ALL.into_iter().filter(|kind| *kind != Found::Copied) {
            let of = || self.told.iter().filter(move |told| told.kind == kind);
            let score = of().map(|told| told.confidence).fold(0.0, f32::max);
            flags.insert(category(kind), of().any(|told| !told.passes).into());
            scores.insert(category(kind), ((f64::from(score) * 1000.0).round() / 1000.0).into());
            applied.insert(category(kind), json!([if kind == Found::Attachment { "image" } else { "text" }]));
        }
        json!({
            "flagged": self.flagged(),
            "categories": flags,
            "category_scores": scores,
            "category_applied_input_types": applied,
        })
    }

    /// One line for each type in each message it was found in; kinds that were found nowhere have one of their own.
    fn breakdown(&self, text: &Text) -> Json {
        let line = |kind: Found, detector: &str, detected: bool, message: usize| {
            json!({
                "project_id": "countersign",
                "policy_id": "countersign",
                "detector_id": format!("countersign-{}", kind.as_str()),
                "detector_type": detector,
                "detected": detected,
                "message_id": message,
            })
        };
        let mut lines = Vec::new();
        for kind in Found::ALL.into_iter().filter(|kind| *kind != Found::Copied) {
            let found = self.told.iter().filter(|told| told.kind == kind && !told.passes);
            let places: BTreeSet<_> =
                found.map(|told| (text.message(told).unwrap_or_default(), told.detector())).collect();
            if places.is_empty() {
                lines.push(line(kind, detector(kind), false, 0));
            }
            lines.extend(places.iter().map(|(message, detector)| line(kind, detector, true, *message)));
        }
        lines.into()
    }

    /// Where what would not pass stands, for programs that mask it. The text itself is not repeated: whoever asks has it.
    fn payload(&self, text: &Text) -> Json {
        let stopped: Vec<&Told> = self.told.iter().filter(|told| !told.passes).take(PLACES).collect();
        let place = |(told, chars): (&&Told, Option<Range<usize>>)| {
            let (message, chars, kind) = (text.message(told)?, chars?, told.detector());
            Some(json!({
                "start": chars.start, "end": chars.end, "detector_type": kind, "labels": [kind], "message_id": message,
            }))
        };
        stopped.iter().zip(text.places(&stopped)).filter_map(place).collect()
    }
}

impl Text {
    /// The message that a finding stands in.
    fn message(&self, told: &Told) -> Option<usize> {
        self.parts.get(told.part)?.messages.get(told.leaf).copied()
    }
}

impl Told {
    /// What it is in Lakera's words.
    fn detector(&self) -> Cow<'static, str> {
        match self.rule.strip_prefix("personal/") {
            Some(what) => format!("pii/{}", what.replace('-', "_")).into(),
            None => detector(self.kind).into(),
        }
    }
}

/// A conversation. What a model said last is judged as its answer, everything else as what goes to it.
fn conversation(body: &Bytes, root: Value<'_>) -> Result<Text, WireError> {
    let Some(messages) = root.get("messages").filter(|m| m.kind() == Kind::Array) else {
        return bad("messages", "is missing or is not an array");
    };
    let mut spans = Vec::new();
    let mut answer = None;
    for (i, message) in messages.items().enumerate() {
        self::message(i, message)?;
        answer = message.get("role").is_some_and(|role| role.is("assistant")).then_some(i);
        spans.push(message.span());
    }
    if spans.is_empty() {
        return bad("messages", "is empty");
    }
    let walk = Walk::ask(Format::Chat, root)?;
    let (mut prompt, mut said) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let mut at = 0;
    for slot in walk.slots {
        // Slots and messages are in order; what stands in no message is sent to no model.
        while spans.get(at).is_some_and(|span| span.end <= slot.span.start) {
            at += 1;
        }
        if spans.get(at).is_none_or(|span| slot.span.start < span.start) {
            continue;
        }
        let (slots, messages) = if answer == Some(at) { &mut said } else { &mut prompt };
        slots.push(slot);
        messages.push(at);
    }
    let mut parts = Vec::with_capacity(2);
    for (side, (slots, messages)) in [(Side::Prompt, prompt), (Side::Answer, said)] {
        if !slots.is_empty() {
            parts.push(Part { side, document: crate::document(body.clone(), slots)?, messages });
        }
    }
    Ok(Text { parts, attachments: walk.attachments })
}

/// A text, several that stand for themselves, or the parts of one.
fn inputs(body: &Bytes, root: Value<'_>) -> Result<Vec<Text>, WireError> {
    let Some(input) = root.get("input") else { return bad("input", "is missing") };
    let alone = |value: Value<'_>| text(body, vec![slot(value)], 0);
    match input.kind() {
        Kind::String => Ok(vec![alone(input)?]),
        Kind::Array => {
            let count = input.items().count();
            if count > INPUTS {
                return Err(WireError::TooMany { what: "inputs", limit: INPUTS });
            }
            match input.items().next().map(Value::kind) {
                Some(Kind::String) if input.items().all(|item| item.kind() == Kind::String) => {
                    input.items().map(alone).collect()
                }
                Some(Kind::Object) => parts(body, input),
                Some(_) => bad("input", "holds neither texts nor parts"),
                None => bad("input", "is empty"),
            }
        }
        _ => bad("input", "is neither text nor an array"),
    }
}

fn parts(body: &Bytes, input: Value<'_>) -> Result<Vec<Text>, WireError> {
    let (mut slots, mut attachments) = (Vec::new(), 0);
    for (i, part) in input.items().enumerate() {
        let kind = part.get("type").and_then(Value::as_str);
        match kind.as_deref() {
            Some("text") => match part.get("text") {
                Some(text) if text.kind() == Kind::String => slots.push(slot(text)),
                _ => return bad(format!("input[{i}].text"), "is missing or is not a string"),
            },
            Some("image_url") => attachments += 1,
            _ => return bad(format!("input[{i}].type"), "is neither `text` nor `image_url`"),
        }
    }
    Ok(vec![text(body, slots, attachments)?])
}

fn text(body: &Bytes, slots: Vec<Slot>, attachments: u32) -> Result<Text, WireError> {
    let messages = vec![0; slots.len()];
    let part = Part { side: Side::Prompt, document: crate::document(body.clone(), slots)?, messages };
    Ok(Text { parts: vec![part], attachments })
}

fn slot(value: Value<'_>) -> Slot {
    let decoded = value.escaped().then(|| value.as_str().unwrap_or_default().into());
    let (kind, channel, trust) = (SlotKind::Text, Channel::User, Trust::Caller);
    Slot { span: value.span(), decoded, kind, channel, trust, grows: None, call: None }
}

fn flag(root: Value<'_>, name: &'static str) -> Result<bool, WireError> {
    match root.get(name).map(Value::kind) {
        None | Some(Kind::Null | Kind::False) => Ok(false),
        Some(Kind::True) => Ok(true),
        Some(_) => bad(name, "is neither true nor false"),
    }
}

/// Our kinds among OpenAI's categories.
fn category(kind: Found) -> String {
    match kind {
        Found::Injection => "prompt_injection".into(),
        Found::Extraction => "prompt_extraction".into(),
        kind => kind.as_str().replace('-', "_"),
    }
}

/// Our kinds in Lakera's words, where it has one.
const fn detector(kind: Found) -> &'static str {
    match kind {
        Found::Injection | Found::Extraction => "prompt_attack",
        Found::PersonalData => "pii",
        Found::Exfiltration => "unknown_links",
        kind => kind.as_str(),
    }
}

fn bad<T>(path: impl Into<String>, what: &'static str) -> Result<T, WireError> {
    Err(WireError::Field { path: path.into(), what })
}

/// Texts that one request may hold: each has what is decoded out of it bounded by itself.
const INPUTS: usize = 128;
/// Places told of one conversation.
const PLACES: usize = 1000;

/// OpenAI's categories, which no detector here looks for.
const THEIRS: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

#[cfg(test)]
mod tests;
