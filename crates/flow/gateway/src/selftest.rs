//! Proves, before anything is bound, that what is configured is enforced: a canary is driven through every route, format,
//! whole and streaming, channel and action, and must arrive nowhere.
//!
//! The exchanges run through the real pipeline with the deployment's own guards, routes and translations; only the
//! provider is played by an actor, and the audit log is a throw-away one.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use countersign_core::{Action, Channel, Format, life::Peer};
use countersign_provider::Dial;
use countersign_wire::{Limits, answer::Answer, stream::Events};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};

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
    let response = gateway.handle(request, peer, None).await;
    let status = response.status().as_u16();
    // A cut ends the body with an error, after what was released.
    let mut said = Vec::new();
    let mut body = response.into_body();
    let mut cut = false;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => said.extend_from_slice(frame.data_ref().map_or(&[][..], AsRef::as_ref)),
            Err(_) => cut = true,
        }
    }
    if holds(&actor.heard(), kit.canary) && matches!(case.place, Place::Prompt(_)) {
        return Err("the canary reached the provider".into());
    }
    if reaches(case, &said, kit.canary) {
        return Err("the canary reached the caller".into());
    }
    let ended_well = status == 200 && !cut && !says_error(&said);
    let may_pass = case.place == Place::Nowhere || case.action == Action::Mask;
    match (may_pass, ended_well) {
        (true, false) => Err(format!(
            "an exchange that should pass ended with status {status}: {}",
            String::from_utf8_lossy(&said).chars().take(200).collect::<String>()
        )),
        (false, true) => Err("the exchange ended as if nothing had happened".into()),
        _ => Ok(()),
    }
}

/// Whether the canary is in what the caller got, in one piece or put together from the deltas.
fn reaches(case: &Case, said: &[u8], canary: &str) -> bool {
    if holds(said, canary) {
        return true;
    }
    if !case.stream {
        let answer = Answer::read(case.format, Bytes::copy_from_slice(said), &Limits::default());
        return answer.is_ok_and(|a| a.document.leaves().any(|leaf| leaf.text.contains(canary)));
    }
    let mut events = Events::new(case.format, Limits::default());
    events.push(Bytes::copy_from_slice(said));
    let mut grown: Vec<String> = Vec::new();
    while let Ok(Some(event)) = events.next_event() {
        for leaf in event.document.leaves() {
            let Some(n) = leaf.grows.map(|n| n as usize) else { continue };
            grown.resize(grown.len().max(n + 1), String::new());
            grown[n].push_str(leaf.text);
        }
    }
    grown.iter().any(|text| text.contains(canary))
}

fn holds(bytes: &[u8], canary: &str) -> bool {
    bytes.windows(canary.len()).any(|w| w == canary.as_bytes())
}

fn says_error(said: &[u8]) -> bool {
    // An answer that went well may say `"error":null`.
    [&b"\"error\":{"[..], b"content_filter", b"event: error"]
        .iter()
        .any(|mark| said.windows(mark.len()).any(|w| w == *mark))
}
