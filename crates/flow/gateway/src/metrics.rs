//! Counters for Prometheus. Labels come from closed sets or from the configuration, never from a caller's text.

use std::{fmt, time::Duration};

use countersign_audit::record;
use countersign_core::{Finding, Format, Pattern, Timestamp};
use countersign_identity::token::IssuerStatus;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

mod evidence;

pub use evidence::Evidence;

/// The gateway's metrics.
pub struct Metrics {
    registry: Registry,
    requests: Family<Outcome, Counter>,
    findings: Family<Found, Counter>,
    tokens: Family<Tokens, Counter>,
    judged: Family<Judged, Counter>,
    judged_tokens: Family<Direction, Counter>,
    judged_seconds: Histogram,
    seconds: Family<ByRoute, Histogram>,
    issuer_keys: Family<ByIssuer, Gauge>,
    issuer_age: Family<ByIssuer, Gauge>,
    issuer_usable: Family<ByIssuer, Gauge>,
    issuer_fetches: Family<Fetched, Counter>,
    exported: Family<ByExport, Gauge>,
    export_behind: Family<ByExport, Gauge>,
    watched: Watched,
    evidence: Evidence,
    pub(crate) in_flight: Gauge,
}

/// What the watch counts. Clones count together.
#[derive(Clone, Default)]
pub struct Watched {
    timelines: Gauge,
    alerts: Family<ByPattern, Counter>,
    missed: Counter,
    unkept: Gauge,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByPattern {
    pattern: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Outcome {
    route: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByRoute {
    route: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByIssuer {
    issuer: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByExport {
    export: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Fetched {
    issuer: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Found {
    kind: &'static str,
    channel: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Judged {
    verdict: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Direction {
    direction: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Tokens {
    format: &'static str,
    direction: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let requests = Family::default();
        let findings = Family::default();
        let tokens = Family::default();
        let seconds: Family<ByRoute, Histogram> = Family::new_with_constructor(|| Histogram::new(SECONDS));
        let in_flight = Gauge::default();
        let (issuer_keys, issuer_age, issuer_usable) = (Family::default(), Family::default(), Family::default());
        let issuer_fetches = Family::default();
        registry.register("requests", "Requests by endpoint and how they ended", requests.clone());
        registry.register("findings", "What detectors reported, by kind and channel", findings.clone());
        registry.register("tokens", "Tokens as the providers count them", tokens.clone());
        let (judged, judged_tokens) = (Family::default(), Family::default());
        let judged_seconds = Histogram::new(SECONDS);
        registry.register("judged", "Questions to the judge, by verdict", judged.clone());
        registry.register(
            "judged_tokens",
            "Tokens of questions to the judge and of its answers",
            judged_tokens.clone(),
        );
        let help = "Time that the judge took";
        registry.register_with_unit("judged_duration", help, Unit::Seconds, judged_seconds.clone());
        let help = "Time from a request's arrival to the last byte of its answer";
        registry.register_with_unit("request_duration", help, Unit::Seconds, seconds.clone());
        registry.register("in_flight", "Requests between arrival and settlement", in_flight.clone());
        registry.register("issuer_keys", "Keys of an issuer of tokens that are in force", issuer_keys.clone());
        let help = "Time since an issuer's keys were fetched";
        registry.register_with_unit("issuer_keys_age", help, Unit::Seconds, issuer_age.clone());
        let help = "Whether an issuer's keys are fresh enough for its tokens to be believed";
        registry.register("issuer_usable", help, issuer_usable.clone());
        let (exported, export_behind) = (Family::default(), Family::default());
        let help = "Records of the audit log that an export's receiver has taken";
        registry.register("export_taken_records", help, exported.clone());
        let help = "Records under a checkpoint that an export's receiver has not taken yet";
        registry.register("export_behind_records", help, export_behind.clone());
        registry.register("issuer_fetches", "Fetches of issuers' keys, and how they ended", issuer_fetches.clone());
        let watched = Watched::default();
        registry.register("watch_timelines", "Timelines that the watch keeps", watched.timelines.clone());
        registry.register("alerts", "Alerts of the watch, by pattern", watched.alerts.clone());
        let help = "Requests that the watch has missed because it was behind";
        registry.register("watch_missed_requests", help, watched.missed.clone());
        let help = "Requests that the watch has seen and would forget if the process were killed now";
        registry.register("watch_unkept_requests", help, watched.unkept.clone());
        let evidence = Evidence::default();
        evidence.register(&mut registry);
        Self {
            registry,
            requests,
            findings,
            tokens,
            judged,
            judged_tokens,
            judged_seconds,
            seconds,
            issuer_keys,
            issuer_age,
            issuer_usable,
            issuer_fetches,
            exported,
            export_behind,
            watched,
            evidence,
            in_flight,
        }
    }

    pub(crate) fn ended(&self, route: &'static str, outcome: &'static str, seconds: f64) {
        self.requests.get_or_create(&Outcome { route, outcome }).inc();
        self.seconds.get_or_create(&ByRoute { route }).observe(seconds);
    }

    pub(crate) fn found(&self, findings: &[Finding]) {
        for finding in findings {
            let labels = Found { kind: finding.kind.as_str(), channel: finding.channel.as_str() };
            self.findings.get_or_create(&labels).inc();
        }
    }

    pub(crate) fn judged(&self, judged: &record::Judged) {
        let verdict = ["attack", "safe"].into_iter().find(|word| *word == judged.verdict).unwrap_or("failed");
        self.judged.get_or_create(&Judged { verdict }).inc();
        self.judged_seconds.observe(Duration::from_micros(judged.duration).as_secs_f64());
        for (direction, count) in [("input", judged.input_tokens), ("output", judged.output_tokens)] {
            self.judged_tokens.get_or_create(&Direction { direction }).inc_by(count);
        }
    }

    pub(crate) fn used(&self, format: Format, input: u64, output: u64) {
        for (direction, count) in [("input", input), ("output", output)] {
            self.tokens.get_or_create(&Tokens { format: format.as_str(), direction }).inc_by(count);
        }
    }

    /// An issuer's keys were fetched, or could not be.
    pub fn fetched(&self, issuer: &str, worked: bool) {
        let outcome = if worked { "ok" } else { "failed" };
        self.issuer_fetches.get_or_create(&Fetched { issuer: issuer.to_owned(), outcome }).inc();
    }

    /// How many records of the audit log an export's receiver has taken, and how many it has not.
    pub fn exported(&self, export: &str, taken: u64, behind: u64) {
        let of = ByExport { export: export.to_owned() };
        self.exported.get_or_create(&of).set(i64::try_from(taken).unwrap_or(i64::MAX));
        self.export_behind.get_or_create(&of).set(i64::try_from(behind).unwrap_or(i64::MAX));
    }

    /// What the watch counts.
    #[must_use]
    pub fn watched(&self) -> Watched {
        self.watched.clone()
    }

    /// What is counted of those who hold the audit log to its word.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        self.evidence.clone()
    }

    /// How the issuers' keys stand at `now`; of issuers that are gone nothing is said any more.
    pub(crate) fn issuers(&self, all: &[IssuerStatus], now: Timestamp) {
        for family in [&self.issuer_keys, &self.issuer_age, &self.issuer_usable] {
            family.clear();
        }
        for status in all {
            let labels = ByIssuer { issuer: status.name.to_string() };
            self.issuer_keys.get_or_create(&labels).set(i64::try_from(status.keys).unwrap_or(i64::MAX));
            self.issuer_usable.get_or_create(&labels).set(status.usable.into());
            if let Some(at) = status.fetched {
                let age = i64::try_from(now.since(at).as_secs()).unwrap_or(i64::MAX);
                self.issuer_age.get_or_create(&labels).set(age);
            }
        }
    }

    /// The metrics in OpenMetrics text.
    ///
    /// # Errors
    /// When formatting fails, which is a defect.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Watched {
    /// So many timelines are kept.
    pub fn keeps(&self, timelines: usize) {
        self.timelines.set(i64::try_from(timelines).unwrap_or(i64::MAX));
    }

    /// So many requests were seen since what is known was kept.
    pub fn unkept(&self, requests: u64) {
        self.unkept.set(i64::try_from(requests).unwrap_or(i64::MAX));
    }

    /// An alert was raised.
    pub fn raised(&self, pattern: Pattern) {
        self.alerts.get_or_create(&ByPattern { pattern: pattern.as_str() }).inc();
    }

    /// So many requests were over before it could look at them.
    pub fn missed(&self, requests: u64) {
        self.missed.inc_by(requests);
    }
}

const SECONDS: [f64; 12] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0];
