//! What was asked of models and what was decided, request by request: the last of them, as they come, one by one, and in rates.
//!
//! Threats it answers: a reader who learns more than who, what and why (no text of a prompt or an answer is here); a slow reader
//! who holds requests up (whoever follows pulls, and is told what was missed).

use std::sync::Arc;

use bytes::Bytes;
use countersign_audit::find;
use countersign_core::{Alert, Code, Refusal, RequestId, Timestamp};
use countersign_policy::Administer;
use futures_util::stream;
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::time::{Duration, Instant, sleep_until, timeout};

use super::{
    Ask, Gives, Param, Permit, Reply, Route,
    ask::{malformed, nothing},
    because::Because,
    page::{self, List},
    proofs::beside,
    reply::JSON,
    schema,
};
use crate::{
    clock,
    console::{Console, Outcome, Row, Wanted},
    story,
};

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/traffic",
        permit: Permit::Action(Administer::ReadTraffic),
        name: "listTraffic",
        what: "List the last requests that are over, newest first: who asked for what, what was found, what was decided.",
        query: FILTERS,
        takes: None,
        gives: &[Gives { status: 200, what: "A page of requests.", body: Some((JSON, schema::<List<Seen>>)) }],
        run: |ask| Box::pin(async move { list(ask) }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/traffic/live",
        permit: Permit::Action(Administer::ReadTraffic),
        name: "followTraffic",
        what: "Follow requests as they end, as server-sent events, for as long as the credential stands.",
        query: &[],
        takes: None,
        gives: &[Gives {
            status: 200,
            what: "Events `requests` with the newest requests and how many were missed, and `alert`.",
            body: Some((EVENTS, schema::<String>)),
        }],
        run: |ask| Box::pin(async move { live(ask) }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/traffic/rates",
        permit: Permit::Action(Administer::ReadTraffic),
        name: "getRates",
        what: "How much was asked of models, refused and found, span by span, and which rules were met.",
        query: &[
            Param { name: "spans", what: "How many spans, 1 to 240; 60 unless told.", form: schema::<u16> },
            Param { name: "seconds", what: "How long each is, 1 to 3600; 60 unless told.", form: schema::<u16> },
        ],
        takes: None,
        gives: &[Gives { status: 200, what: "The rates.", body: Some((JSON, schema::<Rates>)) }],
        run: |ask| Box::pin(async move { rates(ask) }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/traffic/alerts",
        permit: Permit::Action(Administer::ReadTraffic),
        name: "listAlerts",
        what: "List the last alerts of the watch, newest first.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The alerts.", body: Some((JSON, schema::<List<Alarm>>)) }],
        run: |ask| Box::pin(async move { alerts(ask) }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/traffic/{id}",
        permit: Permit::Action(Administer::ReadTraffic),
        name: "getTraffic",
        what: "What became of one request, stage by stage, as the audit log has it.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "Its life.", body: Some((JSON, schema::<Life>)) }],
        run: |ask| Box::pin(life(ask)),
    },
];

const FILTERS: &[Param] = &[
    page::PARAMS[0],
    page::PARAMS[1],
    Param { name: "outcome", what: "`answered`, `refused` or `unfinished`.", form: schema::<Outcome> },
    Param { name: "who", what: "A part of `TENANT/SUBJECT`.", form: schema::<String> },
    Param { name: "model", what: "A part of the model's name.", form: schema::<String> },
    Param { name: "code", what: "The code of the refusal, as in `CS0501`.", form: schema::<String> },
    Param { name: "found", what: "A kind of finding, or what a rule's name begins with.", form: schema::<String> },
    Param { name: "own", what: "`true`: also what was asked of the gateway itself.", form: schema::<bool> },
];

/// A request that is over.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Seen {
    /// Where it stands in the list, as cursors count.
    #[serde(skip)]
    place: String,
    /// Its id.
    id: String,
    /// When it arrived, RFC 3339.
    at: String,
    /// From arrival to the end, in milliseconds.
    took_ms: f64,
    /// Who asked, where that was found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<crate::console::Who>,
    /// The caller's address; none over a Unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The route.
    route: String,
    /// The model that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Arc<str>>,
    /// Who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Arc<str>>,
    /// What became of it.
    outcome: Outcome,
    /// The code, where it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// What the code means.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    /// What was found: the first 16.
    found: Box<[crate::console::Found]>,
    /// Tokens of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    /// Tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    /// Bytes released to the caller.
    bytes: u64,
    /// Index in the audit log of the record that was made before it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<u64>,
}

