//! Single fields: from the words a person writes to the values the stages take.

use std::{path::Path, str::FromStr};

use countersign_core::{
    Action, Channel, Code, Entity, Form, Kind, Side, Spotlight,
    principal::PrincipalKind,
    stand_in::{has_digits, may_come_back},
};
use countersign_guard::{Classifier, FalseAlarms, Names, Points, RULES};
use countersign_identity::{CertificateField, CertificateRule, NamePattern};
use countersign_policy::{ActionRule, PolicyError, Profile, Rate, Rates, Rules};
use countersign_provider::{Base, Dialect, ModelRoute};

use crate::fetch::is_loopback;

use super::{
    Problem,
    raw::{RawCertificate, RawDialect, RawModel, RawRates, RawRule, RawTarget, RawThresholds, Telemetry},
};

/// What is wrong with a field and what to write instead.
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) fix: String,
}

pub(super) fn rates(raw: &RawRates) -> Rates {
    let rate = |per_minute, burst, concurrent| Rate { per_minute, burst, concurrent };
    Rates {
        default: rate(raw.per_minute, raw.burst, raw.concurrent),
        roles: raw.role.iter().map(|(n, r)| (n.clone(), rate(r.per_minute, r.burst, r.concurrent))).collect(),
        total: raw.total,
        ..Rates::default()
    }
}

/// The deployment's own rules before those of its profiles, and these before the standard ones.
pub(super) fn rules(mut own: Vec<ActionRule>, profiles: &[Profile]) -> Rules {
    own.extend(profiles.iter().flat_map(|profile| profile.lines()));
    own.extend(Rules::standard().actions);
    Rules { actions: own }
}

/// Names cost more to find than all else: they are looked for where something is done about them.
pub(super) fn names(rules: &Rules) -> Names {
    let acts = |side| Names::RULES.iter().any(|rule| rules.acts_on(side, Kind::PersonalData, rule));
    Names { prompts: acts(Side::Prompt), answers: acts(Side::Answer) }
}

pub(super) fn profile(name: &str) -> Result<Profile, Wrong> {
    one_of("policy.profiles", &Profile::ALL, Profile::as_str, name)
}

pub(super) fn rule(raw: &RawRule) -> Result<ActionRule, Wrong> {
    let (kind, rule) = match raw.find.as_deref() {
        None => (None, None),
        Some(find) if find.contains('/') => (None, Some(detectors_rule(find)?)),
        Some(find) if find.starts_with(|c: char| c.is_ascii_uppercase()) => {
            (None, Some(one_of("find", &Entity::ALL, Entity::as_str, find)?.as_str().to_owned()))
        }
        Some(find) => (Some(one_of("find", &Kind::ALL, Kind::as_str, find)?), None),
    };
    let side = match raw.side.as_deref() {
        None => None,
        Some("prompt") => Some(Side::Prompt),
        Some("answer") => Some(Side::Answer),
        Some(other) => return Err(unknown("in", other, "prompt, answer")),
    };
    let channel = raw.channel.as_deref().map(|c| one_of("channel", &Channel::ALL, Channel::as_str, c));
    let action = action(raw, kind, rule.as_deref())?;
    if !(0.0..=1.0).contains(&raw.at_least) {
        return Err(unknown("at_least", &raw.at_least.to_string(), "a number from 0 to 1"));
    }
    Ok(ActionRule {
        side,
        kind,
        rule,
        channel: channel.transpose()?,
        roles: raw.roles.clone(),
        at_least: raw.at_least,
        at_least_words: raw.at_least_words,
        action,
    })
}

/// What is done. There are stand-ins for what may come back, and digits in place of digits where there are enough of them.
fn action(raw: &RawRule, kind: Option<Kind>, rule: Option<&str>) -> Result<Action, Wrong> {
    let action = one_of("do", &Action::ALL, Action::as_str, &raw.action)?;
    let wrong = |what: &str, fix: &str| Err(Wrong { what: what.into(), fix: fix.into() });
    if !matches!(action, Action::Tokenize(_)) {
        return match raw.form {
            None => Ok(action),
            Some(_) => {
                let fix = "leave `as` out, or write `do = \"tokenize\"`";
                wrong("`as` names a kind of stand-in, and `do` asks for none", fix)
            }
        };
    }
    let entity = rule.and_then(|rule| Entity::parse(rule).or_else(|| Entity::of(rule)));
    if kind != Some(Kind::PersonalData) && !entity.is_some_and(may_come_back) {
        let what =
            "`do = \"tokenize\"` is for personal data that may come back, which credentials and card codes never do";
        return wrong(what, "write `find = \"personal-data\"` or one of its rules, or `do = \"mask\"`");
    }
    let form = raw.form.as_deref().map(|form| one_of("as", &Form::ALL, Form::as_str, form));
    let form = form.transpose()?.unwrap_or_default();
    if form == Form::Format && !entity.is_some_and(has_digits) {
        let what =
            "`as = \"format\"` puts digits in place of digits, and `find` names no number that has enough of them";
        let fix = "write `find = \"personal/card\"`, `personal/phone` or `personal/bank-account`, or another `as`";
        return wrong(what, fix);
    }
    Ok(Action::Tokenize(form))
}

