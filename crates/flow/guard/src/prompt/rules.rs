//! The grammar's rules.

use countersign_core::Kind;

use super::lexicon::{Concept as C, Set};

/// Meanings that together, close to each other, are a sign.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Rules of one family see the same words; only the surest of them counts.
    pub(super) family: u8,
    /// The first term leads; at most four, each a set of alternatives.
    pub(super) terms: &'static [Set],
    /// Words from the lead to any other term.
    pub(super) within: usize,
    /// Whether the others come after the lead.
    pub(super) ordered: bool,
    /// How sure it is in the caller's words.
    pub(super) sure: f32,
    /// How sure it is in untrusted text, which has no business giving orders.
    pub(super) untrusted: f32,
}

pub(super) const FAMILIES: usize = 12;

const OVERRIDE: u8 = 0;
const TASK: u8 = 1;
const PERSONA: u8 = 2;
const MODE: u8 = 3;
const AUTHORITY: u8 = 4;
const SUPPRESS: u8 = 5;
const EXTRACT: u8 = 6;
const FISH: u8 = 7;
const CARRY: u8 = 8;
const MARKER: u8 = 9;
const ADDRESS: u8 = 10;
const REPLY: u8 = 11;

const DROP: Set = C::Ignore.bit() | C::NotFollow.bit();
const RULE: Set = C::Rules.bit() | C::System.bit() | C::Norms.bit();
/// What only a model has been given.
const ORDERS: Set = C::Rules.bit() | C::System.bit();
/// What was said before, by whomever.
const SAID: Set = C::Said.bit() | C::Turn.bit();
const ASK: Set = C::Show.bit() | C::Send.bit();

const fn any(name: &'static str, family: u8, terms: &'static [Set], within: usize, sure: f32, untrusted: f32) -> Rule {
    Rule { name, kind: kind_of(family), family, terms, within, ordered: false, sure, untrusted }
}

const fn then(name: &'static str, family: u8, terms: &'static [Set], within: usize, sure: f32, untrusted: f32) -> Rule {
    Rule { name, kind: kind_of(family), family, terms, within, ordered: true, sure, untrusted }
}

const fn kind_of(family: u8) -> Kind {
    match family {
        EXTRACT | FISH => Kind::Extraction,
        CARRY => Kind::Exfiltration,
        _ => Kind::Injection,
    }
}

