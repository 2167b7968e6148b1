//! Keeps the account of one request from its arrival to its end, and puts it on record exactly once: refused before it
//! left, ended after it left, or abandoned by the caller in between.

use std::{borrow::Cow, sync::Arc, time::Duration};

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use countersign_audit::{
    Audit, Outcome, Refused,
    record::{Answered, Judged},
};
use countersign_core::{
    Call, Charge, Code, ConversationName, Document, Event, Finding, Format, Glimpse, Onlooker, Principal, Refusal,
    RequestId, Side, Timestamp,
    charge::Ending,
    life::{Dispatched, Intended, Peer, Released},
    principal::Method,
};
use countersign_guard::Withheld;
use countersign_policy::Stage as Policy;
use countersign_wire::Usage;

use crate::{Gateway, Route, Stages, called::Called};

/// The account of one request.
///
/// Dropping it settles it too: a caller who goes away leaves a record like everyone else.
pub(crate) struct Ledger(Option<Box<Account>>);

struct Account {
    audit: Arc<Audit>,
    onlooker: Option<Arc<dyn Onlooker>>,
    gateway: Arc<Gateway>,
    request: RequestId,
    at: Timestamp,
    peer: Peer,
    route: &'static str,
    principal: Option<Arc<Principal>>,
    call: Option<Call>,
    /// Index of the intent's record, once there is one.
    record: Option<u64>,
    conversation: Option<ConversationName>,
    /// What budgets have set aside, to be settled whatever happens.
    charge: Option<(Arc<Policy>, Arc<Charge>)>,
    /// Whether any of the request may have reached a provider, as far as budgets are concerned: from the moment it may leave.
    left: bool,
    /// The tools that the answer called.
    tools: Called,
    called: bool,
    target: Option<Arc<str>>,
    /// What was found in a prompt that has left; its record holds it.
    screened: Vec<Finding>,
    glimpse: Glimpse,
    /// What was found and is not on record yet: in the prompt, and after it has left, in the answer.
    findings: Vec<Finding>,
    /// What another model was asked about the prompt, and what it found.
    judged: Option<Judged>,
    judged_findings: Vec<Finding>,
    usage: Option<Usage>,
    /// Nothing is to come that would change what was used.
    usage_is_final: bool,
    bytes: u64,
    kept: BytesMut,
    whole: Option<Bytes>,
    digest: Option<digest::Context>,
    refusal: Option<Refusal>,
    /// The refusal is counted with others like it and not recorded by itself.
    counted: bool,
    complete: bool,
    span: tracing::Span,
}

impl Ledger {
    pub(crate) fn open(
        stages: &Stages,
        gateway: Arc<Gateway>,
        request: RequestId,
        at: Timestamp,
        peer: Peer,
        route: Option<Route>,
    ) -> Self {
        gateway.metrics().in_flight.inc();
        let route = route.map_or("unknown", Route::as_str);
        let span = tracing::info_span!(
            "gateway.request",
            "countersign.request" = %request,
            "otel.kind" = "server",
            "gen_ai.operation.name" = tracing::field::Empty,
            "countersign.route" = route,
            "gen_ai.request.model" = tracing::field::Empty,
            "gen_ai.usage.input_tokens" = tracing::field::Empty,
            "gen_ai.usage.output_tokens" = tracing::field::Empty,
            "server.address" = tracing::field::Empty,
            "error.type" = tracing::field::Empty,
        );
        Self(Some(Box::new(Account {
            audit: stages.audit.clone(),
            onlooker: stages.onlooker.clone(),
            gateway,
            request,
            at,
            peer,
            route,
            principal: None,
            call: None,
            record: None,
            conversation: None,
            charge: None,
            left: false,
            tools: Called::default(),
            called: false,
            target: None,
            screened: Vec::new(),
            glimpse: Glimpse::NONE,
            findings: Vec::new(),
            judged: None,
            judged_findings: Vec::new(),
            usage: None,
            usage_is_final: false,
            bytes: 0,
            kept: BytesMut::new(),
            whole: None,
            digest: None,
            refusal: None,
            counted: false,
            complete: false,
            span,
        })))
    }

    /// Hands the account on; this one is left empty.
    pub(crate) const fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    fn note(&mut self, write: impl FnOnce(&mut Account)) {
        if let Some(account) = &mut self.0 {
            write(account);
        }
    }

