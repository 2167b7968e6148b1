//! One request as the console lists it.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use countersign_core::{Code, Event, RequestId, Side, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// One request that is over. It holds nothing of a prompt or an answer.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: RequestId,
    pub(crate) at: Timestamp,
    /// From arrival to the end, in microseconds.
    pub(crate) took: u64,
    pub(crate) who: Option<Who>,
    pub(crate) from: Option<IpAddr>,
    pub(crate) route: Cow<'static, str>,
    pub(crate) model: Option<Arc<str>>,
    pub(crate) target: Option<Arc<str>>,
    pub(crate) outcome: Outcome,
    pub(crate) code: Option<Code>,
    pub(crate) found: Box<[Found]>,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) bytes: u64,
    /// Index in the audit log of the record before it left.
    pub(crate) record: Option<u64>,
}

/// Who asked.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Who {
    /// The tenant.
    pub(crate) tenant: Arc<str>,
    /// The subject within it.
    pub(crate) subject: Arc<str>,
    /// `person`, `service` or `agent`.
    pub(crate) kind: Cow<'static, str>,
    /// Its roles.
    pub(crate) roles: Arc<[Arc<str>]>,
    /// Names the credential.
    pub(crate) credential: Arc<str>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// It was answered to the end.
    Answered,
    /// It was refused, at any stage.
    Refused,
    /// Its caller went away before the end.
    Unfinished,
}

/// One thing that was found.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub(crate) struct Found {
    /// `prompt` or `answer`.
    pub(crate) side: &'static str,
    /// What it is.
    pub(crate) kind: Cow<'static, str>,
    /// Detector and rule.
    pub(crate) rule: Cow<'static, str>,
    /// How sure, in thousandths.
    pub(crate) confidence: u16,
}

impl Row {
    pub(crate) fn of(event: &Event) -> Self {
        let found = event.findings.iter().take(FOUND).map(|(side, finding)| Found {
            side: word(*side),
            kind: finding.kind.as_str().into(),
            rule: finding.rule.into(),
            confidence: permille(finding.confidence),
        });
        Self {
            id: event.request,
            at: event.at,
            took: u64::try_from(event.ended.since(event.at).as_micros()).unwrap_or(u64::MAX),
            who: event.who.as_deref().map(|who| Who {
                tenant: who.tenant.clone(),
                subject: who.subject.clone(),
                kind: who.kind.as_str().into(),
                roles: who.roles.clone(),
                credential: who.credential.clone(),
            }),
            from: event.from,
            route: event.route.into(),
            model: event.call.as_ref().map(|call| short(&call.model)),
            target: event.target.clone(),
            outcome: match (event.refused, event.complete) {
                (Some(_), _) => Outcome::Refused,
                (None, true) => Outcome::Answered,
                (None, false) => Outcome::Unfinished,
            },
            code: event.refused,
            found: found.collect(),
            input_tokens: event.input_tokens,
            output_tokens: event.output_tokens,
            bytes: event.bytes,
            record: event.record,
        }
    }

    /// Whether it was asked of the gateway itself rather than of a model.
    pub(crate) fn is_own(&self) -> bool {
        matches!(&*self.route, "desk" | "metrics" | "models" | "unknown" | "supportedentities")
    }
}

impl Who {
    /// Whether `part` is a part of `TENANT/SUBJECT`. A list asks it of every request at hand, so nothing is put together for it.
    pub(super) fn is(&self, part: &str) -> bool {
        let over_both = |(at, _): (usize, &str)| {
            let (end, begin) = (part.get(..at).unwrap_or_default(), part.get(at + 1..).unwrap_or_default());
            self.tenant.ends_with(end) && self.subject.starts_with(begin)
        };
        self.subject.contains(part) || self.tenant.contains(part) || part.match_indices('/').any(over_both)
    }
}

impl Outcome {
    /// The outcome of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "answered" => Some(Self::Answered),
            "refused" => Some(Self::Refused),
            "unfinished" => Some(Self::Unfinished),
            _ => None,
        }
    }
}

pub(crate) const fn word(side: Side) -> &'static str {
    match side {
        Side::Prompt => "prompt",
        Side::Answer => "answer",
    }
}

/// A model's name is whatever a caller wrote: no more of it than the audit log keeps.
fn short(model: &Arc<str>) -> Arc<str> {
    if model.len() <= MODEL {
        model.clone()
    } else {
        model.get(..model.floor_char_boundary(MODEL)).unwrap_or_default().into()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1 makes 0 to 1,000")]
fn permille(confidence: f32) -> u16 {
    (confidence.clamp(0.0, 1.0) * 1000.0).round() as u16
}

/// How many findings of one request are listed; the audit log has more.
pub(super) const FOUND: usize = 16;
const MODEL: usize = 128;
