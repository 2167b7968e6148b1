//! The request's life, stage by stage. Read `steps` to know what the product does.

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use countersign_audit::{Audit, record};
use countersign_core::{
    Clock, Code, Format, Onlooker, Refusal, RequestId, Timestamp,
    life::{Identified, Peer, Stamp, stage},
};
use countersign_guard::Guard;
use countersign_identity::{Identity, Presented, Strangers};
use countersign_policy::{Administer, Stage as Policy, budget::Weight};
use countersign_provider::{Provider, Upstream};
use countersign_wire::{WireError, answer::Answer, ask::Ask};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header, request::Parts};
use http_body::Body;
use tokio::sync::watch;

use crate::{
    AnswerBody, Asked, Assessor, Desk, Door, Resource, Route,
    answer::Pump,
    cookie, desk, intake,
    ledger::Ledger,
    metrics::Metrics,
    quota,
    resource::Scheme,
    speak::{Shown, Speaker, name_request},
    told,
};

/// The stages, as configured. A reload puts a new set in place; requests in flight end with the set they began with.
pub struct Stages {
    /// Who asks.
    pub identity: Arc<Identity>,
    /// May they.
    pub policy: Arc<Policy>,
    /// Is it safe.
    pub guard: Arc<Guard>,
    /// Who answers.
    pub provider: Arc<Provider>,
    /// What happened.
    pub audit: Arc<Audit>,
    /// How another model is asked about what the guard doubts, where one is.
    pub assessor: Option<Arc<Assessor>>,
    /// What clients find the issuers of tokens by, where there are any.
    pub resource: Option<Resource>,
    /// Who serves what is asked of the gateway itself, where that is served.
    pub desk: Option<Arc<dyn Desk>>,
    /// Who is told of every request that is over.
    pub onlooker: Option<Arc<dyn Onlooker>>,
}

/// Bounds on a single request.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Sizes and depths of requests.
    pub wire: countersign_wire::Limits,
    /// Sizes and depths of whole answers and of events. An answer may hold thousands of embeddings.
    pub answer: countersign_wire::Limits,
    /// For a body to arrive.
    pub body_time: Duration,
    /// For the audit record to be durable.
    pub audit_time: Duration,
    /// For a connection that is cut to write why.
    pub last_words: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wire: countersign_wire::Limits::default(),
            answer: countersign_wire::Limits {
                body: 32 << 20,
                nodes: 4_000_000,
                ..countersign_wire::Limits::default()
            },
            body_time: Duration::from_secs(30),
            audit_time: Duration::from_secs(10),
            last_words: Duration::from_millis(50),
        }
    }
}

/// Everything between the listener and the providers.
pub struct Gateway {
    stages: ArcSwap<Stages>,
    speaker: Speaker,
    clock: Arc<dyn Clock>,
    random: Box<dyn Fn() -> [u8; 10] + Send + Sync>,
    limits: Limits,
    metrics: Metrics,
    strangers: Strangers,
    /// Tells answers in flight to look whether their credentials still stand.
    standing: watch::Sender<()>,
}

/// A request at the door.
struct Arrival<B> {
    parts: Parts,
    body: B,
    peer: Peer,
    certificate: Option<Arc<[u8]>>,
    now: Timestamp,
    request: RequestId,
}

/// What a refusal needs of the request it answers.
struct Arrived {
    route: Option<Route>,
    /// There where the desk says it.
    uri: Option<Uri>,
    scheme: Scheme,
}

impl Gateway {
    /// Puts the stages together. `random` yields 80 fresh random bits for each request's id.
    pub fn new(
        stamp: Stamp<stage::Speak>,
        stages: Stages,
        limits: Limits,
        clock: Arc<dyn Clock>,
        random: Box<dyn Fn() -> [u8; 10] + Send + Sync>,
    ) -> Arc<Self> {
        let metrics = Metrics::new();
        Arc::new(Self {
            stages: ArcSwap::from_pointee(stages),
            speaker: Speaker::new(stamp),
            clock,
            random,
            limits,
            metrics,
            strangers: Strangers::default(),
            standing: watch::Sender::new(()),
        })
    }

