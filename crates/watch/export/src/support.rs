//! Lines to test with.

use crate::{Line, MOST_FINDINGS, What, Who};

pub(crate) const ALL: [What; 9] = [
    What::Opened,
    What::Intent,
    What::Outcome,
    What::Refused,
    What::Answered,
    What::Changed,
    What::Strangers,
    What::Gap,
    What::GivenUp,
];

/// A record with every member, whose texts are all `text`.
pub(crate) fn full(what: What, text: &str) -> Line {
    let some = || Some(text.to_owned());
    Line {
        log: text.to_owned(),
        index: 7,
        leaf: [3; 32],
        at: 1_700_000_000_123_456,
        what,
        request: some(),
        who: Some(Who {
            tenant: text.to_owned(),
            subject: text.to_owned(),
            kind: "person".to_owned(),
            credential: text.to_owned(),
        }),
        ip: Some("192.0.2.7".to_owned()),
        listener: some(),
        model: some(),
        operation: some(),
        target: some(),
        status: Some(403),
        code: Some("CS0501".to_owned()),
        reason: some(),
        findings: vec![(text.to_owned(), "injection".to_owned()); MOST_FINDINGS],
        found: 64,
        input_tokens: Some(3),
        output_tokens: Some(4),
        bytes: Some(5),
    }
}

/// A record with as little as there can be.
pub(crate) fn bare(what: What) -> Line {
    Line { log: "node-1".to_owned(), index: 7, what, ..Line::default() }
}
