//! Tells callers what they have left: in the header fields of `draft-ietf-httpapi-ratelimit-headers-11`, and in those that the
//! provider's own SDKs and the tools around them read.

use std::fmt::Write;

use countersign_core::{Format, Quota, Timestamp, calendar::Civil, charge::Unit};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Adds what is left to an answer's head. Names of quotas come from the configuration, which allows no quotes in them.
pub(crate) fn tell(headers: &mut HeaderMap, format: Format, quotas: &[Quota], now: Timestamp) {
    if quotas.is_empty() {
        return;
    }
    let (mut policy, mut left) = (String::new(), String::new());
    for quota in quotas {
        let comma = if policy.is_empty() { "" } else { ", " };
        let unit = if quota.unit == Unit::Requests { "" } else { ";qu=\"tokens\"" };
        // Writing to a string does not fail.
        let _ = write!(policy, "{comma}\"{}\";q={};w={}{unit}", quota.name, quota.limit, quota.window.as_secs());
        let _ = write!(left, "{comma}\"{}\";r={};t={}", quota.name, quota.left, seconds(quota));
    }
    insert(headers, POLICY, &policy);
    insert(headers, LEFT, &left);
    for (unit, openai, anthropic) in
        [(Unit::Requests, &OPENAI_REQUESTS, &ANTHROPIC_REQUESTS), (Unit::Tokens, &OPENAI_TOKENS, &ANTHROPIC_TOKENS)]
    {
        // These have room for one of a kind: the one that ends first.
        let Some(quota) = quotas.iter().filter(|q| q.unit == unit).min_by_key(|q| q.left) else { continue };
        let [limit, remaining, reset] = if format.is_anthropic() { anthropic } else { openai };
        headers.insert(limit, HeaderValue::from(quota.limit));
        headers.insert(remaining, HeaderValue::from(quota.left));
        let text = if format.is_anthropic() {
            Civil::of(now.plus(std::time::Duration::from_secs(seconds(quota)))).to_string()
        } else {
            format!("{}s", seconds(quota))
        };
        insert(headers, reset.clone(), &text);
    }
}

/// Until it is full again, rounded up.
const fn seconds(quota: &Quota) -> u64 {
    quota.reset.as_secs() + (quota.reset.subsec_nanos() > 0) as u64
}

fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");
const OPENAI_REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const OPENAI_TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
const ANTHROPIC_REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
];
const ANTHROPIC_TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn quota(name: &str, unit: Unit, limit: u64, left: u64) -> Quota {
        let (window, reset) = (Duration::from_secs(60), Duration::from_millis(1_500));
        Quota { name: name.into(), unit, limit, left, window, reset }
    }

    fn told(format: Format, quotas: &[Quota]) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        tell(&mut headers, format, quotas, Timestamp(1_795_357_815_000_000));
        headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn what_is_left_is_told_in_the_words_of_the_draft_and_of_the_provider() {
        let quotas = [
            quota("requests", Unit::Requests, 600, 599),
            quota("day", Unit::Tokens, 9_000, 80),
            quota("month", Unit::Tokens, 90_000, 70),
        ];
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let openai = told(Format::Chat, &quotas);
        for (name, value) in [
            (
                "ratelimit-policy",
                "\"requests\";q=600;w=60, \"day\";q=9000;w=60;qu=\"tokens\", \"month\";q=90000;w=60;qu=\"tokens\"",
            ),
            ("ratelimit", "\"requests\";r=599;t=2, \"day\";r=80;t=2, \"month\";r=70;t=2"),
            ("x-ratelimit-limit-requests", "600"),
            ("x-ratelimit-remaining-requests", "599"),
            ("x-ratelimit-reset-requests", "2s"),
            ("x-ratelimit-limit-tokens", "90000"),
            ("x-ratelimit-remaining-tokens", "70"),
        ] {
            assert!(openai.contains(&pair(name, value)), "{name}: {openai:?}");
        }
        let anthropic = told(Format::Messages, &quotas);
        assert!(anthropic.contains(&pair("anthropic-ratelimit-requests-remaining", "599")));
        assert!(anthropic.contains(&pair("anthropic-ratelimit-tokens-reset", "2026-11-22T14:30:17Z")));
        assert!(told(Format::Chat, &[]).is_empty());
    }
}