    /// Puts another set of stages in place for the requests that come from now on.
    pub fn replace(&self, stages: Stages) {
        self.stages.store(Arc::new(stages));
    }

    /// Has every answer in flight look at once whether its credential still stands. To be called after anything was revoked; without
    /// it they look before each piece, and four times a second while the provider says nothing.
    pub fn recheck(&self) {
        self.standing.send_replace(());
    }

    pub(crate) fn rechecks(&self) -> watch::Receiver<()> {
        self.standing.subscribe()
    }

    /// The stages in place.
    pub fn stages(&self) -> Arc<Stages> {
        self.stages.load_full()
    }

    /// Takes one request through its life. Never fails: what goes wrong is a refusal, on record.
    pub async fn handle<B>(
        self: &Arc<Self>,
        request: Request<B>,
        peer: Peer,
        certificate: Option<Arc<[u8]>>,
    ) -> Response<AnswerBody>
    where
        B: Body<Data = Bytes> + Send,
    {
        let (parts, body) = request.into_parts();
        let stages = self.stages.load_full();
        let desk = stages.desk.as_ref().and_then(|desk| desk.door(&peer.listener, parts.uri.path()));
        let found = desk.map_or_else(|| Route::find(&parts.method, &parts.uri), |door| Ok(Route::Desk(door)));
        let route = found.as_ref().ok().copied();
        let proof = parts.headers.contains_key("dpop");
        let scheme = if proof { Scheme::Dpop } else { Scheme::Bearer };
        let arrived = Arrived { route, uri: desk.map(|_| parts.uri.clone()), scheme };
        // Without a time and randomness a request has no name, but its caller has an answer and the log a record.
        let named = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let now = self.now();
            (now, RequestId::new(now, (self.random)()))
        }));
        let Ok((now, id)) = named else {
            let id = RequestId::new(Timestamp::default(), [0; 10]);
            let ledger = Ledger::open(&stages, self.clone(), id, Timestamp::default(), peer, route);
            return self
                .refuse(
                    &stages,
                    arrived,
                    Refusal::new(Code::Internal, "the clock or the random source failed"),
                    ledger,
                    id,
                )
                .await;
        };
        match route {
            Some(Route::Health) => return self.speaker.text(200, "ok\n"),
            Some(Route::Ready) => return self.ready(&stages),
            Some(Route::Resource) => {
                if let Some(resource) = &stages.resource {
                    return self.speaker.resource(resource);
                }
            }
            _ => {}
        }
        let mut ledger = Ledger::open(&stages, self.clone(), id, now, peer.clone(), route);
        let arrival = Arrival { parts, body, peer, certificate, now, request: id };
        let life = self.clone().steps(&stages, found, arrival, &mut ledger);
        // A panic in any stage refuses like an error.
        let outcome = AssertUnwindSafe(life).catch_unwind().await;
        let mut response = match outcome {
            Ok(Ok(response)) => response,
            Ok(Err(refusal)) => self.refuse(&stages, arrived, refusal, ledger, id).await,
            Err(_) => self.refuse(&stages, arrived, Refusal::new(Code::Internal, "a stage panicked"), ledger, id).await,
        };
        if proof {
            Speaker::offer(response.headers_mut(), &stages.identity.nonce(now));
        }
        response
    }

    /// The request's life.
    async fn steps<B>(
        self: Arc<Self>,
        stages: &Stages,
        found: Result<Route, Refusal>,
        arrival: Arrival<B>,
        ledger: &mut Ledger,
    ) -> Result<Response<AnswerBody>, Refusal>
    where
        B: Body<Data = Bytes> + Send,
    {
        let Arrival { parts, body, peer, certificate, now, request } = arrival;

        // Who asks: from the headers alone, before anything of a stranger's body is read.
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let from = peer.ip;
        if let Ok(Route::Desk(Door::Open)) = found {
            let asked =
                Asked { who: None, id: request, at: now, peer, request: Request::from_parts(parts, Bytes::new()) };
            let served = self.desk(stages, asked, body, desk::OPEN_BODY, ledger).await;
            return served.map_err(|refusal| self.stranger(refusal, from, now, ledger));
        }
        let cookie = match &found {
            Ok(Route::Desk(_)) => cookie::find(&parts.headers),
            _ => Ok(None),
        };
        let presented = Presented::gather(headers, certificate.as_deref()).and_then(|credentials| {
            Ok(Presented {
                cookie: cookie?,
                method: parts.method.as_str(),
                path: parts.uri.path(),
                origin: stages.resource.as_ref().map(Resource::origin),
                ..credentials
            })
        });
        let identified = match presented {
            Ok(presented) => stages.identity.identify(request, now, peer, &presented).await,
            Err(refusal) => Err(refusal),
        };
        let identified = identified.map_err(|refusal| self.stranger(refusal, from, now, ledger))?;
        ledger.identified(identified.principal());

        // How often: before a body is read or anything is answered.
        let share = stages.policy.share(&identified)?;

        // What for.
        let format = match found? {
            Route::Api(Format::Models) => return self.models(stages, &identified, &parts.headers, ledger).await,
            Route::Metrics => return self.observe(stages, &identified, ledger).await,
            Route::Inspect(shape) => {
                return self.inspect(stages, &identified, shape, (&parts.headers, body), ledger).await;
            }
            Route::Anonymize => return self.anonymize(stages, &identified, (&parts.headers, body), ledger).await,
            Route::Entities => return self.entities(stages, &identified, ledger).await,
            Route::Desk(_) => {
                let (peer, who) = (identified.peer().clone(), Some(Arc::new(identified)));
                let asked =
                    Asked { who, id: request, at: now, peer, request: Request::from_parts(parts, Bytes::new()) };
                return self.desk(stages, asked, body, self.limits.wire.body, ledger).await;
            }
            Route::Api(format) => format,
            Route::Resource => return Err(Refusal::new(Code::NoSuchRoute, "no issuer is configured")),
            Route::Health | Route::Ready => return Err(Refusal::new(Code::Internal, "answered before")),
        };
        intake::announced(&parts.headers, &self.limits)?;
        let named = intake::conversation(&parts.headers)?;
        let body = intake::read(body, self.limits.wire.body, self.limits.body_time).await?;
        let bytes = body.len() as u64;
        let unread = |e: WireError| Refusal::new(e.code(), e.to_string());
        let mut ask = Ask::read(format, body, &self.limits.wire).map_err(unread)?;
        if ask.logprobs && stages.guard.strips_logprobs() {
            ask = ask.without_logprobs(format, &self.limits.wire).map_err(unread)?;
        }
        let served = stages.provider.serves(&ask.call.model, format);
        ledger.asked(&ask.call, served);
        no_logprobs(ask.logprobs, Code::NotPermitted)?;

        // May they, and is enough left.
        let permitted = stages.policy.permit(identified, ask.call)?;
        if !served {
            return Err(Refusal::new(Code::NoSuchModel, "no target serves the model in this format"));
        }
        let spotlit = stages.guard.spotlight(&ask.document, &ask.room, (self.random)())?;
        let marked = spotlit.as_ref().map_or(0, |marks| marks.weight(&ask.document) as u64);
        let weight = Weight { bytes: bytes.saturating_add(marked), answers: ask.answers };
        let reserved = stages.policy.reserve(permitted, share, weight).await?;
        ledger.reserved(&stages.policy, reserved.charge());
        let quotas = reserved.quotas().to_vec();

        // Is the prompt safe.
        let screened = stages
            .guard
            .screen(reserved, &ask.document, spotlit.as_ref(), named.as_ref())
            .map_err(|w| ledger.withheld(w))?;
        ledger.saw(screened.findings());
        ledger.glimpsed(screened.context().glimpse);

        // On record before anything leaves.
        let intended = tokio::time::timeout(self.limits.audit_time, stages.audit.intend(screened))
            .await
            .map_err(|_| Refusal::new(Code::AuditFailed, "the audit record was not durable in time"))??;
        ledger.intended(&intended);

        // What the detectors doubt, another model is asked about. It can refuse, and nothing else.
        let doubts = {
            let (judge, stand_ins) = (&*intended.permit().judge, intended.context().stand_ins.as_deref());
            stages.guard.doubts(&ask.document, intended.findings(), judge, stand_ins)
        };
        self.assess(stages, &intended, doubts, ledger).await.map_err(|refusal| ledger.stayed(refusal))?;

        // Who answers.
        let (dispatched, upstream) = stages.provider.dispatch(intended).await.map_err(|f| ledger.undelivered(f))?;
        ledger.dispatched(&dispatched);

        // May the answer return, and is it safe.
        let readmitted = stages.policy.readmit(dispatched, self.now())?;
        let mut response = match upstream {
            Upstream::Whole(body) => {
                let answer = Answer::read(format, body, &self.limits.answer)
                    .map_err(|e| Refusal::new(Code::ProviderMalformed, e.to_string()))?;
                no_logprobs(answer.logprobs, Code::AnswerRefused)?;
                if let Some(usage) = answer.usage {
                    ledger.used(usage);
                }
                ledger.all_used();
                ledger.calls(&answer.document);
                let (released, findings) = stages
                    .guard
                    .release_whole(&readmitted, &answer.document, self.now())
                    .map_err(|w| ledger.withheld(w))?;
                ledger.saw(&findings);
                let released = ledger.passing(released, true);
                ledger.complete();
                typed(AnswerBody::whole(released), JSON)
            }
            Upstream::Stream(upstream) => {
                let watch = stages.guard.watch(readmitted);
                let pump = Pump::new(self.clone(), upstream, watch, ledger.take(), format, request);
                match pump.open().await {
                    Ok(body) => typed(body, EVENTS),
                    Err((refusal, theirs)) => {
                        *ledger = theirs;
                        return Err(refusal);
                    }
                }
            }
        };
        name_request(response.headers_mut(), format, request);
        quota::tell(response.headers_mut(), format, &quotas, now);
        Ok(response)
    }

    /// Says a refusal, after it is on record. A refusal that cannot be recorded is still a refusal.
    async fn refuse(
        &self,
        stages: &Stages,
        arrived: Arrived,
        refusal: Refusal,
        mut ledger: Ledger,
        request: RequestId,
    ) -> Response<AnswerBody> {
        ledger.refused(&refusal);
        if refusal.code == Code::PromptRefused
            && let Some(who) = ledger.principal()
        {
            stages.policy.struck(who, self.now());
        }
        let shown = Shown { known: ledger.is_by_token(), scheme: arrived.scheme };
        let recorded = tokio::time::timeout(self.limits.audit_time, ledger.settle()).await;
        let refusal = if matches!(recorded, Ok(Ok(()))) {
            refusal
        } else {
            Refusal::new(Code::AuditFailed, "a refusal could not be recorded")
        };
        let words =
            stages.desk.as_ref().zip(arrived.uri).map(|(desk, uri)| desk.refusal(uri.path(), &refusal, request));
        let resource = stages.resource.as_ref();
        let mut response = self.speaker.refuse(arrived.route, &refusal, request, shown, resource, words);
        let format = arrived.route.map_or(Format::Chat, Route::format);
        quota::tell(response.headers_mut(), format, &refusal.quotas, self.now());
        response
    }
}

