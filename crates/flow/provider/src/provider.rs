//! Routes a request to the targets that serve its model; retries and fails over where nothing is answered twice.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_core::{
    Clock, Code, Format, Refusal,
    life::{Dispatched, Intended, Stamp, stage},
};
use countersign_wire::translate;
use tokio::time::Instant;

use crate::{
    Dial, Target, Upstream,
    answer::after,
    attempt::{Asked, Known, attempt},
    breaker::Breaker,
    fault::{Again, Fault},
    model,
    pool::Pool,
    prepare::{self, Heads},
};

/// The provider stage.
pub struct Provider {
    stamp: Stamp<stage::Dispatch>,
    targets: Vec<Arc<Known>>,
    /// By the name callers use; the order is that of the configuration, which is the order of preference.
    routes: HashMap<Arc<str>, Vec<Route>>,
    models: Vec<Arc<str>>,
    dial: Arc<dyn Dial>,
    clock: Arc<dyn Clock>,
}

struct Route {
    known: Arc<Known>,
    /// The target's name for the model, where it differs.
    upstream: Option<Arc<str>>,
}

/// The targets do not hold together; the configuration's fault.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Two targets have one name.
    #[error("two targets are called `{0}`")]
    Twice(Arc<str>),
    /// A target names a model twice.
    #[error("target `{0}` names the model `{1}` twice")]
    ModelTwice(Arc<str>, Arc<str>),
    /// A model's upstream name cannot stand in a JSON string.
    #[error(
        "target `{0}`: the upstream name of the model `{1}` is empty or has quotes, backslashes or control characters"
    )]
    UpstreamName(Arc<str>, Arc<str>),
    /// No request can be made of what the target gives; names the part, never a key.
    #[error("target `{0}`: {1}; its key, address, deployment or api version has characters that cannot be sent")]
    Head(Arc<str>, countersign_http1::Error),
}