/// A request's life.
#[derive(JsonSchema, Serialize)]
struct Life {
    /// The request as it is listed, where it is one of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Seen>,
    /// Its stages, in order.
    stages: Vec<story::Step>,
}

/// How much was asked, and what was found.
#[derive(JsonSchema, Serialize)]
struct Rates {
    /// When the last span ends, RFC 3339.
    until: String,
    /// How long each span is.
    seconds: u64,
    /// The spans, oldest first.
    spans: Vec<Rate>,
    /// The rules that were met, by name.
    rules: Vec<Rule>,
    /// Requests at hand.
    held: usize,
    /// Requests that came faster than they could be taken in here. They are in the audit log.
    missed: u64,
}

/// What was asked of models in one span.
#[derive(JsonSchema, Serialize)]
struct Rate {
    /// Requests.
    asked: u64,
    /// Of these, refused.
    refused: u64,
    /// Of these, something was found in.
    found: u64,
    /// Tokens of prompts.
    input_tokens: u64,
    /// Tokens of answers.
    output_tokens: u64,
    /// How long half of them took at most, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ms: Option<f64>,
    /// How long 99 of 100 took at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ms: Option<f64>,
}

/// How often a rule was met.
#[derive(JsonSchema, Serialize)]
struct Rule {
    /// Detector and rule.
    rule: String,
    /// Requests whose prompt met it.
    prompts: u64,
    /// Requests whose answer met it.
    answers: u64,
    /// Requests that met it and were refused.
    refused: u64,
    /// Requests that met it in each of the spans.
    over: Vec<u64>,
}

/// An alert of the watch.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Alarm {
    /// When, RFC 3339.
    at: String,
    /// What it looks like.
    pattern: &'static str,
    /// Whose timeline it is, as a revocation names it.
    of: String,
    /// The tenant.
    tenant: Arc<str>,
    /// How far it has gone, 0 to 100.
    risk: u8,
    /// What it rests on, the heaviest first.
    because: Vec<Because>,
}

fn list(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let (page, wanted) = (ask.page()?, wanted(ask)?);
    let before =
        page.after.as_deref().map(|after| after.parse().map_err(|_| malformed("`cursor` is none that a list gave")));
    let rows = ask.admin.console.ring.newest(&wanted, before.transpose()?, page.limit + 1);
    let items = rows.iter().map(|(number, row)| Seen::of(row, *number)).collect();
    Reply::json(200, &List::of(items, &page, |seen: &Seen| &seen.place))
}

fn wanted(ask: &Ask<'_>) -> Result<Wanted, Refusal> {
    let part = |name| ask.parameter(name).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    let outcome = part("outcome").map(|name| Outcome::parse(&name).ok_or_else(|| malformed("`outcome` is none")));
    let code = part("code")
        .map(|id| Code::ALL.iter().copied().find(|code| code.id() == id).ok_or_else(|| malformed("`code` is none")));
    let own = match ask.parameter("own") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(malformed("`own` is neither `true` nor `false`")),
    };
    Ok(Wanted {
        outcome: outcome.transpose()?,
        who: part("who"),
        model: part("model"),
        code: code.transpose()?,
        found: part("found"),
        own,
    })
}

fn rates(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let number = |name, most: u64| match ask.parameter(name) {
        None => Ok(60),
        Some(text) => {
            let number = text.parse().ok().filter(|n| (1..=most).contains(n));
            number.ok_or_else(|| malformed(format!("`{name}` is not a number from 1 to {most}")))
        }
    };
    let (count, seconds) = (number("spans", 240)?, number("seconds", 3600)?);
    let ring = &ask.admin.console.ring;
    let (spans, rules) = ring.rates(ask.now(), seconds * 1_000_000, usize::try_from(count).unwrap_or_default());
    let (held, missed) = ring.size();
    let spans = spans.into_iter().map(|mut span| {
        span.took.sort_unstable();
        let at = |share: usize| span.took.get(span.took.len() * share / 100).map(|micros| millis(*micros));
        Rate {
            asked: span.asked,
            refused: span.refused,
            found: span.found,
            input_tokens: span.input_tokens,
            output_tokens: span.output_tokens,
            p50_ms: at(50),
            p99_ms: at(99),
        }
    });
    let rules = rules.into_iter().map(|(rule, met)| Rule {
        rule,
        prompts: met.prompts,
        answers: met.answers,
        refused: met.refused,
        over: met.over,
    });
    let until = clock::rfc3339(ask.now());
    Reply::json(200, &Rates { until, seconds, spans: spans.collect(), rules: rules.collect(), held, missed })
}