    pub(crate) fn identified(&mut self, principal: &Arc<Principal>) {
        self.note(|a| a.principal = Some(principal.clone()));
    }

    /// What was asked for. A model that nobody serves is not named: whatever a caller wrote there would stand in the
    /// record in the clear.
    pub(crate) fn asked(&mut self, call: &Call, served: bool) {
        self.note(|a| {
            let mut call = call.clone();
            if !served {
                call.model = "(unknown)".into();
            }
            a.call = Some(call);
        });
    }

    /// Budgets have set aside what the request may cost.
    pub(crate) fn reserved(&mut self, policy: &Arc<Policy>, charge: &Arc<Charge>) {
        self.note(|a| a.charge = Some((policy.clone(), charge.clone())));
    }

    pub(crate) fn intended(&mut self, intended: &Intended) {
        self.note(|a| {
            a.record = Some(intended.record());
            a.conversation = intended.conversation().cloned();
            // Whoever goes away from now on cannot say that nothing was sent.
            a.left = true;
            // Known to be a configured model only now; before, it is whatever a caller wrote.
            a.span.record("gen_ai.request.model", &*intended.call().model);
            a.span.record("gen_ai.operation.name", operation(intended.call().format));
            a.screened = std::mem::take(&mut a.findings);
        });
    }

    /// Another model was asked about the prompt.
    pub(crate) fn judged(&mut self, judged: Judged) {
        self.note(|a| {
            a.gateway.metrics().judged(&judged);
            a.judged = Some(judged);
        });
    }

    /// What it found.
    pub(crate) fn saw_judged(&mut self, findings: &[Finding]) {
        self.note(|a| {
            a.gateway.metrics().found(findings);
            a.judged_findings = findings.to_vec();
        });
    }

    /// A request that was refused before any provider was asked to answer it.
    pub(crate) fn stayed(&mut self, refusal: Refusal) -> Refusal {
        self.note(|a| a.left = false);
        refusal
    }

    pub(crate) fn dispatched(&mut self, dispatched: &Dispatched) {
        self.note(|a| {
            a.called = true;
            a.span.record("server.address", &**dispatched.target());
            a.target = Some(dispatched.target().clone());
        });
    }

    /// A request that no provider answered.
    pub(crate) fn undelivered(&mut self, (refusal, called): (Refusal, Option<Arc<str>>)) -> Refusal {
        self.note(|a| {
            a.called = called.is_some();
            a.left = a.called;
            a.target = called;
        });
        refusal
    }

    /// Content that the guards withheld.
    pub(crate) fn withheld(&mut self, withheld: Withheld) -> Refusal {
        self.saw(&withheld.findings);
        self.glimpsed(*withheld.glimpse);
        withheld.refusal
    }

    /// What the guard saw of the prompt in passing.
    pub(crate) fn glimpsed(&mut self, glimpse: Glimpse) {
        // A withheld answer says nothing of the prompt.
        self.note(|a| {
            if glimpse != Glimpse::NONE {
                a.glimpse = glimpse;
            }
        });
    }

    /// What was found, in all, in the prompt or in the answer so far.
    pub(crate) fn saw(&mut self, findings: &[Finding]) {
        self.note(|a| {
            if a.findings.len() < findings.len() {
                let new = &findings[a.findings.len()..];
                a.gateway.metrics().found(new);
                a.findings.extend_from_slice(new);
            }
        });
    }

    /// What an answer, or an event of one, calls.
    pub(crate) fn calls(&mut self, answer: &Document) {
        self.note(|a| {
            if a.onlooker.is_some() {
                a.tools.read(answer);
            }
        });
    }

    /// What the provider has used so far.
    pub(crate) fn used(&mut self, usage: Usage) {
        self.note(|a| a.usage = Some(usage));
    }

    /// The provider has said its last word. Before that, some providers tell what is used as they go, which is no bill.
    pub(crate) fn all_used(&mut self) {
        self.note(|a| a.usage_is_final = true);
    }

    /// Bytes on their way to the caller.
    pub(crate) fn passing(&mut self, released: Released, last: bool) -> Released {
        self.note(|a| {
            let bytes = released.bytes();
            a.bytes += bytes.len() as u64;
            if last && a.digest.is_none() {
                // A whole answer is kept as it is, without a copy.
                a.whole = Some(bytes.slice(..bytes.len().min(KEPT)));
            } else {
                let room = KEPT.saturating_sub(a.kept.len()).min(bytes.len());
                a.kept.extend_from_slice(&bytes[..room]);
            }
            a.digest.get_or_insert_with(|| digest::Context::new(&digest::SHA256)).update(bytes);
        });
        released
    }

