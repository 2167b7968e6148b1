//! What the gateway says itself: refusals, the list of models, health. The only place that makes bytes no guard has seen,
//! and none of them come from a caller or a provider.

use std::sync::Arc;

use bytes::Bytes;
use countersign_core::{
    Code, Format, Refusal, RequestId,
    life::{Released, Stamp, stage},
};
use countersign_wire::say;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::{
    AnswerBody, Resource, Route,
    resource::{Scheme, challenge},
};

/// How the caller showed a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// The caller is known by it.
    pub(crate) known: bool,
    /// How it came.
    pub(crate) scheme: Scheme,
}

pub(crate) struct Speaker {
    stamp: Stamp<stage::Speak>,
}

impl Speaker {
    pub(crate) const fn new(stamp: Stamp<stage::Speak>) -> Self {
        Self { stamp }
    }

    /// A refusal as a whole answer, in the provider's own shape.
    /// `shown` says how the caller showed a token; `resource` where to get another; `words` how a desk says it.
    pub(crate) fn refuse(
        &self,
        route: Option<Route>,
        refusal: &Refusal,
        request: RequestId,
        shown: Shown,
        resource: Option<&Resource>,
        words: Option<(&'static str, Bytes)>,
    ) -> Response<AnswerBody> {
        let format = route.map_or(Format::Chat, Route::format);
        let (status, body) = say::refusal(format, refusal.code, request);
        let (kind, body) = words.unwrap_or(("application/json", body));
        let mut response = self.say(status, HeaderValue::from_static(kind), body);
        let headers = response.headers_mut();
        name_request(headers, format, request);
        if let Some(wait) = refusal.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        // RFC 6750, section 3.1: nothing is said to be wrong with what was not presented.
        let wrong = match refusal.code {
            Code::NoCredential => Some(None),
            Code::NotPermitted if shown.known => Some(Some("insufficient_scope")),
            Code::BadProof => Some(Some("invalid_dpop_proof")),
            Code::NonceNeeded => Some(Some("use_dpop_nonce")),
            Code::StepUpNeeded => Some(Some("insufficient_user_authentication")),
            _ if status == 401 => Some(Some("invalid_token")),
            _ => None,
        };
        if let Some(error) = wrong {
            let of_proof = matches!(refusal.code, Code::BadProof | Code::NonceNeeded);
            let scheme = if of_proof { Scheme::Dpop } else { shown.scheme };
            headers.insert(header::WWW_AUTHENTICATE, challenge(scheme, error, refusal.step_up.as_deref(), resource));
            if refusal.code == Code::NoCredential && resource.is_some() {
                headers.append(header::WWW_AUTHENTICATE, challenge(Scheme::Dpop, None, None, resource));
            }
        }
        if !refusal.code.retryable() {
            // The SDKs retry some refusals by themselves unless they are told not to.
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if let Some(case) = refusal.case.as_deref().and_then(|case| HeaderValue::from_str(case).ok()) {
            headers.insert(CASE, case);
        }
        if refusal.cut {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// The last event of a stream that is refused from here on.
    pub(crate) fn refuse_stream(&self, format: Format, refusal: &Refusal, request: RequestId) -> Released {
        Released::spoken(&self.stamp, say::refusal_event(format, refusal.code, request))
    }

    /// The models a caller may use.
    pub(crate) fn models(
        &self,
        anthropic: bool,
        models: &[(Arc<str>, u64)],
        request: RequestId,
    ) -> Response<AnswerBody> {
        let json = HeaderValue::from_static("application/json");
        let mut response = self.say(200, json, say::models(anthropic, models));
        name_request(response.headers_mut(), Format::Models, request);
        response
    }

    /// The metrics, which call themselves by the name of their format: a scraper chooses its parser by it.
    pub(crate) fn metrics(&self, text: String) -> Response<AnswerBody> {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        self.say(200, HeaderValue::from_static(kind), text.into())
    }

    /// Where to get a token.
    pub(crate) fn resource(&self, resource: &Resource) -> Response<AnswerBody> {
        self.say(200, HeaderValue::from_static("application/json"), resource.metadata())
    }

    /// What was found in texts that were to be looked at, or what the caller's own text became.
    pub(crate) fn inspected(&self, body: Bytes, request: RequestId) -> Response<AnswerBody> {
        let mut response = self.say(200, HeaderValue::from_static("application/json"), body);
        name_request(response.headers_mut(), Format::Chat, request);
        response
    }

    /// What a desk answers.
    pub(crate) fn desk(&self, response: Response<Bytes>) -> Response<AnswerBody> {
        response.map(|body| AnswerBody::whole(Released::spoken(&self.stamp, body)))
    }

    /// A piece that a desk tells later.
    pub(crate) fn tell(&self, piece: Bytes) -> Released {
        Released::spoken(&self.stamp, piece)
    }

    /// Plain text of our own.
    pub(crate) fn text(&self, status: u16, body: impl Into<Bytes>) -> Response<AnswerBody> {
        self.say(status, HeaderValue::from_static("text/plain; charset=utf-8"), body.into())
    }

    /// Gives the caller a nonce for the next proof (RFC 9449, section 8.2).
    pub(crate) fn offer(headers: &mut HeaderMap, nonce: &str) {
        if let Ok(nonce) = HeaderValue::from_str(nonce) {
            headers.insert(NONCE, nonce);
        }
    }

    fn say(&self, status: u16, kind: HeaderValue, body: Bytes) -> Response<AnswerBody> {
        let mut response = Response::new(AnswerBody::whole(Released::spoken(&self.stamp, body)));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

/// Puts the request's id where the provider's own SDK looks for it.
pub(crate) fn name_request(headers: &mut HeaderMap, format: Format, request: RequestId) {
    let name = if format.is_anthropic() { ANTHROPIC_ID } else { OPENAI_ID };
    if let Ok(id) = HeaderValue::from_str(&request.to_string()) {
        headers.insert(name, id);
    }
}

const OPENAI_ID: HeaderName = HeaderName::from_static("x-request-id");
const ANTHROPIC_ID: HeaderName = HeaderName::from_static("request-id");
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// The case that a refused caller can name to whoever decides on it.
const CASE: HeaderName = HeaderName::from_static("countersign-case");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

#[cfg(test)]
mod tests;