pub(super) fn telemetry(raw: &Telemetry) -> Result<(), Wrong> {
    if tracing::Level::from_str(&raw.level).is_err() {
        return Err(unknown("telemetry.level", &raw.level, "error, warn, info, debug, trace"));
    }
    match raw.otlp.as_deref().map(str::parse::<Base>) {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(e)) => Err(Wrong {
            what: format!("`telemetry.otlp` is {e}"),
            fix: "write the collector's base address, as in \"http://127.0.0.1:4318\"".into(),
        }),
    }
}

/// A detector's rule is its family and its own name, as audit records show them. A name that no detector has would be a rule
/// that never fits.
fn detectors_rule(find: &str) -> Result<String, Wrong> {
    if RULES.contains(&find) {
        return Ok(find.to_owned());
    }
    let nearest = RULES.iter().min_by_key(|rule| distance(rule, find)).copied().unwrap_or_default();
    Err(Wrong {
        what: format!("`find` is `{find}`, which no detector's rule is called"),
        fix: format!("the nearest is `{nearest}`; write that, another rule's name as records show it, or a kind"),
    })
}

/// How many letters have to be put in, left out, changed or swapped with their neighbour to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, (b, pair)) in other.iter().zip(row.windows(2)).enumerate() {
            let &[diagonal, above] = pair else { continue };
            let left = next.last().copied().unwrap_or_default();
            let swapped = i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
            let swap = before.get(j.wrapping_sub(1)).filter(|_| swapped).map_or(usize::MAX, |cost| cost + 1);
            next.push((diagonal + usize::from(a != b)).min(above + 1).min(left + 1).min(swap));
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

pub(super) fn certificate(raw: &RawCertificate) -> Result<CertificateRule, Wrong> {
    let (field, name) = match (&raw.uri, &raw.dns, &raw.common_name) {
        (Some(name), None, None) => (CertificateField::Uri, name),
        (None, Some(name), None) => (CertificateField::Dns, name),
        (None, None, Some(name)) => (CertificateField::CommonName, name),
        _ => {
            return Err(Wrong {
                what: "a certificate rule needs exactly one of `uri`, `dns` and `common_name`".into(),
                fix: "keep one of the three".into(),
            });
        }
    };
    if name.is_empty() {
        return Err(Wrong {
            what: "a certificate rule whose name is empty fits no certificate".into(),
            fix: "write the name that your clients' certificates have; a trailing * stands for any rest".into(),
        });
    }
    let name = match name.strip_suffix('*') {
        Some(prefix) => NamePattern::Prefix(prefix.into()),
        None => NamePattern::Exact(name.as_str().into()),
    };
    let kinds = [PrincipalKind::Person, PrincipalKind::Service, PrincipalKind::Agent];
    Ok(CertificateRule {
        field,
        name,
        tenant: raw.tenant.as_str().into(),
        subject: raw.subject.as_deref().map(Into::into),
        kind: one_of("kind", &kinds, PrincipalKind::as_str, &raw.kind)?,
        roles: raw.roles.iter().map(|r| r.as_str().into()).collect(),
        scopes: Vec::new(),
    })
}

pub(super) fn dialect(raw: &RawTarget) -> Result<Dialect, Wrong> {
    match (raw.speaks, &raw.deployment, &raw.api_version) {
        (RawDialect::Openai, None, None) => Ok(Dialect::OpenAi),
        (RawDialect::Anthropic, None, None) => Ok(Dialect::Anthropic),
        (RawDialect::Azure, Some(deployment), Some(api_version)) => {
            Ok(Dialect::AzureOpenAi { deployment: deployment.clone(), api_version: api_version.clone() })
        }
        (RawDialect::Azure, _, _) => Err(Wrong {
            what: "an azure target needs `deployment` and `api_version`".into(),
            fix: "write both, as in deployment = \"gpt-4o\" and api_version = \"2024-10-21\"".into(),
        }),
        _ => Err(Wrong {
            what: "`deployment` and `api_version` are for azure targets alone".into(),
            fix: "leave them out, or write speaks = \"azure\"".into(),
        }),
    }
}

pub(super) fn base(url: &str, cleartext: Option<&str>) -> Result<Base, Wrong> {
    let base = url.parse::<Base>().map_err(|e| Wrong {
        what: format!("`url` is {e}"),
        fix: "write a base address without `/v1`, as in \"https://api.openai.com\"".into(),
    })?;
    let clear = match &base {
        Base::Http(address) => !is_loopback(&address.host),
        Base::Https(_) | Base::Unix(_) => false,
    };
    match cleartext {
        None if clear => Err(Wrong {
            what: format!("`{url}` would send prompts and the provider's key in the clear to another machine"),
            fix: format!("write an https address, or cleartext = \"{CLEARTEXT}\""),
        }),
        Some(words) if words != CLEARTEXT => Err(unknown("cleartext", words, CLEARTEXT)),
        _ => Ok(base),
    }
}