    /// The gateway answers by itself: puts on record what it did, and waits, no longer than `time`, until it is durable.
    pub(crate) async fn answered(&mut self, what: Cow<'static, str>, time: Duration) -> Result<(), Refusal> {
        let Some(account) = &mut self.0 else { return Ok(()) };
        let Some(principal) = &account.principal else {
            return Err(Refusal::new(Code::Internal, "nobody was identified"));
        };
        let answered = account.audit.answered(Answered {
            request: account.request,
            at: account.at.0,
            who: (&**principal).into(),
            from: (&account.peer).into(),
            what,
            findings: account.findings.as_slice().into(),
        });
        tokio::time::timeout(time, answered)
            .await
            .map_err(|_| Refusal::new(Code::AuditFailed, "the audit record was not durable in time"))??;
        account.complete = true;
        Ok(())
    }

    /// The answer came to its own end.
    pub(crate) fn complete(&mut self) {
        self.note(|a| a.complete = true);
    }

    /// The refusal to come is one of many, which are recorded as one.
    pub(crate) fn counted(&mut self) {
        self.note(|a| a.counted = true);
    }

    /// Who asks, where that is known.
    pub(crate) fn principal(&self) -> Option<&Arc<Principal>> {
        self.0.as_ref()?.principal.as_ref()
    }

    /// Whether the caller is known by an access token.
    pub(crate) fn is_by_token(&self) -> bool {
        let principal = self.0.as_ref().and_then(|account| account.principal.as_ref());
        principal.is_some_and(|principal| principal.method == Method::AccessToken)
    }

    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        self.note(|a| a.refusal = Some(refusal.clone()));
    }

    /// Puts the account on record and waits until it is durable.
    pub(crate) async fn settle(mut self) -> Result<(), Refusal> {
        match self.0.take() {
            Some(account) => account.settle().await,
            None => Ok(()),
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let Some(mut account) = self.0.take() else { return };
        if account.record.is_some() {
            // On its way when this returns; nobody is left to wait for it.
            drop(account.outcome());
        } else if account.refusal.is_none() {
            // Nothing is left to be put on record, so nothing to wait for.
            account.give_back();
            account.count(account.end());
        } else if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(account.settle());
        }
    }
}

impl Account {
    async fn settle(mut self: Box<Self>) -> Result<(), Refusal> {
        if self.record.is_some() {
            return self.outcome().await.map(drop);
        }
        let now = self.end();
        self.give_back();
        self.count(now);
        let Some(refusal) = self.refusal.take().filter(|_| !self.counted) else { return Ok(()) };
        let refused = Refused {
            request: self.request,
            at: now,
            peer: self.peer,
            who: self.principal,
            call: self.call,
            code: refusal.code,
            reason: refusal.reason.into_owned(),
            findings: self.findings,
            body: None,
        };
        self.audit.refused(refused).await
    }

    /// The outcome of a request that left.
    fn outcome(mut self) -> countersign_audit::Settled {
        let now = self.end();
        let back = self.give_back();
        self.count(now);
        let status = match (&self.refusal, self.complete) {
            // A stream that is refused after it began has had its status.
            (Some(_), _) if self.bytes > 0 => 200,
            (Some(refusal), _) => refusal.code.status(),
            (None, true) => 200,
            (None, false) => CLIENT_CLOSED,
        };
        let answer = self.whole.take().or_else(|| (!self.kept.is_empty()).then(|| self.kept.split().freeze()));
        let sha256 = self.digest.take().and_then(|d| d.finish().as_ref().try_into().ok());
        self.audit.settle(Outcome {
            request: self.request,
            record: self.record.unwrap_or_default(),
            tenant: self.principal.as_ref().map_or_else(|| "".into(), |p| p.tenant.clone()),
            subject: self.principal.as_ref().map_or_else(|| "".into(), |p| p.subject.clone()),
            conversation: self.conversation.take(),
            at: now,
            status,
            code: self.refusal.as_ref().map(|r| r.code),
            reason: self.refusal.take().map(|r| r.reason.into_owned()),
            target: self.target.take(),
            findings: {
                let mut findings = std::mem::take(&mut self.judged_findings);
                findings.append(&mut self.findings);
                findings
            },
            judged: self.judged.take(),
            input_tokens: self.usage.map(|u| u.input),
            output_tokens: self.usage.map(|u| u.output),
            back,
            answer,
            answer_sha256: sha256,
            bytes: self.bytes,
            duration: now.since(self.at),
            upstream_called: self.called,
        })
    }

