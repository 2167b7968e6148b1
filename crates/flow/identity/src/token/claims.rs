//! The claims that every access token has (RFC 7519, RFC 8725, RFC 9068), read from a payload whose signature was verified.
//!
//! Threat: a token for somebody else, of another time, or that was never meant to open a door: each claim is required in the one
//! shape that its specification gives it, and a claim of another shape refuses the token.

use std::{sync::Arc, time::Duration};

use countersign_core::{Confirmation, Groups, Timestamp, principal::PrincipalKind};
use countersign_wire::{
    Limits,
    json::{Kind, Value},
};
use data_encoding::BASE64URL_NOPAD;

use super::{Issuer, MAX_TOKEN};

/// Why a token whose signature is good is refused. The words go to the record; they hold nothing of the token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// It was good once.
    Expired,
    /// It never is.
    Bad(&'static str),
}

/// What an adapter finds.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Subject {
    pub(super) id: Arc<str>,
    pub(super) kind: PrincipalKind,
    pub(super) client: Arc<str>,
    pub(super) scopes: Vec<Arc<str>>,
    pub(super) roles: Vec<Arc<str>>,
    pub(super) groups: Groups,
    pub(super) token: Option<Arc<str>>,
}

/// Who acts: the issuer, where another is named, and their subject.
pub(super) type Act = (Option<Arc<str>>, Arc<str>);

/// From when and until when a token holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Span {
    pub(super) issued: Timestamp,
    /// Not before, with the leeway given.
    pub(super) begins: Timestamp,
    pub(super) ends: Timestamp,
}

/// Looks at issuer, audience and time.
pub(super) fn check(claims: Value<'_>, issuer: &Issuer, now: Timestamp) -> Result<Span, Fault> {
    let own = claims.get("iss").is_some_and(|iss| iss.is(&issuer.url)) || issuer.profile.claims_it(claims, &issuer.url);
    if !own {
        return Err(Fault::Bad("the token is of another issuer"));
    }
    check_but_issuer(claims, issuer, now)
}

/// The same, where who says it is known already.
pub(super) fn check_but_issuer(claims: Value<'_>, issuer: &Issuer, now: Timestamp) -> Result<Span, Fault> {
    if !is_for_us(claims, issuer)? {
        return Err(Fault::Bad("the token is for another audience"));
    }
    for name in OF_ID_TOKENS {
        if claims.get(name).is_some() {
            return Err(Fault::Bad("the token is an ID token"));
        }
    }
    let (issued, ends) = (time(claims, "iat")?, time(claims, "exp")?);
    let issued = issued.ok_or(Fault::Bad("the token does not say when it was issued"))?;
    let ends = ends.ok_or(Fault::Bad("the token does not say when it ends"))?;
    if ends <= issued {
        return Err(Fault::Bad("the token ends before it begins"));
    }
    if ends.since(issued) > issuer.max_lifetime {
        return Err(Fault::Bad("the token lives longer than its issuer's tokens may"));
    }
    let first = time(claims, "nbf")?.unwrap_or(issued).max(issued);
    let begins = Timestamp(first.0.saturating_sub(micros(issuer.leeway)));
    if now < begins {
        return Err(Fault::Bad("the token is not valid yet"));
    }
    if now >= ends {
        return Err(Fault::Expired);
    }
    Ok(Span { issued, begins, ends })
}

/// Whether `aud`, one text or several, holds one of ours.
fn is_for_us(claims: Value<'_>, issuer: &Issuer) -> Result<bool, Fault> {
    let ours = |value: Value<'_>| issuer.audiences.iter().any(|own| value.is(own));
    let bad = Fault::Bad("the token's audience is malformed");
    let value = claims.get("aud").ok_or(bad)?;
    match value.kind() {
        Kind::String => Ok(ours(value)),
        Kind::Array if value.items().all(|item| item.kind() == Kind::String) => Ok(value.items().any(ours)),
        _ => Err(bad),
    }
}

/// A moment in whole seconds (RFC 7519 allows fractions; no issuer of access tokens is known to write them).
pub(super) fn time(claims: Value<'_>, name: &str) -> Result<Option<Timestamp>, Fault> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(seconds) if seconds <= END_OF_TIME => Ok(Some(Timestamp(seconds * 1_000_000))),
            _ => Err(Fault::Bad("a moment in the token is malformed")),
        },
    }
}

/// A short text of printable characters.
pub(super) fn text(claims: Value<'_>, name: &str) -> Result<Option<Arc<str>>, Fault> {
    claims.get(name).map(word).transpose()
}