fn alerts(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let items = ask.admin.console.alerts().iter().map(|alert| Alarm::of(alert)).collect();
    Reply::json(200, &List { items, next: None })
}

async fn life(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let id: RequestId = ask.id().parse().map_err(|_| nothing())?;
    let found = beside(ask.admin.audit.dir(), move |dir| find(dir, id)).await?;
    let row = ask.admin.console.ring.find(id);
    if found.is_empty() && row.is_none() {
        return Err(nothing());
    }
    let stages = found.iter().flat_map(story::tell).collect();
    Reply::json(200, &Life { request: row.map(|row| Seen::of(&row, 0)), stages })
}

/// Follows the requests. Nothing is kept for whoever follows: it takes the newest when it is ready for them, and is told how
/// many it missed.
fn live(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let console = ask.admin.console.clone();
    if console.ring.followers() >= FOLLOWERS {
        return Err(Refusal::new(Code::Overloaded, "too many follow the requests already"));
    }
    let mut news = console.ring.follow();
    let now = (*news.borrow_and_update()).unwrap_or_default();
    // A browser whose connection broke says where it was.
    let from = ask.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let state =
        Following { console, news, at: from.map_or(now, |from: u64| from.min(now)), told: Instant::now(), alert: None };
    let first = Bytes::from_static(b"retry: 2000\n\n");
    Ok(Reply::of(200, EVENTS, first).then(Box::pin(stream::unfold(state, Following::next))))
}

struct Following {
    console: Arc<Console>,
    news: tokio::sync::watch::Receiver<Option<u64>>,
    at: u64,
    told: Instant,
    /// When the newest alert was raised that was told.
    alert: Option<Timestamp>,
}

impl Following {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        // What comes close together is told together.
        sleep_until(self.told + GATHER).await;
        loop {
            let next = (*self.news.borrow_and_update())?;
            let text = self.tell(next);
            self.told = Instant::now();
            if !text.is_empty() {
                return Some((text.into(), self));
            }
            match timeout(QUIET, self.news.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                // So that both ends notice when the other is gone.
                Err(_) => return Some((Bytes::from_static(b": quiet\n\n"), self)),
            }
        }
    }

    fn tell(&mut self, next: u64) -> String {
        let mut text = String::new();
        let newest = self.console.alerts();
        let since = *self.alert.get_or_insert_with(|| newest.first().map_or(Timestamp(0), |alert| alert.at));
        for alert in newest.iter().take_while(|alert| alert.at > since).collect::<Vec<_>>().into_iter().rev() {
            text.push_str(&format!("event: alert\ndata: {}\n\n", json!(Alarm::of(alert))));
            self.alert = Some(alert.at);
        }
        if next > self.at {
            let (rows, missed) = self.console.ring.since(self.at, TOLD);
            let items: Vec<Seen> = rows.iter().map(|row| Seen::of(row, 0)).collect();
            let data = json!({ "items": items, "missed": missed });
            text.push_str(&format!("event: requests\nid: {next}\ndata: {data}\n\n"));
            self.at = next;
        }
        text
    }
}

impl Seen {
    fn of(row: &Row, number: u64) -> Self {
        Self {
            place: number.to_string(),
            id: row.id.to_string(),
            at: clock::rfc3339(row.at),
            took_ms: millis(row.took),
            who: row.who.clone(),
            from: row.from.map(|ip| ip.to_string()),
            route: row.route.to_string(),
            model: row.model.clone(),
            target: row.target.clone(),
            outcome: row.outcome,
            code: row.code.map(Code::id),
            why: row.code.map(Code::message),
            found: row.found.clone(),
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            bytes: row.bytes,
            record: row.record,
        }
    }
}

impl Alarm {
    pub(crate) fn of(alert: &Alert) -> Self {
        Self {
            at: clock::rfc3339(alert.at),
            pattern: alert.pattern.as_str(),
            of: alert.of.to_string(),
            tenant: alert.tenant.clone(),
            risk: alert.risk,
            because: alert.because.iter().map(Because::from).collect(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no request takes 2^53 microseconds")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// For events to gather before they are told.
const GATHER: Duration = Duration::from_millis(250);
/// How long nothing is said.
const QUIET: Duration = Duration::from_secs(15);
/// How many requests are told at once; of more, the newest.
const TOLD: usize = 100;
/// How many may follow at once.
const FOLLOWERS: usize = 64;
const EVENTS: &str = "text/event-stream";

#[cfg(test)]
mod tests;
