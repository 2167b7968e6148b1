//! Presidio's analyzer: which sensitive values a text holds, under the names its callers know.

use std::collections::{BTreeSet, HashSet};

use countersign_core::Entity;
use serde_json::{Value as Json, json};

use super::{Text, Told, Verdict, bad};
use crate::{
    WireError,
    json::{Kind, Value},
};

/// What of the findings a caller wants told.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// None for all.
    entities: Option<BTreeSet<String>>,
    least: f32,
    allowed: HashSet<String>,
    explain: bool,
}

/// The text to be looked at.
pub(super) fn text(root: Value<'_>) -> Result<Value<'_>, WireError> {
    match root.get("text") {
        Some(text) if text.kind() == Kind::String => Ok(text),
        _ => bad("text", "is missing or is not a string"),
    }
}

impl Filter {
    /// Reads what is asked for. Whatever would have something found that is not looked for here, or left out what is, is refused.
    pub(super) fn read(root: Value<'_>) -> Result<Self, WireError> {
        if given(root, "ad_hoc_recognizers").is_some_and(|value| value.items().next().is_some()) {
            return bad("ad_hoc_recognizers", "is not taken: nobody but the operator says what is looked for");
        }
        if given(root, "allow_list_match").is_some_and(|how| !how.is("exact")) {
            return bad("allow_list_match", "is not `exact`, which is all that is taken");
        }
        let least = match given(root, "score_threshold") {
            None => 0.0,
            Some(value) => match value.raw().parse::<f32>() {
                Ok(least) if value.kind() == Kind::Number && (0.0..=1.0).contains(&least) => least,
                _ => return bad("score_threshold", "is no number from 0 to 1"),
            },
        };
        let entities = match strings(root, "entities")? {
            None => None,
            Some(names) if names.is_empty() => None,
            Some(names) => {
                for (i, name) in names.iter().enumerate() {
                    if !known(name) {
                        return bad(format!("entities[{i}]"), "is nothing that is looked for");
                    }
                }
                Some(names.into_iter().collect())
            }
        };
        let allowed = strings(root, "allow_list")?.unwrap_or_default().into_iter().collect();
        Ok(Self { entities, least, allowed, explain: super::flag(root, "return_decision_process")? })
    }

    /// The values found, in the order they stand in.
    pub(super) fn answer(&self, text: &Text, verdict: &Verdict) -> Json {
        let wanted = |told: &&Told| {
            let Some(name) = name(told.rule) else { return false };
            told.confidence >= self.least && self.entities.as_ref().is_none_or(|wanted| wanted.contains(name))
        };
        let mut told: Vec<&Told> = verdict.told.iter().filter(wanted).collect();
        told.sort_by_key(|told| (told.span.start, told.span.end, told.rule));
        let all = text.parts.first().filter(|part| !part.document.slots().is_empty());
        let words = all.map_or("", |part| part.document.text(0));
        let mut known = HashSet::new();
        let mut out = Vec::with_capacity(told.len());
        for (told, chars) in told.iter().zip(text.places(&told)) {
            let (Some(name), Some(chars)) = (name(told.rule), chars) else { continue };
            let allowed = words.get(told.span.clone()).is_some_and(|value| self.allowed.contains(value));
            if allowed || !known.insert((name, chars.clone())) {
                continue;
            }
            let score = (f64::from(told.confidence) * 1000.0).round() / 1000.0;
            let explanation = self.explain.then(|| {
                json!({
                    "recognizer": told.rule, "original_score": score, "score": score, "score_context_improvement": 0,
                    "pattern_name": null, "pattern": null, "textual_explanation": null, "validation_result": null,
                    "supportive_context_word": "",
                })
            });
            out.push(json!({
                "entity_type": name, "start": chars.start, "end": chars.end, "score": score,
                "analysis_explanation": explanation,
            }));
        }
        out.into()
    }
}

/// The names under which values are told, sorted, as a JSON array.
pub(crate) fn supported() -> Json {
    let names = Entity::ALL.into_iter().map(of).chain(RULES.iter().map(|(_, name)| *name));
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

fn known(name: &str) -> bool {
    Entity::ALL.into_iter().any(|entity| of(entity) == name) || RULES.iter().any(|(_, theirs)| *theirs == name)
}

/// The name of what a rule finds; none where it finds no value.
fn name(rule: &str) -> Option<&'static str> {
    match RULES.iter().find(|(ours, _)| *ours == rule) {
        Some((_, theirs)) => Some(theirs),
        None => Entity::of(rule).map(of),
    }
}

/// Their name for a type, or ours where they have none.
const fn of(entity: Entity) -> &'static str {
    match entity {
        Entity::Address => "LOCATION",
        Entity::BankAccount => "US_BANK_NUMBER",
        Entity::BankRouting => "ABA_ROUTING_NUMBER",
        Entity::CryptoWallet => "CRYPTO",
        Entity::Dob => "DATE_TIME",
        Entity::DriverLicense => "US_DRIVER_LICENSE",
        Entity::Email => "EMAIL_ADDRESS",
        Entity::Iban => "IBAN_CODE",
        Entity::Passport => "US_PASSPORT",
        Entity::Phone => "PHONE_NUMBER",
        other => other.as_str(),
    }
}

/// Rules that they have a name of their own for.
const RULES: [(&str, &str); 18] = [
    ("personal/aadhaar", "IN_AADHAAR"),
    ("personal/abn", "AU_ABN"),
    ("personal/acn", "AU_ACN"),
    ("personal/codice-fiscale", "IT_FISCAL_CODE"),
    ("personal/dni", "ES_NIF"),
    ("personal/hetu", "FI_PERSONAL_IDENTITY_CODE"),
    ("personal/medicare", "AU_MEDICARE"),
    ("personal/nhs", "UK_NHS"),
    ("personal/nino", "UK_NINO"),
    ("personal/npi", "US_NPI"),
    ("personal/nric", "SG_NRIC_FIN"),
    ("personal/pan", "IN_PAN"),
    ("personal/pesel", "PL_PESEL"),
    ("personal/rrn", "KR_RRN"),
    ("personal/steuer-id", "DE_TAX_ID"),
    ("personal/tfn", "AU_TFN"),
    ("personal/thai-id", "TH_TNIN"),
    ("personal/us-itin", "US_ITIN"),
];

fn given<'d>(root: Value<'d>, name: &str) -> Option<Value<'d>> {
    root.get(name).filter(|value| value.kind() != Kind::Null)
}

fn strings(root: Value<'_>, name: &'static str) -> Result<Option<Vec<String>>, WireError> {
    let Some(value) = given(root, name) else { return Ok(None) };
    let strings: Option<Vec<String>> =
        value.items().map(|item| item.as_str().map(std::borrow::Cow::into_owned)).collect();
    match strings {
        Some(strings) if value.kind() == Kind::Array => Ok(Some(strings)),
        _ => bad(name, "is no array of strings"),
    }
}

#[cfg(test)]
mod tests;