pub(super) const RULES: &[Rule] = &[
    any("injection/override", OVERRIDE, &[DROP, C::Prior.bit(), RULE], 7, 0.9, 0.95),
    any("injection/override", OVERRIDE, &[DROP, C::All.bit() | C::Your.bit(), RULE], 6, 0.7, 0.8),
    any("injection/override", OVERRIDE, &[DROP, C::System.bit()], 5, 0.7, 0.75),
    any("injection/override", OVERRIDE, &[DROP, C::All.bit(), C::Prior.bit(), SAID], 7, 0.65, 0.75),
    then("injection/override", OVERRIDE, &[DROP, C::Prior.bit(), C::Said.bit()], 5, 0.5, 0.6),
    then("injection/override", OVERRIDE, &[DROP, C::Prior.bit(), C::Turn.bit()], 5, 0.3, 0.4),
    any("injection/override", OVERRIDE, &[DROP, RULE], 4, 0.35, 0.45),
    then("injection/override", OVERRIDE, &[DROP, C::All.bit(), C::Prior.bit()], 4, 0.4, 0.5),
    any("injection/override", OVERRIDE, &[DROP, C::NewTask.bit() | C::Instead.bit()], 14, 0.4, 0.5),
    any("injection/new-task", TASK, &[C::NewTask.bit()], 1, 0.2, 0.35),
    any("injection/new-task", TASK, &[C::NewTask.bit(), C::Authority.bit()], 8, 0.6, 0.7),
    any("injection/new-task", TASK, &[C::NewTask.bit(), C::FromNow.bit()], 8, 0.45, 0.55),
    any("injection/new-task", TASK, &[C::NewTask.bit(), C::Suppress.bit()], 14, 0.4, 0.5),
    any("injection/new-task", TASK, &[C::FromNow.bit(), C::Your.bit(), RULE], 8, 0.6, 0.65),
    any("injection/new-task", TASK, &[C::FromNow.bit(), RULE], 10, 0.45, 0.5),
    any("injection/new-task", TASK, &[C::FromNow.bit()], 1, 0.15, 0.25),
    any("injection/persona", PERSONA, &[C::YouAre.bit(), C::Unbound.bit()], 16, 0.75, 0.8),
    any("injection/persona", PERSONA, &[C::FromNow.bit(), C::YouAre.bit()], 10, 0.5, 0.6),
    any("injection/persona", PERSONA, &[C::FromNow.bit(), C::Unbound.bit()], 14, 0.7, 0.75),
    any("injection/persona", PERSONA, &[C::Unbound.bit(), C::Ai.bit()], 8, 0.5, 0.55),
    any("injection/persona", PERSONA, &[C::Unbound.bit()], 1, 0.2, 0.3),
    any("injection/persona", PERSONA, &[C::YouAre.bit()], 1, 0.1, 0.25),
    any("injection/mode", MODE, &[C::Mode.bit()], 1, 0.35, 0.4),
    any(
        "injection/mode",
        MODE,
        &[C::Mode.bit(), C::YouAre.bit() | C::Unbound.bit() | C::Authority.bit() | C::FromNow.bit()],
        14,
        0.65,
        0.7,
    ),
    any("injection/mode", MODE, &[C::Mode.bit(), C::Your.bit()], 8, 0.5, 0.5),
    any("injection/authority", AUTHORITY, &[C::Authority.bit()], 1, 0.2, 0.35),
    any("injection/authority", AUTHORITY, &[C::Authority.bit(), DROP], 14, 0.5, 0.6),
    any("injection/suppress-refusal", SUPPRESS, &[C::Suppress.bit()], 1, 0.15, 0.25),
    any("injection/conceal", SUPPRESS, &[C::Conceal.bit()], 1, 0.2, 0.45),
    any("injection/conceal", SUPPRESS, &[C::Conceal.bit(), ASK], 12, 0.3, 0.55),
    any(
        "injection/steers-reply",
        REPLY,
        &[C::Reply.bit(), C::Send.bit() | C::Suppress.bit() | C::Url.bit()],
        10,
        0.1,
        0.45,
    ),
    any("injection/steers-reply", REPLY, &[C::Reply.bit()], 1, 0.05, 0.25),
    any("injection/role-marker", MARKER, &[C::Marker.bit()], 1, 0.2, 0.3),
    then(
        "injection/role-marker",
        MARKER,
        &[C::Marker.bit(), DROP | C::YouAre.bit() | C::NewTask.bit() | C::Unbound.bit()],
        12,
        0.5,
        0.6,
    ),
    any("injection/addresses-model", ADDRESS, &[C::Address.bit()], 1, 0.1, 0.3),
    any(
        "injection/addresses-model",
        ADDRESS,
        &[C::Address.bit(), C::Url.bit() | C::Suppress.bit() | C::Records.bit()],
        12,
        0.2,
        0.55,
    ),
    any("extraction/system-prompt", EXTRACT, &[C::Define.bit(), C::System.bit(), C::Your.bit()], 7, 0.65, 0.7),
    any("extraction/system-prompt", EXTRACT, &[C::Define.bit(), C::System.bit()], 6, 0.4, 0.4),
    any("extraction/system-prompt", EXTRACT, &[C::Define.bit(), C::Your.bit(), C::Rules.bit()], 6, 0.5, 0.55),
    any("extraction/system-prompt", EXTRACT, &[C::Show.bit(), C::System.bit()], 7, 0.7, 0.75),
    any("extraction/system-prompt", EXTRACT, &[C::Show.bit(), C::Your.bit(), C::Rules.bit()], 6, 0.55, 0.6),
    any(
        "extraction/system-prompt",
        EXTRACT,
        &[C::Show.bit(), C::Prior.bit() | C::All.bit(), C::Rules.bit()],
        6,
        0.4,
        0.4,
    ),
    any("extraction/system-prompt", EXTRACT, &[C::Show.bit(), C::Verbatim.bit(), ORDERS], 10, 0.5, 0.55),
    any("extraction/verbatim", EXTRACT, &[C::Show.bit(), C::Prior.bit(), SAID, C::Verbatim.bit()], 12, 0.5, 0.6),
    then("extraction/records", FISH, &[ASK, C::Records.bit(), C::Bulk.bit()], 9, 0.55, 0.6),
    then("extraction/records", FISH, &[ASK, C::All.bit(), C::Records.bit(), C::People.bit()], 8, 0.5, 0.55),
    any("extraction/records", FISH, &[C::Records.bit(), C::Authority.bit() | C::Mode.bit(), ASK], 14, 0.5, 0.6),
    then(
        "exfiltration/send-out",
        CARRY,
        &[C::Send.bit(), C::Records.bit() | C::System.bit(), C::Url.bit()],
        14,
        0.4,
        0.6,
    ),
    then("exfiltration/send-out", CARRY, &[C::Send.bit(), C::Payload.bit(), C::Url.bit()], 10, 0.3, 0.4),
];
