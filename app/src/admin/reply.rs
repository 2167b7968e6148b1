//! What the desk answers, and how it says a refusal (RFC 9457).

use bytes::Bytes;
use countersign_core::{Code, Refusal, RequestId};
use countersign_gateway::Pieces;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Words, schema};

/// An answer.
pub(crate) struct Reply {
    status: u16,
    kind: &'static str,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What a repeated request gets instead, where the body holds a secret.
    kept: Option<Bytes>,
    /// What follows the body, as it comes.
    then: Option<Pieces>,
}

/// Why a request was refused.
#[derive(Debug, JsonSchema, Serialize)]
struct Problem {
    /// Names the code as a URI: `urn:countersign:CS0101`.
    #[serde(rename = "type")]
    kind: String,
    /// What the code means.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The code; `docs/errors` has a page on each.
    code: &'static str,
    /// What is wrong with this request, where the caller can do something about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The request, as log and audit name it.
    request: String,
}

impl Reply {
    /// A value.
    pub(crate) fn json<T: Serialize>(status: u16, value: &T) -> Result<Self, Refusal> {
        Ok(Self { status, kind: JSON, body: json(value)?, headers: Vec::new(), kept: None, then: None })
    }

    /// A value that is told once: a repeated request gets `kept`.
    pub(crate) fn once<T: Serialize>(status: u16, value: &T, kept: &T) -> Result<Self, Refusal> {
        Ok(Self { kept: Some(json(kept)?), ..Self::json(status, value)? })
    }

    /// Nothing but a status.
    pub(crate) const fn empty(status: u16) -> Self {
        Self { status, kind: "", body: Bytes::new(), headers: Vec::new(), kept: None, then: None }
    }

    /// Bytes of another type.
    pub(crate) const fn of(status: u16, kind: &'static str, body: Bytes) -> Self {
        Self { status, kind, body, headers: Vec::new(), kept: None, then: None }
    }

    /// And more, as it comes.
    pub(crate) fn then(mut self, then: Pieces) -> Self {
        self.then = Some(then);
        self
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Status and body for a repeated request; no secret.
    pub(crate) fn kept(&self) -> (u16, &[u8]) {
        (self.status, self.kept.as_ref().unwrap_or(&self.body))
    }

    pub(crate) fn into_response(self, request: RequestId) -> Result<(Response<Bytes>, Option<Pieces>), Refusal> {
        let wrong = |_| Refusal::new(Code::Internal, "an answer could not be written");
        let mut response = Response::new(self.body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).map_err(|_| Refusal::new(Code::Internal, "an answer has no status"))?;
        let headers = response.headers_mut();
        if !self.kind.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        }
        // It may be a key.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert("x-request-id", HeaderValue::try_from(request.to_string()).map_err(wrong)?);
        headers.extend(self.headers);
        Ok((response, self.then))
    }
}

/// Refusals as RFC 9457 has them.
pub(crate) static PROBLEMS: Words =
    Words { name: "refused", kind: "application/problem+json", form: schema::<Problem>, say: problem };

/// A refusal as RFC 9457 has it. Reasons are for the record, but for those that say what is wrong with what the caller wrote.
fn problem(refusal: &Refusal, request: RequestId) -> Bytes {
    let code = refusal.code;
    let theirs =
        matches!(code, Code::Malformed | Code::NoSuchThing | Code::Conflict | Code::KeyReused | Code::AccessRule);
    let problem = Problem {
        kind: format!("urn:countersign:{}", code.id()),
        title: code.message(),
        status: code.status(),
        code: code.id(),
        detail: theirs.then(|| refusal.reason.clone().into_owned()),
        request: request.to_string(),
    };
    json(&problem).unwrap_or_default()
}

fn json<T: Serialize>(value: &T) -> Result<Bytes, Refusal> {
    let text = serde_json::to_vec(value);
    text.map(Into::into).map_err(|_| Refusal::new(Code::Internal, "an answer cannot be written as JSON"))
}

pub(crate) const JSON: &str = "application/json";