    /// Settles what budgets have set aside, once.
    fn give_back(&mut self) -> Vec<(Arc<str>, i64)> {
        let Some((policy, charge)) = self.charge.take() else { return Vec::new() };
        let declined =
            |r: &Refusal| matches!(r.code, Code::ProviderRefused | Code::ProviderLimited | Code::ProviderDown);
        // What was used to judge it is used, at the price of the model that was asked for.
        let (input, output) = self.judged.as_ref().map_or((0, 0), |judged| (judged.input_tokens, judged.output_tokens));
        let ending = match (self.usage.filter(|_| self.usage_is_final), &self.refusal) {
            _ if !self.left && input.saturating_add(output) > 0 => Ending::Used { input, output },
            _ if !self.left => Ending::Stayed,
            (Some(usage), _) => {
                Ending::Used { input: usage.input.saturating_add(input), output: usage.output.saturating_add(output) }
            }
            (None, Some(refusal)) if declined(refusal) => Ending::Declined,
            (None, _) => Ending::Unknown,
        };
        policy.settle(self.request, &charge, ending)
    }

    /// The present time, or that of the arrival where the clock is what failed: the record is made all the same.
    fn end(&self) -> Timestamp {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.gateway.now())).unwrap_or(self.at)
    }

    /// What became of it, for those who look on.
    fn event(&self, ended: Timestamp) -> Event {
        let now = if self.record.is_some() { Side::Answer } else { Side::Prompt };
        let sides = [(Side::Prompt, &self.screened), (Side::Prompt, &self.judged_findings), (now, &self.findings)];
        Event {
            request: self.request,
            at: self.at,
            ended,
            from: self.peer.ip,
            who: self.principal.clone(),
            route: self.route,
            call: self.call.clone(),
            called: self.tools.of(self.call.as_ref().map_or(&[], |call| &call.tools)),
            target: self.target.clone(),
            refused: self.refusal.as_ref().map(|refusal| refusal.code),
            complete: self.complete,
            findings: sides.into_iter().flat_map(|(side, all)| all.iter().map(move |f| (side, f.clone()))).collect(),
            glimpse: self.glimpse,
            input_tokens: self.usage.map(|usage| usage.input),
            output_tokens: self.usage.map(|usage| usage.output),
            bytes: self.bytes,
            record: self.record,
        }
    }

    /// Metrics, trace, log line and those who look on; none of them is told content.
    fn count(&self, now: Timestamp) {
        let outcome = match (&self.refusal, self.complete) {
            (Some(refusal), _) => refusal.code.slug(),
            (None, false) => "client-closed",
            (None, true) => "ok",
        };
        let metrics = self.gateway.metrics();
        metrics.in_flight.dec();
        metrics.ended(self.route, outcome, now.since(self.at).as_secs_f64());
        if let Some(onlooker) = &self.onlooker {
            onlooker.saw(self.event(now));
        }
        if let (Some(usage), Some(call)) = (self.usage, &self.call) {
            metrics.used(call.format, usage.input, usage.output);
            self.span.record("gen_ai.usage.input_tokens", usage.input);
            self.span.record("gen_ai.usage.output_tokens", usage.output);
        }
        if let Some(refusal) = &self.refusal {
            self.span.record("error.type", refusal.code.id());
            if self.counted {
                return;
            }
            tracing::info!(parent: &self.span, request = %self.request, code = refusal.code.id(), reason = &*refusal.reason, "refused");
        }
    }
}

/// The operation's name in OpenTelemetry's conventions for generative AI.
const fn operation(format: Format) -> &'static str {
    match format {
        Format::Chat | Format::Responses | Format::Messages => "chat",
        Format::Completions => "text_completion",
        Format::Embeddings => "embeddings",
        Format::Models | Format::CountTokens => "other",
    }
}

/// What the record calls a request whose caller went away before the answer was complete.
pub const CLIENT_CLOSED: u16 = 499;

/// Bytes of an answer that are kept, sealed, with the outcome; its digest covers all of it.
const KEPT: usize = 256 * 1024;

#[cfg(test)]
mod tests;
