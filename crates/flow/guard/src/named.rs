//! Names of people, places and organisations. They are looked for where policy would do something about them: it costs more than all
//! other rules together.
//!
//! A name is decided with the sentence or line it stands in, so what is found in a growing text does not depend on how it is cut.

use countersign_core::{Entity, Kind};
use countersign_names::{Name, Tagger};

use crate::{
    detector::Found,
    rules::{Hit, view},
};

/// Where names are looked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Names {
    /// In prompts.
    pub prompts: bool,
    /// In answers.
    pub answers: bool,
}

impl Names {
    /// The rules that report names.
    pub const RULES: [&'static str; 3] = [PERSON, PLACE, ORGANIZATION];
}

/// Reports the names in what follows `from` in a view, and says where the first sentence begins that could go on.
pub(crate) fn scan(view: &[u8], from: usize, last: bool, out: &mut Vec<Hit>) -> usize {
    // A view is text, and sentences begin where characters do.
    let rest = view.get(from..).unwrap_or_default();
    let text = std::str::from_utf8(rest)
        .unwrap_or_else(|e| std::str::from_utf8(rest.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or_default());
    let (names, read) = Tagger::shipped().read(text, last);
    out.extend(names.into_iter().map(|Name { span, entity, confidence }| {
        Hit::new(Kind::PersonalData, rule(entity), from + span.start..from + span.end, confidence)
    }));
    from + read
}

/// Whether a sentence that stands unfinished may leave: there is no name in it, and none has begun with its last word, as far as can be
/// seen. Were it made into one by what comes later, that would be refused.
pub(crate) fn may_pass(held: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(held) else { return false };
    let text = text.trim_end();
    let begun = text.split_whitespace().next_back().is_some_and(|word| {
        let ended = word.ends_with(['.', '!', '?', ':', ';', ')', '"', '*', '`']);
        !ended && !word.starts_with(char::is_lowercase)
    });
    !begun && Tagger::shipped().tag(text).is_empty()
}

/// Reports the names in a prompt's leaf; spans are bytes of `text`.
pub(crate) fn prompt(text: &str, out: &mut Vec<Found>) {
    let (bytes, map) = view::view(text);
    let mut hits = Vec::new();
    scan(&bytes, 0, true, &mut hits);
    out.extend(hits.into_iter().map(|hit| Found {
        kind: hit.kind,
        rule: hit.rule,
        span: map.origin(&hit.span, &bytes),
        confidence: hit.confidence,
    }));
}

const fn rule(entity: Entity) -> &'static str {
    match entity {
        Entity::Location => PLACE,
        Entity::Organization => ORGANIZATION,
        _ => PERSON,
    }
}

const PERSON: &str = "personal/name";
const PLACE: &str = "personal/place";
const ORGANIZATION: &str = "personal/organization";
