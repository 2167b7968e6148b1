//! What holds of any text, for the fuzzer and for its corpus.

use countersign_names::{Tagger, Weights, token};

/// Names lie within the text, in order; reading it in pieces finds the same; no weights but ours are read.
pub(crate) fn tag(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let tagger = Tagger::shipped();
    let names = tagger.tag(&text);
    let mut end = 0;
    for name in &names {
        assert!(name.span.start >= end && name.span.start < name.span.end);
        assert!(text.get(name.span.clone()).is_some());
        assert!((0.5..=1.0).contains(&name.confidence));
        end = name.span.end;
    }
    let step = data.first().map_or(1, |byte| usize::from(byte % 40) + 1);
    let (mut found, mut at, mut arrived) = (Vec::new(), 0, 0);
    while arrived < text.len() {
        arrived = text.ceil_char_boundary((arrived + step).min(text.len()));
        let (some, read) = tagger.read(&text[at..arrived], arrived == text.len());
        found.extend(some.into_iter().map(|name| (at + name.span.start..at + name.span.end, name.entity)));
        at += read;
        assert!(arrived - at <= token::MOST + 1);
    }
    assert_eq!(found, names.into_iter().map(|name| (name.span, name.entity)).collect::<Vec<_>>());
    assert!(Weights::read(data.to_vec().into()).is_err());
}
