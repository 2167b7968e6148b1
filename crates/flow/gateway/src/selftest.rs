//! Proves, before anything is bound, that what is configured is enforced: a canary is driven through every route, format,
//! whole and streaming, channel and action, and must arrive nowhere.
//!
//! The exchanges run through the real pipeline with the deployment's own guards, routes and translations; only the
//! provider is played by an actor, and the audit log is a throw-away one.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_core::{Action, Channel, Code, Format, Kind, life::Peer};
use countersign_policy::ActionRule;
use countersign_provider::Dial;
use countersign_wire::{Limits, answer::Answer, stream::Events};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use tokio::time::timeout;

use crate::Gateway;
pub(crate) use actor::Actor;
#[cfg(test)]
pub(crate) use dialer::ToActor;

mod actor;
mod dialer;
mod prompt;

/// What the self-test needs of whoever can put stages together.
pub struct Kit<'a> {
    /// The token to drive through; the guards must know it as a canary.
    pub canary: &'a str,
    /// An API key that may use every model.
    pub key: &'a str,
    /// The models that are configured.
    pub models: &'a [Arc<str>],
    /// Builds a gateway that takes `Action` on canaries and reaches providers by the given dialer.
    pub build: &'a Build<'a>,
}

/// See [`Kit::build`].
pub type Build<'a> = dyn Fn(Action, Arc<dyn Dial>) -> Result<Arc<Gateway>, String> + Sync + 'a;

/// The rule that has `action` taken on canaries, before all other rules.
#[must_use]
pub fn rule(action: Action) -> ActionRule {
    ActionRule { kind: Some(Kind::Canary), ..ActionRule::any(action) }
}

/// One way for content to pass, and what was to be done about it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The model asked for.
    pub model: Arc<str>,
    /// The endpoint.
    pub format: Format,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Where the canary stood: in the prompt or in the answer.
    pub place: Place,
    /// What was to be done.
    pub action: Action,
}

/// Where the canary stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// In the prompt's channel.
    Prompt(Channel),
    /// In the answer's channel.
    Answer(Channel),
    /// Nowhere: a clean exchange has to pass.
    Nowhere,
}

/// What the self-test saw.
#[derive(Debug, Default)]
pub struct Report {
    /// How many cases were enforced.
    pub enforced: usize,
    /// Cases that were not, and why.
    pub failed: Vec<(Case, String)>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = if self.stream { "stream" } else { "whole" };
        let (side, channel) = match self.place {
            Place::Prompt(channel) => ("prompt", channel.as_str()),
            Place::Answer(channel) => ("answer", channel.as_str()),
            Place::Nowhere => ("clean", "-"),
        };
        let action = self.action.as_str();
        write!(f, "{} {} {shape} {side} {channel} {action}", self.model, self.format.as_str())
    }
}

/// Drives the canary through everything.
///
/// # Errors
/// When a gateway cannot be built at all.
pub async fn prove(kit: &Kit<'_>) -> Result<Report, String> {
    if kit.canary.len() < SHORTEST || !kit.canary.is_ascii() {
        return Err(format!("a canary of the self-test has at least {SHORTEST} ASCII characters"));
    }
    let mut report = Report::default();
    for action in [Action::Mask, Action::Refuse, Action::Cut] {
        let actor = Actor::new(kit.canary);
        let gateway = (kit.build)(action, Arc::new(dialer::ToActor(actor.clone())))?;
        let provider = gateway.stages().provider.clone();
        for model in kit.models {
            for format in Format::ALL.into_iter().filter(|f| provider.serves(model, *f)) {
                for stream in [false, true].into_iter().filter(|s| !s || format.streams()) {
                    for place in places(format) {
                        let case = Case { model: model.clone(), format, stream, place, action };
                        match drive(kit, &gateway, &actor, &case).await {
                            Ok(()) => report.enforced += 1,
                            Err(why) => report.failed.push((case, why)),
                        }
                    }
                }
            }
        }
    }
    Ok(report)
}

/// Every place content can stand in a format.
fn places(format: Format) -> Vec<Place> {
    let prompt = prompt::CHANNELS.into_iter().filter(|c| prompt::has(format, *c)).map(Place::Prompt);
    let answer = [Channel::Assistant, Channel::ToolArguments, Channel::Reasoning];
    let answer = answer.into_iter().filter(|c| match format {
        Format::Chat | Format::Responses | Format::Messages => true,
        Format::Completions => *c == Channel::Assistant,
        Format::Embeddings | Format::CountTokens | Format::Models => false,
    });
    prompt.chain(answer.map(Place::Answer)).chain([Place::Nowhere]).collect()
}