/// A host that links may point to, as it stands in a link.
pub(super) fn host(raw: &str) -> Result<String, Wrong> {
    let clean = raw.chars().all(|c| c.is_alphanumeric() || "-._".contains(c));
    if clean && !raw.trim_matches('.').is_empty() {
        return Ok(raw.to_owned());
    }
    Err(Wrong {
        what: format!("`{raw}` in `link_hosts` is not a host"),
        fix: "write a name without scheme, port and path, as in \"example.com\"".into(),
    })
}

/// An operating point of the learned detector.
pub(super) fn false_alarms(raw: &str) -> Result<FalseAlarms, Wrong> {
    FalseAlarms::ALL.into_iter().find(|point| point.as_str() == raw).ok_or_else(|| Wrong {
        what: format!("`{raw}` is no operating point of the learned detector"),
        fix: "write \"0.1%\", \"1%\" or \"5%\"".into(),
    })
}

/// An operating point of the learned detector, or that it is not asked.
pub(super) fn false_alarms_or_off(raw: &str) -> Result<Option<FalseAlarms>, Wrong> {
    if raw == "off" {
        return Ok(None);
    }
    let or_off = |wrong: Wrong| Wrong { fix: "write \"0.1%\", \"1%\", \"5%\" or \"off\"".into(), ..wrong };
    false_alarms(raw).map(Some).map_err(or_off)
}

/// How text that nobody vouches for is marked.
pub(super) fn spotlight(raw: &str) -> Result<Spotlight, Wrong> {
    Spotlight::ALL.into_iter().find(|how| how.as_str() == raw).ok_or_else(|| Wrong {
        what: format!("`{raw}` is no way to mark text"),
        fix: "write \"delimiting\" or \"datamarking\", or leave it out".into(),
    })
}

/// Operating points of the deployment's own.
pub(super) fn thresholds(raw: &RawThresholds) -> Result<Points, Wrong> {
    if raw.weights != weights() {
        return Err(Wrong {
            what: "`guard.thresholds` was found with other weights of the learned detector than this program has"
                .into(),
            fix: "run `countersign guard calibrate` again and write what it says".into(),
        });
    }
    let points = Points { typed: raw.typed, documents: raw.documents };
    if points == Points::default() {
        return Err(Wrong {
            what: "`guard.thresholds` holds no threshold".into(),
            fix: "write `typed`, `documents` or both, or leave the table out".into(),
        });
    }
    match [raw.typed, raw.documents].into_iter().flatten().find(|point| !(0.0..=1.0).contains(point)) {
        None => Ok(points),
        Some(point) => Err(Wrong {
            what: format!("`guard.thresholds` holds `{point}`, which is no likelihood"),
            fix: "write a number from 0 to 1".into(),
        }),
    }
}

/// Names the weights of the learned detector that this program has.
pub(crate) fn weights() -> String {
    format!("{:08x}", Classifier::shipped().fingerprint())
}

pub(super) fn model(raw: &RawModel) -> ModelRoute {
    match raw {
        RawModel::Same(name) => ModelRoute { name: name.as_str().into(), upstream: name.as_str().into() },
        RawModel::Renamed { name, upstream } => {
            ModelRoute { name: name.as_str().into(), upstream: upstream.as_str().into() }
        }
    }
}

pub(super) fn policy_problems(error: &PolicyError, base: &Path) -> Vec<Problem> {
    let mend = |p: &countersign_policy::Problem| Problem {
        code: Code::PolicyInvalid,
        file: base.join(&p.file),
        line: Some(p.line),
        what: p.what.clone(),
        fix: p.fix.clone(),
    };
    error.problems().iter().map(mend).collect()
}

fn one_of<T: Copy>(field: &str, all: &[T], name: fn(T) -> &'static str, word: &str) -> Result<T, Wrong> {
    all.iter().copied().find(|t| name(*t) == word).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|t| name(*t)).collect();
        unknown(field, word, &names.join(", "))
    })
}

fn unknown(field: &str, word: &str, choices: &str) -> Wrong {
    Wrong { what: format!("`{field}` is `{word}`, which is not known"), fix: format!("write one of: {choices}") }
}

const CLEARTEXT: &str = "i-accept-cleartext-to-this-provider";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_one_step_from_the_word_that_was_meant() {
        for (one, other, steps) in [
            ("email", "email", 0),
            ("emial", "email", 1),
            ("mail", "email", 1),
            ("emails", "email", 1),
            ("enail", "email", 1),
            ("", "email", 5),
            ("email", "", 5),
        ] {
            assert_eq!(distance(one, other), steps, "{one} and {other}");
        }
        assert!(RULES.iter().all(|rule| detectors_rule(rule).is_ok()));
        for (slip, meant) in [("personal/emial", "personal/email"), ("secret/github_token", "secret/github-token")] {
            assert!(detectors_rule(slip).is_err_and(|wrong| wrong.fix.contains(&format!("`{meant}`"))), "{slip}");
        }
    }
}