impl Gateway {
    fn ready(&self, stages: &Stages) -> Response<AnswerBody> {
        if stages.audit.healthy() {
            self.speaker.text(200, "ready\n")
        } else {
            self.speaker.text(503, "not ready: the audit log cannot be written\n")
        }
    }

    /// A refused credential. Past so many a minute from one place, the next are counted instead of recorded one by one, and
    /// told to slow down.
    fn stranger(&self, refusal: Refusal, from: Option<IpAddr>, now: Timestamp, ledger: &mut Ledger) -> Refusal {
        let unconfirmed = matches!(refusal.code, Code::UnconfirmedCredential | Code::NonceNeeded);
        // At an open door everything that is refused was a proof that did not hold.
        let counts = unconfirmed || matches!(refusal.code.status(), 400..500);
        let Some(wait) = counts.then(|| self.strangers.refused(from, now)).flatten() else {
            return refusal;
        };
        ledger.counted();
        // It may be a good one, which is not told to slow down: keys are back in a second or so, and a nonce is at hand.
        if unconfirmed {
            return refusal;
        }
        let reason = "too many refused credentials from the address";
        Refusal { retry_after: Some(wait), ..Refusal::new(Code::RateLimited, reason) }
    }

    /// Puts on record the strangers who were refused and only counted: those whose minute is over, or all. To be called every
    /// few seconds, and with `all` before the audit log is closed.
    pub async fn account_for_strangers(&self, all: bool) {
        for tally in self.strangers.tallies(self.now(), all) {
            let from = tally.from.to_string();
            tracing::warn!(from, count = tally.count, "strangers were refused too often to be recorded one by one");
            let tally = record::Strangers { from, count: tally.count, first: tally.first.0, last: tally.last.0 };
            if let Err(error) = self.stages().audit.strangers(tally).await {
                tracing::error!(%error, "refusals of strangers could not be recorded");
            }
        }
    }