/// One exchange; an error says what was not enforced.
async fn drive(kit: &Kit<'_>, gateway: &Arc<Gateway>, actor: &Actor, case: &Case) -> Result<(), String> {
    let (plant, channel) = match case.place {
        Place::Prompt(channel) => (Some((channel, kit.canary)), None),
        Place::Answer(channel) => (None, Some(channel)),
        Place::Nowhere => (None, None),
    };
    actor.prepare(channel);
    let body = prompt::write(case.format, &case.model, case.stream, plant);
    let request = Request::builder()
        .method(Method::POST)
        .uri(case.format.path())
        .header(header::AUTHORIZATION, format!("Bearer {}", kit.key))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| e.to_string())?;
    let peer = Peer { ip: None, listener: "self-test".into() };
    let exchange = async {
        let response = gateway.handle(request, peer, None).await;
        let closes = response.headers().get(header::CONNECTION).is_some_and(|v| v == "close");
        let mut seen = Seen { status: response.status().as_u16(), closes, ..Seen::default() };
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => seen.said.extend_from_slice(frame.data_ref().map_or(&[][..], AsRef::as_ref)),
                // A cut ends the body with an error, after what was released.
                Err(_) => seen.closes = true,
            }
        }
        seen
    };
    let mut seen = timeout(PATIENCE, exchange).await.map_err(|_| "the exchange did not end")?;
    seen.heard = actor.heard();
    judge(case, &seen, kit.canary)
}

/// What became of an exchange, on both sides of the gateway.
#[derive(Debug, Default)]
struct Seen {
    status: u16,
    /// What the caller got.
    said: Vec<u8>,
    /// The connection ends with the answer, or the answer with the connection.
    closes: bool,
    /// What the provider got.
    heard: Vec<u8>,
}

/// Whether what was to be done was done, and nothing else stood in for it.
fn judge(case: &Case, seen: &Seen, canary: &str) -> Result<(), String> {
    if matches!(case.place, Place::Prompt(_)) && holds(&seen.heard, canary.as_bytes()) {
        return Err("the canary reached the provider".into());
    }
    if reaches(case, &seen.said, canary) {
        return Err("the canary reached the caller".into());
    }
    let refuses = matches!(case.action, Action::Refuse | Action::Cut);
    let code = match case.place {
        Place::Prompt(_) if refuses => Some(Code::PromptRefused),
        Place::Answer(_) if refuses => Some(Code::AnswerRefused),
        _ => None,
    };
    // A prompt that is refused does not leave; everything else does, or it was not the answer that was looked at.
    match (code, seen.heard.is_empty()) {
        (Some(Code::PromptRefused), false) => return Err("a prompt that was to be refused left".into()),
        (None | Some(Code::AnswerRefused), true) => {
            return Err(format!("the exchange never reached the provider: {}", seen.summary()));
        }
        _ => {}
    }
    let Some(code) = code else {
        let well = seen.status == 200 && !seen.closes && !says_error(&seen.said);
        return if well { Ok(()) } else { Err(format!("an exchange that should pass ended with {}", seen.summary())) };
    };
    if !holds(&seen.said, code.id().as_bytes()) {
        return Err(format!("the exchange was to end with {} and ended with {}", code.id(), seen.summary()));
    }
    if (case.action == Action::Cut) != seen.closes {
        return Err(format!("cut and refused are not told apart: {}", seen.summary()));
    }
    Ok(())
}

impl Seen {
    fn summary(&self) -> String {
        let start: String = String::from_utf8_lossy(&self.said).chars().take(200).collect();
        format!("status {}: {start}", self.status)
    }
}

/// Whether the canary, or so much as a delta of it, is in what the caller got: as it stands there, or put together from the
/// deltas.
fn reaches(case: &Case, said: &[u8], canary: &str) -> bool {
    // Looked for in the bytes, so that it does not depend on our own reading of them. The first piece may be an ordinary word.
    if actor::pieces(canary).skip(1).any(|piece| holds(said, piece.as_bytes())) {
        return true;
    }
    if !case.stream {
        let answer = Answer::read(case.format, Bytes::copy_from_slice(said), &Limits::default());
        return answer.is_ok_and(|a| a.document.leaves().any(|leaf| leaf.text.contains(canary)));
    }
    let mut events = Events::new(case.format, Limits::default());
    events.push(Bytes::copy_from_slice(said));
    let mut grown: BTreeMap<u32, String> = BTreeMap::new();
    while let Ok(Some(event)) = events.next_event() {
        for leaf in event.document.leaves() {
            if let Some(n) = leaf.grows {
                grown.entry(n).or_default().push_str(leaf.text);
            }
        }
    }
    grown.values().any(|text| text.contains(canary))
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    memchr::memmem::find(bytes, what).is_some()
}

fn says_error(said: &[u8]) -> bool {
    // An answer that went well may say `"error":null`.
    [&b"\"error\":{"[..], b"content_filter", b"event: error"].iter().any(|mark| holds(said, mark))
}

/// For one exchange, with an actor that answers at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a canary whose six pieces are long enough that none stands anywhere by chance. Of a piece of four hexadecimal
/// digits, one start in a few hundred found it in the id of a refused request.
const SHORTEST: usize = 66;

#[cfg(test)]
mod tests;
