//! What goes to a target: head, path and body. The caller's headers never do.

use bytes::Bytes;
use countersign_core::{Code, Format, Refusal};
use countersign_http1::{Error, RequestHead};
use countersign_wire::translate;

use crate::{Dialect, Target, model};

/// The heads a target is ever sent, written once.
pub(crate) struct Heads {
    /// By format and whether a stream is asked for.
    heads: Vec<(Format, bool, RequestHead)>,
}

impl Heads {
    pub(crate) fn new(target: &Target) -> Result<Self, Error> {
        let mut heads = Vec::new();
        for format in Format::ALL {
            // The formats the target itself speaks.
            if translate::can(format, target.dialect.speaks()) != Some(format) {
                continue;
            }
            heads.push((format, false, head(target, format, false)?));
            if format.streams() {
                heads.push((format, true, head(target, format, true)?));
            }
        }
        Ok(Self { heads })
    }

    pub(crate) fn get(&self, format: Format, stream: bool) -> Option<&RequestHead> {
        self.heads.iter().find(|(f, s, _)| (*f, *s) == (format, stream)).map(|(_, _, head)| head)
    }
}

/// The body a target is sent: in the format it speaks, under the name it has for the model.
pub(crate) fn body(
    caller: Format,
    target: Format,
    upstream_name: Option<&str>,
    body: &Bytes,
) -> Result<Bytes, Refusal> {
    let body = if caller == target {
        body.clone()
    } else {
        translate::ask(caller, target, body).map_err(|e| Refusal::new(e.code(), e.to_string()))?
    };
    match upstream_name {
        None => Ok(body),
        Some(name) => model::rename(&body, name)
            .ok_or_else(|| Refusal::new(Code::Malformed, "the request's `model` could not be found to be renamed")),
    }
}

fn head(target: &Target, format: Format, stream: bool) -> Result<RequestHead, Error> {
    let head = RequestHead::new("POST", &path(target, format), &target.base.host())?
        .header("content-type", "application/json")?
        .header("accept", if stream { "text/event-stream" } else { "application/json" })?
        .header("accept-encoding", "identity")?
        .header("user-agent", concat!("countersign/", env!("CARGO_PKG_VERSION")))?;
    let head = match target.dialect {
        Dialect::Anthropic => head.header("anthropic-version", ANTHROPIC_VERSION)?,
        Dialect::OpenAi | Dialect::AzureOpenAi { .. } => head,
    };
    let Some(key) = &target.key else { return Ok(head) };
    match target.dialect {
        Dialect::OpenAi => head.credential("authorization", "Bearer ", key.expose()),
        Dialect::AzureOpenAi { .. } => head.credential("api-key", "", key.expose()),
        Dialect::Anthropic => head.credential("x-api-key", "", key.expose()),
    }
}

fn path(target: &Target, format: Format) -> String {
    let prefix = target.base.prefix();
    let Dialect::AzureOpenAi { deployment, api_version } = &target.dialect else {
        return format!("{prefix}{}", format.path());
    };
    let below = format.path().trim_start_matches("/v1");
    match format {
        // Responses name their deployment in the body, as the model.
        Format::Responses => format!("{prefix}/openai{below}?api-version={api_version}"),
        _ => format!("{prefix}/openai/deployments/{deployment}{below}?api-version={api_version}"),
    }
}

const ANTHROPIC_VERSION: &str = "2023-06-01";