/// The same, and it has to be there.
pub(super) fn required(claims: Value<'_>, name: &str) -> Result<Arc<str>, Fault> {
    text(claims, name)?.ok_or(Fault::Bad("a required claim is missing from the token"))
}

/// The id of a subject: printable ASCII without spaces (OpenID Connect Core, section 2), and nothing that looks like an e-mail
/// address, which can be given to somebody else one day.
pub(super) fn subject(claims: Value<'_>, name: &str) -> Result<Arc<str>, Fault> {
    let id = required(claims, name)?;
    if !id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Fault::Bad("the token's subject is malformed"));
    }
    if id.split_once('@').is_some_and(|(_, domain)| domain.contains('.')) {
        return Err(Fault::Bad("the token's subject is an e-mail address"));
    }
    Ok(id)
}

/// An array of short texts; empty when it is not there.
pub(super) fn list(claims: Value<'_>, name: &str) -> Result<Vec<Arc<str>>, Fault> {
    match claims.get(name) {
        None => Ok(Vec::new()),
        Some(value) if value.kind() == Kind::Array => value.items().map(word).collect(),
        Some(_) => Err(Fault::Bad("a list in the token is malformed")),
    }
}

/// Words with one space between them (RFC 6749, section 3.3); none when it is not there.
pub(super) fn words(claims: Value<'_>, name: &str) -> Result<Option<Vec<Arc<str>>>, Fault> {
    let bad = Fault::Bad("the token's scope is malformed");
    let Some(value) = claims.get(name) else { return Ok(None) };
    let text = value.as_str().ok_or(bad)?;
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic());
    if text.is_empty() {
        return Ok(Some(Vec::new()));
    }
    if !text.split(' ').all(|word| is_word(&word)) {
        return Err(bad);
    }
    Ok(Some(text.split(' ').map(Arc::from).collect()))
}

/// The key the token is bound to (RFC 7800). A binding that is not understood refuses the token: it was asked for by its issuer.
pub(super) fn confirmation(claims: Value<'_>) -> Result<Option<Confirmation>, Fault> {
    let Some(cnf) = claims.get("cnf") else { return Ok(None) };
    let bad = Fault::Bad("the key that the token is bound to is not understood");
    let mut members = cnf.members();
    let (Some((name, value)), None) = (members.next(), members.next()) else { return Err(bad) };
    let text = value.as_str().ok_or(bad)?;
    let hash = BASE64URL_NOPAD.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(bad)?;
    if name.is("x5t#S256") {
        Ok(Some(Confirmation::Certificate(hash)))
    } else if name.is("jkt") {
        Ok(Some(Confirmation::Key(hash)))
    } else {
        Err(bad)
    }
}

/// Who acts for the subject, the newest first (RFC 8693, section 4.1).
pub(super) fn acts(claims: Value<'_>) -> Result<Vec<Act>, Fault> {
    let mut acts = Vec::new();
    let mut next = claims.get("act");
    while let Some(act) = next {
        if act.kind() != Kind::Object || acts.len() == MOST_ACTS {
            return Err(Fault::Bad("the token's `act` is malformed or too long"));
        }
        acts.push((text(act, "iss")?, subject(act, "sub")?));
        next = act.get("act");
    }
    Ok(acts)
}

/// The claims of those names, as JSON text.
pub(super) fn extra(claims: Value<'_>, names: &[Arc<str>]) -> Vec<(Arc<str>, Arc<str>)> {
    let json = |value: Value<'_>| match value.kind() {
        Kind::String => format!("\"{}\"", value.raw()).into(),
        _ => value.raw().into(),
    };
    names.iter().filter_map(|name| Some((name.clone(), json(claims.get(name)?)))).collect()
}

fn word(value: Value<'_>) -> Result<Arc<str>, Fault> {
    let text = value.as_str().filter(|text| (1..=MAX_TEXT).contains(&text.len()) && !text.contains(char::is_control));
    text.map(|text| Arc::from(&*text)).ok_or(Fault::Bad("a text in the token is malformed"))
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Claims that say: this is about a log-in, not a right.
const OF_ID_TOKENS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];
/// Of a payload; two hundred groups and what an issuer adds.
pub(super) const LIMITS: Limits = Limits { body: MAX_TOKEN, depth: 16, nodes: 4096, event: 0 };
/// The year 9999.
const END_OF_TIME: u64 = 253_402_300_799;
const MAX_TEXT: usize = 256;
/// Of those who act for one another.
const MOST_ACTS: usize = 8;

#[cfg(test)]
mod tests;