impl Provider {
    /// Builds the stage. Nothing is dialled.
    ///
    /// # Errors
    /// [`BuildError`], which names the target.
    pub fn new(
        stamp: Stamp<stage::Dispatch>,
        targets: Vec<Target>,
        dial: Arc<dyn Dial>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BuildError> {
        let mut known: Vec<Arc<Known>> = Vec::new();
        let mut routes: HashMap<Arc<str>, Vec<Route>> = HashMap::new();
        let mut models = Vec::new();
        for target in targets {
            if known.iter().any(|k| k.target.name == target.name) {
                return Err(BuildError::Twice(target.name));
            }
            let heads = Heads::new(&target).map_err(|e| BuildError::Head(target.name.clone(), e))?;
            let pool = Pool::new(target.connections);
            let this = Arc::new(Known { target, heads, pool, breaker: Breaker::default() });
            for model in &this.target.models {
                if !model::is_plain(&model.upstream) {
                    return Err(BuildError::UpstreamName(this.target.name.clone(), model.name.clone()));
                }
                let route = routes.entry(model.name.clone()).or_default();
                if route.iter().any(|r| Arc::ptr_eq(&r.known, &this)) {
                    return Err(BuildError::ModelTwice(this.target.name.clone(), model.name.clone()));
                }
                if route.is_empty() {
                    models.push(model.name.clone());
                }
                let upstream = (model.upstream != model.name).then(|| model.upstream.clone());
                route.push(Route { known: Arc::clone(&this), upstream });
            }
            known.push(this);
        }
        Ok(Self { stamp, targets: known, routes, models, dial, clock })
    }

    /// The models callers may name, in the order of the configuration, each once.
    #[must_use]
    pub fn models(&self) -> Vec<Arc<str>> {
        self.models.clone()
    }

    /// Whether a target serves `model` to callers who ask in `format`.
    #[must_use]
    pub fn serves(&self, model: &str, format: Format) -> bool {
        self.routes(model).iter().any(|r| translate::can(format, r.known.target.dialect.speaks()).is_some())
    }

    /// Each target's name and what its breaker does now, for health and metrics.
    #[must_use]
    pub fn health(&self) -> Vec<(Arc<str>, crate::Phase)> {
        let now = self.clock.now();
        self.targets.iter().map(|k| (k.target.name.clone(), k.breaker.phase(now))).collect()
    }

    /// Has the request answered.
    ///
    /// A request is sent again only where it was not worked on: the connection could not be made, or the provider said so
    /// by its status; at most twice, at the next target that serves the model before the same one again, and never
    /// once a byte of an answer may have been handed on.
    ///
    /// # Errors
    /// The refusal, and the target that any of the request may have reached last. `CS0701` when no target serves the model
    /// in the caller's format, `CS0707` when all that do are being left alone, `CS0702` to `CS0706` for what the last
    /// target did; a caller's own fault when its request has no translation.
    pub async fn dispatch(&self, intended: Intended) -> Result<(Dispatched, Upstream), (Refusal, Option<Arc<str>>)> {
        let call = intended.call();
        let stream = call.stream && call.format.streams();
        let start = Instant::now();
        let (mut round, mut tries, mut called) = (0, 0, None);
        let mut settled: Vec<&Arc<str>> = Vec::new();
        let mut served = false;
        loop {
            let mut last: Option<Fault> = None;
            for route in self.routes(&call.model) {
                let known = &route.known;
                let Some(format) = translate::can(call.format, known.target.dialect.speaks()) else { continue };
                served = true;
                if settled.contains(&&known.target.name) {
                    continue;
                }
                let fault = match prepare::body(call.format, format, route.upstream.as_deref(), intended.body()) {
                    Err(refusal) => Fault::unsent(refusal),
                    Ok(_) if !known.breaker.admits(self.clock.now()) => continue,
                    Ok(body) => {
                        tries += 1;
                        let deadline = start + known.target.timeouts.total.min(LONGEST);
                        let asked = Asked { caller: call.format, target: format, stream, body, deadline };
                        match attempt(known, self.dial.as_ref(), &self.clock, asked).await {
                            Ok(upstream) => {
                                let target = known.target.name.clone();
                                return Ok((Dispatched::new(&self.stamp, intended, target), upstream));
                            }
                            Err(fault) => fault,
                        }
                    }
                };
                known.note(&fault, self.clock.now());
                if fault.called {
                    called = Some(known.target.name.clone());
                }
                if fault.again == Again::No || tries > RETRIES {
                    return Err((fault.refusal, called));
                }
                if fault.again == Again::Elsewhere {
                    settled.push(&known.target.name);
                }
                // What may pass is worth another round, whatever the others said.
                if fault.again == Again::Anywhere || last.is_none() {
                    last = Some(fault);
                }
            }
            // All have had their turn; what they said decides whether to go round again, and when.
            let Some(fault) = last.take() else {
                return Err((self.nobody(&call.model, served), called));
            };
            let wait = fault.refusal.retry_after.unwrap_or_else(|| pause(round, intended.request().bits()));
            if fault.again != Again::Anywhere || wait > LONGEST_PAUSE {
                return Err((fault.refusal, called));
            }
            tokio::time::sleep_until(after(wait)).await;
            round += 1;
        }
    }

    /// Asks a model a question of the gateway's own about a request whose intent is on record, in the chat format; who answered, and
    /// what. Each target that serves the model is asked once at most, and all is over `within` that time. What was not answered for want
    /// of it does not count against a target: other questions may be given more.
    ///
    /// # Errors
    /// What the last target did, or that there was none to ask.
    pub async fn consult(
        &self,
        _: &Intended,
        model: &str,
        question: &Bytes,
        within: Duration,
    ) -> Result<(Arc<str>, Bytes), Refusal> {
        let deadline = after(within);
        let mut last = None;
        for route in self.routes(model) {
            let known = &route.known;
            let Some(format) = translate::can(Format::Chat, known.target.dialect.speaks()) else { continue };
            let body = match prepare::body(Format::Chat, format, route.upstream.as_deref(), question) {
                Ok(body) if known.breaker.admits(self.clock.now()) => body,
                Ok(_) => continue,
                Err(refusal) => {
                    last = Some(refusal);
                    continue;
                }
            };
            let asked = Asked { caller: Format::Chat, target: format, stream: false, body, deadline };
            match attempt(known, self.dial.as_ref(), &self.clock, asked).await {
                Ok(Upstream::Whole(body)) => return Ok((known.target.name.clone(), body)),
                Ok(Upstream::Stream(_)) => {
                    last = Some(Refusal::new(Code::Internal, "a question was answered by a stream"))
                }
                Err(fault) => {
                    if Instant::now() >= deadline {
                        return Err(fault.refusal);
                    }
                    known.note(&fault, self.clock.now());
                    last = Some(fault.refusal);
                }
            }
        }
        Err(last.unwrap_or_else(|| self.nobody(model, self.serves(model, Format::Chat))))
    }

    fn routes(&self, model: &str) -> &[Route] {
        self.routes.get(model).map(Vec::as_slice).unwrap_or_default()
    }

    /// Why no target was asked.
    fn nobody(&self, model: &str, served: bool) -> Refusal {
        if !served {
            return Refusal::new(Code::NoSuchModel, "no target serves the model in this format");
        }
        let now = self.clock.now();
        let wait = self.routes(model).iter().map(|r| r.known.breaker.wait(now)).min();
        let reason = "every target of the model has failed lately and is being left alone";
        Refusal { retry_after: wait, ..Refusal::new(Code::ProviderDown, reason) }
    }
}

/// How long to wait before going round again: 100 ms, then twice as long each time, give or take half, so that requests
/// which failed together do not come back together. The request's id is random enough for that.
fn pause(round: u32, request: u128) -> Duration {
    let base = FIRST_PAUSE.saturating_mul(1 << round.min(8));
    let share = (request >> (8 * (round % 8))) as u8;
    base / 2 + base * u32::from(share) / 255
}

/// Attempts after the first.
const RETRIES: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A provider that wants a longer pause is not waited for: the caller is told how long instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests;