    /// What the desk serves.
    async fn desk<B>(
        self: &Arc<Self>,
        stages: &Stages,
        mut asked: Asked,
        body: B,
        most: usize,
        ledger: &mut Ledger,
    ) -> Result<Response<AnswerBody>, Refusal>
    where
        B: Body<Data = Bytes> + Send,
    {
        let Some(desk) = &stages.desk else { return Err(Refusal::new(Code::NoSuchRoute, "there is no desk")) };
        *asked.request.body_mut() = intake::read(body, most, self.limits.body_time).await?;
        let lease = asked.who.as_ref().map(|who| who.principal().lease.clone());
        let said = desk.serve(asked).await?;
        if lease.is_some() {
            ledger.answered(said.what, self.limits.audit_time).await?;
        } else {
            ledger.complete();
        }
        Ok(match lease.zip(said.then) {
            None => self.speaker.desk(said.response),
            Some((lease, then)) => {
                let then = told::follow(self.clone(), lease, then);
                said.response.map(|first| AnswerBody::told(self.speaker.tell(first), then))
            }
        })
    }

    /// The models the caller may use, in the shape the caller's SDK expects.
    async fn models(
        &self,
        stages: &Stages,
        who: &Identified,
        headers: &HeaderMap,
        ledger: &mut Ledger,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let (principal, peer) = (who.principal(), who.peer());
        let mut models: Vec<(Arc<str>, u64)> = stages.provider.models().into_iter().map(|m| (m, 0)).collect();
        models.retain(|(m, _)| stages.policy.may_use(principal, peer, who.at(), m, Format::Models));
        ledger.answered("models".into(), self.limits.audit_time).await?;
        Ok(self.speaker.models(headers.contains_key("anthropic-version"), &models, who.request()))
    }

    /// The metrics, for whom policy permits to observe.
    async fn observe(
        &self,
        stages: &Stages,
        who: &Identified,
        ledger: &mut Ledger,
    ) -> Result<Response<AnswerBody>, Refusal> {
        stages.policy.administer(who, Administer::Observe)?;
        self.metrics.issuers(&stages.identity.tokens().status(who.at()), who.at());
        let text = self.metrics.text().map_err(|_| Refusal::new(Code::Internal, "metrics cannot be written"))?;
        ledger.answered("metrics".into(), self.limits.audit_time).await?;
        Ok(self.speaker.metrics(text))
    }

    /// A mark that nobody can foresee.
    pub(crate) fn mark(&self) -> String {
        (self.random)().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) const fn speaker(&self) -> &Speaker {
        &self.speaker
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The gateway's metrics.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// Log probabilities say the answer a second time, token by token, where no guard can put it together again.
pub(crate) fn no_logprobs(present: bool, code: Code) -> Result<(), Refusal> {
    if present { Err(Refusal::new(code, "log probabilities repeat the answer outside the guards")) } else { Ok(()) }
}

fn typed(body: AnswerBody, kind: &'static str) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream; charset=utf-8";
